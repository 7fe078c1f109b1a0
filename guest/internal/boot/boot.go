// Package boot turns a kernel with an initramfs into a machine that can be
// worked in: devices, one root file system made of layers, and limits.
package boot

import (
	"fmt"
	"log"
	"os"
)

// The layout of the initramfs, fixed by the image builder.
const (
	baseTree  = "/base"
	layerDisk = "/dev/vda"
)

// Up boots the machine. An error leaves nothing to work in.
func Up() (Parameters, error) {
	if err := mountAll(earlyMounts); err != nil {
		return Parameters{}, err
	}
	openConsole()
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return Parameters{}, err
	}
	parameters := parseParameters(string(cmdline))
	if err := loadModules(); err != nil {
		return parameters, err
	}
	if err := translatorUp(); err != nil {
		return parameters, fmt.Errorf("rosetta: %w", err)
	}
	if err := enterRoot(parameters.RootPercent); err != nil {
		return parameters, fmt.Errorf("root: %w", err)
	}
	if err := mountAll(lateMounts); err != nil {
		return parameters, err
	}
	setLimits()
	for _, step := range []func() error{loopbackUp, networkCardUp, writeSettings, slowWatchman} {
		if err := step(); err != nil {
			log.Printf("boot: %v", err)
		}
	}
	return parameters, nil
}
