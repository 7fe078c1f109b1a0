package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"luminaguard/guest/internal/problem"
)

// Open opens a regular file to be read. Anything else is refused without
// waiting for it: opening a pipe could take for ever.
func Open(path string) (*os.File, int64, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) && errno == syscall.ENXIO {
			err = problem.NotAFile(path)
		}
		return nil, 0, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = problem.NotAFile(path)
	}
	if err != nil {
		file.Close()
		return nil, 0, err
	}
	return file, info.Size(), nil
}

// Write writes a file and makes its missing parents. The file appears under
// its name when it is complete, or not at all.
func Write(t Target, body io.Reader) (bytes int64, err error) {
	if info, err := os.Stat(t.Path); err == nil && !info.Mode().IsRegular() {
		return 0, problem.NotAFile(t.Path)
	}
	dir := filepath.Dir(t.Path)
	if err := makeFolders(dir, t); err != nil {
		return 0, err
	}
	file, err := os.CreateTemp(dir, ".luminaguard-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		file.Close()
		if err != nil {
			os.Remove(file.Name())
		}
	}()
	if bytes, err = io.Copy(file, body); err != nil {
		return bytes, err
	}
	if err := file.Chown(t.UID, t.GID); err != nil {
		return bytes, err
	}
	if err := syscall.Fchmod(int(file.Fd()), t.Mode); err != nil {
		return bytes, err
	}
	return bytes, os.Rename(file.Name(), t.Path)
}

// makeFolders makes a folder and its missing parents for the owner.
func makeFolders(dir string, t Target) error {
	err := os.Mkdir(dir, folderMode)
	if errors.Is(err, os.ErrNotExist) {
		if err := makeFolders(filepath.Dir(dir), t); err != nil {
			return err
		}
		err = os.Mkdir(dir, folderMode)
	}
	if errors.Is(err, os.ErrExist) {
		return nil // if it is no folder, the next step will say so
	}
	if err != nil {
		return err
	}
	return os.Chown(dir, t.UID, t.GID)
}
