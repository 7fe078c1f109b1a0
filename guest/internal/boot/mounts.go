package boot

import (
	"fmt"
	"os"
	"syscall"
)

type mount struct {
	source, target, kind string
	flags                uintptr
	options              string
}

const quietFlags = syscall.MS_NOSUID | syscall.MS_NOEXEC | syscall.MS_NODEV

// earlyMounts are needed to find the rest of the machine.
var earlyMounts = []mount{
	{"proc", "/proc", "proc", quietFlags, ""},
	{"sysfs", "/sys", "sysfs", quietFlags, ""},
	{"devtmpfs", "/dev", "devtmpfs", syscall.MS_NOSUID, "mode=0755"},
}

// lateMounts are made in the final root.
var lateMounts = []mount{
	{"devpts", "/dev/pts", "devpts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "ptmxmode=0666,mode=0620"},
	{"cgroup2", "/sys/fs/cgroup", "cgroup2", quietFlags, ""},
}

func mountAll(mounts []mount) error {
	for _, m := range mounts {
		if err := m.do(); err != nil {
			return err
		}
	}
	return nil
}

func (m mount) do() error {
	if err := os.MkdirAll(m.target, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(m.source, m.target, m.kind, m.flags, m.options); err != nil {
		return fmt.Errorf("mount %s on %s: %w", m.kind, m.target, err)
	}
	return nil
}
