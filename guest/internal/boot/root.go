package boot

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// The root is an overlay:
//
//	/scratch  tmpfs, everything ever written, under one size limit: a part of
//	          what is free after boot, for files cannot be killed when the
//	          machine runs out of memory
//	/layer    squashfs, from the disk, read-only, if there is a disk
//	/base     from the initramfs, what is there even without a disk
//
// Folders that are written a lot lie on the scratch file system directly:
// they share its limit and skip the overlay.
const (
	scratch = "/scratch"
	layer   = "/layer"
	newRoot = "/newroot"
)

// folder is one of those, with its owner and mode.
type folder struct {
	path string
	mode uint32
	user int
}

const (
	userID = 1000
	sticky = 0o1777
)

var scratchFolders = []folder{
	{"/tmp", sticky, 0},
	{"/run", 0o755, 0},
	{"/dev/shm", sticky, 0},
	{"/workspace", 0o755, userID},
}

// enterRoot builds the root and moves the agent into it for good.
func enterRoot(percent int) error {
	if err := mountScratch(percent); err != nil {
		return err
	}
	lower := baseTree
	if _, err := os.Stat(layerDisk); err == nil {
		if err := (mount{layerDisk, layer, "squashfs", syscall.MS_RDONLY | syscall.MS_NODEV, ""}).do(); err != nil {
			return err
		}
		lower = layer + ":" + baseTree
	}
	for _, dir := range []string{scratch + "/upper", scratch + "/work"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s/upper,workdir=%s/work", lower, scratch, scratch)
	if err := (mount{"root", newRoot, "overlay", 0, options}).do(); err != nil {
		return err
	}
	for _, m := range earlyMounts {
		if err := (mount{m.target, newRoot + m.target, "", syscall.MS_MOVE, ""}).do(); err != nil {
			return err
		}
	}
	for _, f := range scratchFolders {
		if err := f.bind(); err != nil {
			return err
		}
	}
	if err := makeHome(); err != nil {
		return err
	}
	return switchRoot()
}

// mountScratch has huge pages for those who ask, where the kernel has them.
func mountScratch(percent int) error {
	size := fmt.Sprintf("size=%d,mode=0755", freeMemory()/100*uint64(percent))
	m := mount{"scratch", scratch, "tmpfs", syscall.MS_NOSUID | syscall.MS_NODEV, size + ",huge=advise"}
	err := m.do()
	if errors.Is(err, syscall.EINVAL) {
		m.options = size
		err = m.do()
	}
	return err
}

// bind makes the folder on the scratch file system and shows it in the root.
func (f folder) bind() error {
	source := scratch + "/bind" + f.path
	if err := os.MkdirAll(source, 0o755); err != nil {
		return err
	}
	if err := syscall.Chmod(source, f.mode); err != nil {
		return err
	}
	if err := os.Chown(source, f.user, f.user); err != nil {
		return err
	}
	return (mount{source, newRoot + f.path, "", syscall.MS_BIND, ""}).do()
}

func makeHome() error {
	const home = newRoot + "/home/user"
	if err := os.MkdirAll(home, 0o755); err != nil {
		return err
	}
	return os.Chown(home, userID, userID)
}

// switchRoot moves the new root over the old one, which nobody can reach
// afterwards.
func switchRoot() error {
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := syscall.Mount(".", "/", "", syscall.MS_MOVE, ""); err != nil {
		return err
	}
	if err := syscall.Chroot("."); err != nil {
		return err
	}
	return os.Chdir("/")
}
