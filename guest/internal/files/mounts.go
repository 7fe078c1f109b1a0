package files

import "syscall"

// mountKinds remembers which file systems, by device number, the kernel makes
// up. Their files are endless, or devices, or change something when read.
type mountKinds map[uint64]bool

const (
	procMagic  = 0x9fa0
	sysfsMagic = 0x62656572
)

// kernelMade reports whether a folder lies on proc, sysfs or devtmpfs.
func (m mountKinds) kernelMade(path string, device uint64) bool {
	if made, known := m[device]; known {
		return made
	}
	made := device == deviceOf("/dev") // devtmpfs calls itself tmpfs
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err == nil {
		kind := uint64(fs.Type)
		made = made || kind == procMagic || kind == sysfsMagic
	}
	m[device] = made
	return made
}

func deviceOf(path string) uint64 {
	var stat syscall.Stat_t
	if err := syscall.Stat(path, &stat); err != nil {
		return 0
	}
	return uint64(stat.Dev)
}
