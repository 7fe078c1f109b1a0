package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"luminaguard/guest/internal/h2"
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

// Body is what a file is to hold.
type Body interface {
	io.Reader
	// Fill has all of it go to a sink.
	Fill(h2.Sink) error
}

// Write writes a file and makes its missing parents. The file appears under
// its name when it is complete, or not at all. The size is the body's, or
// negative where nobody knows.
func Write(t Target, body Body, size int64) (bytes int64, err error) {
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
	if bytes, err = put(file, body, size); err != nil {
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

// put writes a body into an empty file.
func put(file *os.File, body Body, size int64) (n int64, err error) {
	if !mappable(file, size) {
		n, err = io.Copy(file, body)
	} else {
		n, err = fill(file, body, size)
	}
	if err == nil && size >= 0 && n != size {
		err = problem.BadRequest("%d bytes came instead of %d", n, size)
	}
	return n, err
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
