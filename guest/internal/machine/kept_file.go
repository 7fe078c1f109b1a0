package machine

import (
	"syscall"

	"luminaguard/guest/internal/quick"
)

// keptFile is a small file that is open since boot, so that writing it in a
// clone is one call. Its place may be taken by another file meanwhile, which
// is then the one to write.
type keptFile struct {
	path string
	fd   int
	file struct{ device, inode uint64 }
}

const keptMode = 0o644

func keepFile(path string) (*keptFile, error) {
	k := &keptFile{path: path, fd: -1}
	return k, k.open()
}

func (k *keptFile) open() error {
	fd, err := syscall.Open(k.path, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_CLOEXEC, keptMode)
	if err != nil {
		return err
	}
	if k.fd >= 0 {
		syscall.Close(k.fd)
	}
	k.fd = fd
	found, err := quick.Stat(k.path)
	k.file.device, k.file.inode = found.Dev, found.Ino
	return err
}

// write makes the text all that the file holds. A longer file is emptied
// first, as a reader must not see the end of the old text after the new one.
func (k *keptFile) write(text string) error {
	found, err := quick.Stat(k.path)
	if err != nil || found.Dev != k.file.device || found.Ino != k.file.inode {
		if err := k.open(); err != nil {
			return err
		}
		if found, err = quick.Stat(k.path); err != nil {
			return err
		}
	}
	if found.Size > int64(len(text)) {
		if err := quick.Truncate(k.fd, 0); err != nil {
			return err
		}
	}
	n, err := quick.WriteAt(k.fd, []byte(text), 0)
	if err == nil && n < len(text) {
		err = syscall.ENOSPC
	}
	return err
}
