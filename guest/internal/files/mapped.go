package files

import (
	"os"
	"syscall"
	"unsafe"

	"luminaguard/guest/internal/problem"
	"luminaguard/guest/internal/quick"
)

// A large file that lies in memory anyway is moved by mapping it: the kernel
// copies each byte once, between the wire and the file. Only the kernel touches
// the mapping, which thereby fails with an error where a file is cut short or a
// file system full. If the agent did, it would be killed.

const (
	// mappedBytesMin is from when on a mapping costs less than it saves.
	mappedBytesMin = 1 << 20
	tmpfsMagic     = 0x01021994
	// hugePage is what a tmpfs that takes advice keeps in one piece: clearing
	// and finding one is far less work than its 512 small ones.
	hugePage      = 2 << 20
	populateWrite = 23 // MADV_POPULATE_WRITE, since Linux 5.14
	blockSize     = 512
)

// mappable reports whether a file lies in memory.
func mappable(file *os.File, size int64) bool {
	var fs syscall.Statfs_t
	return size >= mappedBytesMin && int64(int(size)) == size &&
		syscall.Fstatfs(int(file.Fd()), &fs) == nil && int64(fs.Type) == tmpfsMagic
}

// Map shows an open file's content in memory, nil where it is better read. A
// file with holes is: looking at a hole would fill it.
func Map(file *os.File, size int64) []byte {
	var stat syscall.Stat_t
	if !mappable(file, size) || syscall.Fstat(int(file.Fd()), &stat) != nil || stat.Blocks*blockSize < size {
		return nil
	}
	memory, err := syscall.Mmap(int(file.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil
	}
	return memory
}

// Unmap ends what Map began; without a mapping it does nothing.
func Unmap(memory []byte) {
	if memory != nil {
		syscall.Munmap(memory)
	}
}

var errTooMuch = problem.BadRequest("more came than was announced")

// filling is a new file as a sink of what it is to hold.
type filling struct {
	fd        int
	memory    []byte
	at        int // so much is there
	populated int // so much has its place on the file system
}

// mapNew gives an empty file its size and maps it.
func mapNew(file *os.File, size int64) (*filling, error) {
	if err := file.Truncate(size); err != nil {
		return nil, err
	}
	f := &filling{fd: int(file.Fd())}
	memory, err := syscall.Mmap(f.fd, 0, int(size), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, err
	}
	f.memory = memory
	if whole := len(memory) / hugePage * hugePage; whole > 0 {
		_ = syscall.Madvise(memory[:whole], syscall.MADV_HUGEPAGE) // without, it has small pages
	}
	return f, nil
}

// fill has a body go straight into an empty file.
func fill(file *os.File, body Body, size int64) (int64, error) {
	f, err := mapNew(file, size)
	if err != nil {
		return 0, err
	}
	defer Unmap(f.memory)
	err = body.Fill(f)
	return int64(f.at), err
}

// Room is what is left of the part that has its place.
func (f *filling) Room() ([]byte, error) {
	if f.at == len(f.memory) {
		return nil, errTooMuch
	}
	if err := f.populate(f.at + 1); err != nil {
		return nil, err
	}
	return f.memory[f.at:f.populated], nil
}

func (f *filling) Filled(n int) { f.at += n }

func (f *filling) Write(b []byte) (int, error) {
	if len(b) > len(f.memory)-f.at {
		return 0, errTooMuch
	}
	if err := f.populate(f.at + len(b)); err != nil {
		return 0, err
	}
	n, err := quick.WriteAt(f.fd, b, int64(f.at))
	f.at += n
	if err == nil && n < len(b) {
		err = syscall.ENOSPC
	}
	return n, err
}

// populate gives bytes up to an end their place, huge pages where there are:
// a byte that is written first would get a small one.
func (f *filling) populate(end int) error {
	for f.populated < end {
		next := f.populated + hugePage
		if next > len(f.memory) {
			next = len(f.memory)
		}
		part := f.memory[f.populated:next]
		_, _, errno := syscall.RawSyscall(syscall.SYS_MADVISE,
			uintptr(unsafe.Pointer(&part[0])), uintptr(len(part)), populateWrite)
		switch errno {
		case 0, syscall.EINVAL: // an older kernel does it byte by byte
		case syscall.EFAULT:
			return syscall.ENOSPC
		default:
			return errno
		}
		f.populated = next
	}
	return nil
}
