// Package quick has the system calls that do not wait. The Go runtime is told
// of every other one, which wakes its watchman: a thread that takes the
// processor from whoever has it and, in a clone under emulation, runs code that
// was never translated before.
package quick

import (
	"syscall"
	"unsafe"
)

// Read reads from a descriptor that does not block.
func Read(fd int, b []byte) (int, error) { return move(syscall.SYS_READ, fd, b, 0) }

// Write writes to a descriptor that does not block.
func Write(fd int, b []byte) (int, error) { return move(syscall.SYS_WRITE, fd, b, 0) }

// WriteAt writes into a file that is in memory.
func WriteAt(fd int, b []byte, offset int64) (int, error) {
	return move(syscall.SYS_PWRITE64, fd, b, offset)
}

func move(call uintptr, fd int, b []byte, offset int64) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, _, errno := syscall.RawSyscall6(call, uintptr(fd),
		uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), uintptr(offset), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

// Truncate cuts a file that is in memory.
func Truncate(fd int, size int64) error {
	return failure(syscall.RawSyscall(syscall.SYS_FTRUNCATE, uintptr(fd), uintptr(size), 0))
}

// Stat looks at what a path leads to.
func Stat(path string) (*syscall.Stat_t, error) {
	const workingFolder = ^uintptr(99) // AT_FDCWD, -100
	name, err := syscall.BytePtrFromString(path)
	if err != nil {
		return nil, err
	}
	stat := &syscall.Stat_t{}
	err = failure(syscall.RawSyscall6(statAt, workingFolder,
		uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(stat)), 0, 0, 0))
	return stat, err
}

// SetHostname names the machine.
func SetHostname(name string) error {
	b := []byte(name)
	return failure(syscall.RawSyscall(syscall.SYS_SETHOSTNAME, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0))
}

// Control makes a request of a device.
func Control(fd int, request uintptr, argument unsafe.Pointer) error {
	return failure(syscall.RawSyscall(syscall.SYS_IOCTL, uintptr(fd), request, uintptr(argument)))
}

// SetNonblock makes a descriptor's reads and writes return at once.
func SetNonblock(fd int) error {
	return failure(syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFL, syscall.O_NONBLOCK))
}

// Reap collects one child that has ended; 0 when there is none yet.
func Reap(status *syscall.WaitStatus) (int, error) {
	var word int32
	const anyChild = ^uintptr(0)
	pid, _, errno := syscall.RawSyscall6(syscall.SYS_WAIT4, anyChild,
		uintptr(unsafe.Pointer(&word)), syscall.WNOHANG, 0, 0, 0)
	*status = syscall.WaitStatus(word)
	return int(pid), errnoOrNil(errno)
}

// Close closes a descriptor whose end writes nothing back.
func Close(fd int) error {
	return failure(syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(fd), 0, 0))
}

func failure(_, _ uintptr, errno syscall.Errno) error { return errnoOrNil(errno) }

func errnoOrNil(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

// FreeMemory counts the bytes that nobody uses.
func FreeMemory() uint64 {
	var info syscall.Sysinfo_t
	if err := failure(syscall.RawSyscall(syscall.SYS_SYSINFO, uintptr(unsafe.Pointer(&info)), 0, 0)); err != nil {
		panic(err) // it has no way to fail
	}
	return uint64(info.Freeram) * uint64(info.Unit)
}
