package process

import (
	"os"
	"syscall"
	"unsafe"
)

// Terminal requests of Linux that the standard library lacks.
const (
	ioctlUnlockTerminal = 0x40045431 // TIOCSPTLCK
	ioctlOpenPeer       = 0x5441     // TIOCGPTPEER
	ioctlSetWindowSize  = 0x5414     // TIOCSWINSZ
)

// Size of a terminal, in characters.
type Size struct {
	Columns uint16
	Rows    uint16
}

// openTerminal makes a pseudo-terminal and gives its user's end to the user.
func openTerminal(size Size, account Account) (master *os.File, peer uintptr, err error) {
	fd, err := syscall.Open("/dev/ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, 0, os.NewSyscallError("open /dev/ptmx", err)
	}
	master = os.NewFile(uintptr(fd), "terminal")
	if peer, err = openPeer(fd); err != nil {
		master.Close()
		return nil, 0, os.NewSyscallError("open terminal", err)
	}
	if err = syscall.Fchown(int(peer), int(account.UID), int(account.GID)); err == nil {
		err = resize(master, size)
	}
	if err != nil {
		syscall.Close(int(peer))
		master.Close()
		return nil, 0, os.NewSyscallError("set up terminal", err)
	}
	return master, peer, nil
}

func openPeer(master int) (uintptr, error) {
	var locked int32
	if err := ioctl(master, ioctlUnlockTerminal, uintptr(unsafe.Pointer(&locked))); err != nil {
		return 0, err
	}
	peer, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(master), ioctlOpenPeer,
		syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC)
	if errno != 0 {
		return 0, errno
	}
	return peer, nil
}

func resize(terminal *os.File, size Size) error {
	raw, err := terminal.SyscallConn()
	if err != nil {
		return err
	}
	window := [4]uint16{size.Rows, size.Columns}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = ioctl(int(fd), ioctlSetWindowSize, uintptr(unsafe.Pointer(&window)))
	})
	if err != nil {
		return err
	}
	return failed
}

func ioctl(fd int, request, argument uintptr) error {
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), request, argument); errno != 0 {
		return errno
	}
	return nil
}
