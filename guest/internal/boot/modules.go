package boot

import (
	"errors"
	"log"
	"os"
	"strings"
	"syscall"
	"unsafe"
)

// loadModules loads the kernel modules of a list, one path a line, in its
// order. One that fails is reported and left out: the machine may do without.
func loadModules(list string) error {
	b, err := os.ReadFile(list)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, path := range strings.Fields(string(b)) {
		if err := loadModule(path); err != nil {
			log.Printf("module %s: %v", path, err)
		}
		// Once loaded it only takes memory; the initramfs is in no other place.
		os.Remove(path)
	}
	return nil
}

func loadModule(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	parameters := [1]byte{}
	_, _, errno := syscall.Syscall(sysFinitModule, file.Fd(), uintptr(unsafe.Pointer(&parameters)), 0)
	if errno != 0 && errno != syscall.EEXIST {
		return errno
	}
	return nil
}
