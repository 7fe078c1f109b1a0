package process

import (
	"os"
	"syscall"
	"unsafe"
)

// signalSetSize is that of the kernel's signal mask.
const signalSetSize = 8

// IgnoreDeaths keeps the end of a child from interrupting the agent. The
// runtime handles every signal, this one for nothing; the kernel's own default
// is to drop it and keep the child's status for whoever waits.
func IgnoreDeaths() error {
	var byDefault [4]uintptr // struct sigaction: no handler, no flags
	_, _, errno := syscall.Syscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGCHLD),
		uintptr(unsafe.Pointer(&byDefault)), 0, signalSetSize, 0, 0)
	if errno != 0 {
		return os.NewSyscallError("sigaction", errno)
	}
	return nil
}
