package boot

import (
	"log"
	"syscall"
)

// openConsole points the agent's own output at the console, or at the kernel's
// log on machines without one, and its input at nothing.
func openConsole() {
	log.SetFlags(0)
	log.SetPrefix("luminaguard: ")
	redirect("/dev/null", 0)
	if !redirect("/dev/console", 1, 2) {
		redirect("/dev/kmsg", 1, 2)
	}
}

func redirect(device string, descriptors ...int) bool {
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	for _, d := range descriptors {
		if syscall.Dup3(fd, d, 0) != nil {
			return false
		}
	}
	return syscall.Close(fd) == nil
}
