package boot

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"luminaguard/guest/internal/quick"
)

// The root is an overlay:
//
//	/scratch  tmpfs, everything ever written, under one size limit: a part of
//	          what is free after boot, for files cannot be killed when the
//	          machine runs out of memory
//	/layer    squashfs, from the disk, read-only, if there is a disk
//	/base     from the initramfs, what is there even without a disk; not below
//	          a disk that is a whole root, as one from a registry is
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
	path  string
	mode  uint32
	user  int
	group int
}

const (
	userID = 1000
	sticky = 0o1777
)

var scratchFolders = []folder{
	{"/tmp", sticky, 0, 0},
	{"/run", 0o755, 0, 0},
	{"/dev/shm", sticky, 0, 0},
	{"/workspace", 0o755, userID, userID},
}

// wholeRootNote says that the disk is all there is, and whose the workspace
// is. The image builder adds it.
const wholeRootNote = "/etc/luminaguard/root"

// wholeScratchFolders leave what a whole root has in its /tmp and /run.
func wholeScratchFolders(note string) ([]folder, error) {
	var user, group int
	if _, err := fmt.Sscanf(note, "%d:%d\n", &user, &group); err != nil {
		return nil, fmt.Errorf("%s: %w", wholeRootNote, err)
	}
	return []folder{
		{"/dev/shm", sticky, 0, 0},
		{"/workspace", 0o755, user, group},
	}, nil
}

// deviceLinks are what programs look for in /dev and the kernel leaves to whoever boots it.
var deviceLinks = [][2]string{
	{"/proc/self/fd", "/dev/fd"},
	{"/proc/self/fd/0", "/dev/stdin"},
	{"/proc/self/fd/1", "/dev/stdout"},
	{"/proc/self/fd/2", "/dev/stderr"},
}

// enterRoot builds the root and moves the agent into it for good.
func enterRoot(percent int) error {
	if err := mountScratch(percent); err != nil {
		return err
	}
	lower := baseTree
	note, err := os.ReadFile(wholeRootNote)
	whole := err == nil
	if _, err := os.Stat(layerDisk); err == nil {
		if err := (mount{layerDisk, layer, "squashfs", syscall.MS_RDONLY | syscall.MS_NODEV, ""}).do(); err != nil {
			return err
		}
		lower = layer + ":" + baseTree
		if whole {
			lower = layer
		}
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
		if err := ensureFolder(newRoot + m.target); err != nil {
			return err
		}
		if err := (mount{m.target, newRoot + m.target, "", syscall.MS_MOVE, ""}).do(); err != nil {
			return err
		}
	}
	if err := linkDevices(); err != nil {
		return err
	}
	folders, finish := scratchFolders, makeHome
	if whole {
		finish = makeTemporary
		if folders, err = wholeScratchFolders(string(note)); err != nil {
			return err
		}
	}
	for _, f := range folders {
		if err := f.bind(); err != nil {
			return err
		}
	}
	if err := finish(); err != nil {
		return err
	}
	return switchRoot()
}

// ensureFolder puts an empty folder in the place of what is not one. A link is
// not followed: in a root from outside it may lead anywhere, and before the
// root is entered that is the agent's own files.
func ensureFolder(path string) error {
	stat, err := os.Lstat(path)
	if err == nil && stat.IsDir() {
		return nil
	}
	if err == nil {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Mkdir(path, 0o755)
}

func linkDevices() error {
	for _, link := range deviceLinks {
		if err := os.Symlink(link[0], newRoot+link[1]); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return nil
}

// makeTemporary gives a root that has none a /tmp, which few programs do without.
func makeTemporary() error {
	const path = newRoot + "/tmp"
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	return os.Chmod(path, os.ModeSticky|0o777)
}

// mountScratch has huge pages for those who ask, where the kernel has them.
func mountScratch(percent int) error {
	size := fmt.Sprintf("size=%d,mode=0755", quick.FreeMemory()/100*uint64(percent))
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
	if err := os.Chown(source, f.user, f.group); err != nil {
		return err
	}
	if err := ensureFolder(newRoot + f.path); err != nil {
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
