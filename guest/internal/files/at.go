package files

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// System calls relative to a folder that the standard library does not offer.

const noFollow = 0x100 // AT_SYMLINK_NOFOLLOW

func symlinkAt(target string, dir *os.File, name string) error {
	t, err := syscall.BytePtrFromString(target)
	if err != nil {
		return err
	}
	n, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	return failed(syscall.Syscall(syscall.SYS_SYMLINKAT,
		uintptr(unsafe.Pointer(t)), dir.Fd(), uintptr(unsafe.Pointer(n))))
}

func linkAt(oldDir *os.File, oldName string, dir *os.File, name string) error {
	o, err := syscall.BytePtrFromString(oldName)
	if err != nil {
		return err
	}
	n, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	return failed(syscall.Syscall6(syscall.SYS_LINKAT, oldDir.Fd(), uintptr(unsafe.Pointer(o)),
		dir.Fd(), uintptr(unsafe.Pointer(n)), 0, 0))
}

// touchAt sets when an entry was changed last, without following it.
func touchAt(dir *os.File, name string, changed time.Time) error {
	n, err := syscall.BytePtrFromString(name)
	if err != nil {
		return err
	}
	t := syscall.NsecToTimespec(changed.UnixNano())
	times := [2]syscall.Timespec{t, t}
	return failed(syscall.Syscall6(syscall.SYS_UTIMENSAT, dir.Fd(), uintptr(unsafe.Pointer(n)),
		uintptr(unsafe.Pointer(&times)), noFollow, 0, 0))
}

// removeAt removes anything but a folder.
func removeAt(dir *os.File, name string) error {
	return syscall.Unlinkat(int(dir.Fd()), name)
}

func failed(_, _ uintptr, errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}
