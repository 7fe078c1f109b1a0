package machine

import (
	"syscall"
	"unsafe"

	"luminaguard/guest/internal/quick"
)

// What a machine's boot leaves behind lies in memory that nobody uses any
// more: the packed kernel, the initramfs, tables that were freed. Zeroed, it
// is a hole in the file of whoever keeps the machine.
const (
	// scrubBytesMax bounds what is taken at once. The kernel hands out the small
	// pieces first, which are those that were used before; in a large machine the
	// rest was never touched, and taking it would only make the host provide it.
	scrubBytesMax = 128 << 20
	// scrubReserve stays for everybody else.
	scrubReserve = 4 << 20
	scrubPart    = 1 << 20

	madviseNoHugePage    = 15
	madvisePopulateWrite = 23 // Linux 5.14
)

// Scrub zeroes free memory and says how many bytes: it takes them, which has
// the kernel clear each page, and gives them back.
func Scrub() (int64, error) { return scrub(scrubReserve) }

func scrub(reserve uint64) (int64, error) {
	memory, err := syscall.Mmap(-1, 0, scrubBytesMax, syscall.PROT_READ|syscall.PROT_WRITE,
		syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return 0, err
	}
	defer syscall.Munmap(memory)
	// a huge page is only ever made of memory that nobody used yet
	if err := advise(memory, madviseNoHugePage); err != nil && err != syscall.EINVAL {
		return 0, err
	}
	for at := 0; at < len(memory); at += scrubPart {
		if quick.FreeMemory() < reserve+scrubPart {
			return int64(at), nil
		}
		err := advise(memory[at:at+scrubPart], madvisePopulateWrite)
		if err == syscall.ENOMEM { // somebody else was first
			return int64(at), nil
		}
		if err != nil {
			return int64(at), err
		}
	}
	return scrubBytesMax, nil
}

func advise(memory []byte, advice uintptr) error {
	_, _, errno := syscall.Syscall(syscall.SYS_MADVISE,
		uintptr(unsafe.Pointer(&memory[0])), uintptr(len(memory)), advice)
	if errno != 0 {
		return errno
	}
	return nil
}
