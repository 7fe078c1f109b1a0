package process

import (
	"os"
	"syscall"
)

const sysPidfdOpen = 434

// openDescriptor returns a descriptor that becomes readable when the process
// ends. The process must not have been reaped.
func openDescriptor(pid int) (*os.File, error) {
	fd, _, errno := syscall.Syscall(sysPidfdOpen, uintptr(pid), syscall.O_NONBLOCK, 0)
	if errno != 0 {
		return nil, os.NewSyscallError("pidfd_open", errno)
	}
	return os.NewFile(fd, "process"), nil
}
