package files

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"runtime"
	"syscall"
	"unsafe"
)

// beneath is a folder that nothing leaves: the kernel resolves each path below
// it and refuses any that would step out, by "..", an absolute link or
// otherwise, also while someone else moves things about.
type beneath struct {
	root *os.File

	// The folder used last; the entries of an archive come folder by folder.
	lastName string
	last     *os.File
}

// openHow is struct open_how.
type openHow struct {
	flags   uint64
	mode    uint64
	resolve uint64
}

const (
	sysOpenat2          = 437
	resolveNoMagicLinks = 0x02
	resolveBeneath      = 0x08
	pathOnly            = 0x200000 // O_PATH
)

func openBeneath(dir string) (*beneath, error) {
	root, err := os.OpenFile(dir, syscall.O_DIRECTORY|syscall.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	return &beneath{root: root}, nil
}

func (b *beneath) Close() {
	b.forget()
	b.root.Close()
}

func (b *beneath) forget() {
	if b.last != nil {
		b.last.Close()
		b.last = nil
	}
}

// parent returns the folder that holds a name, and the name within it. Missing
// folders are made, and made is told.
func (b *beneath) parent(name string, made func(dir *os.File, name string) error) (*os.File, string, error) {
	folder, base := path.Split(name)
	if folder = path.Clean(folder); folder == "." {
		return b.root, base, nil
	}
	if b.last != nil && b.lastName == folder {
		return b.last, base, nil
	}
	b.forget()
	dir, err := b.folder(folder, made)
	if err != nil {
		return nil, "", err
	}
	b.forget() // making it may have used other folders
	b.last, b.lastName = dir, folder
	return dir, base, nil
}

func (b *beneath) folder(name string, made func(*os.File, string) error) (*os.File, error) {
	dir, err := b.open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	above, base, err := b.parent(name, made)
	if err != nil {
		return nil, err
	}
	if err := syscall.Mkdirat(int(above.Fd()), base, folderMode); err != nil && err != syscall.EEXIST {
		return nil, &os.PathError{Op: "mkdir", Path: name, Err: err}
	}
	if err := made(above, base); err != nil {
		return nil, err
	}
	return b.open(name)
}

// open opens a folder beneath the root.
func (b *beneath) open(name string) (*os.File, error) {
	how := openHow{
		flags:   syscall.O_DIRECTORY | syscall.O_CLOEXEC,
		resolve: resolveBeneath | resolveNoMagicLinks,
	}
	p, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	for {
		fd, _, errno := syscall.Syscall6(sysOpenat2, b.root.Fd(), uintptr(unsafe.Pointer(p)),
			uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		runtime.KeepAlive(b.root)
		switch errno {
		case 0:
			return os.NewFile(fd, name), nil
		case syscall.EINTR, syscall.EAGAIN:
			continue // EAGAIN: something was moved meanwhile
		}
		return nil, &os.PathError{Op: "open", Path: name, Err: errno}
	}
}
