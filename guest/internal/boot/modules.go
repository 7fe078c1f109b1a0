package boot

import (
	"errors"
	"log"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// Lists of kernel modules, one path a line in the order they are loaded: one
// for every machine, and one for each kind of virtio device that not every
// machine has, named by the device's number.
const (
	modulesOfAll     = "/etc/luminaguard/modules"
	modulesOfDevice  = modulesOfAll + "-*"
	numbersOfDevices = "/sys/bus/virtio/devices/*/device"
)

// loadModules loads what this machine's devices need. The buses come first:
// only they know which devices there are.
func loadModules() error {
	if err := eachModule(modulesOfAll, loadModule); err != nil {
		return err
	}
	there := devices()
	lists, err := filepath.Glob(modulesOfDevice)
	if err != nil {
		return err
	}
	for _, list := range lists {
		load := func(string) error { return nil }
		if there[list[len(modulesOfAll)+1:]] {
			load = loadModule
		}
		if err := eachModule(list, load); err != nil {
			return err
		}
	}
	return nil
}

// devices are the numbers of the virtio devices that are there, as the kernel
// writes them.
func devices() map[string]bool {
	there := make(map[string]bool)
	files, _ := filepath.Glob(numbersOfDevices) // the pattern is well formed
	for _, file := range files {
		if number, err := os.ReadFile(file); err == nil {
			there[strings.TrimSpace(string(number))] = true
		}
	}
	return there
}

// eachModule loads the modules of a list. One that fails is reported and left
// out: the machine may do without.
func eachModule(list string, load func(path string) error) error {
	b, err := os.ReadFile(list)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, path := range strings.Fields(string(b)) {
		if err := load(path); err != nil {
			log.Printf("module %s: %v", path, err)
		}
		// From now on it only takes memory; the initramfs is in no other place.
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
