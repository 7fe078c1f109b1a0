package files

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"luminaguard/guest/internal/problem"
	"luminaguard/guest/internal/strictjson"
)

// Unpacked counts what an archive brought.
type Unpacked struct {
	Files int64
	Bytes int64
}

// JSON is the count as the host reads it.
func (u Unpacked) JSON() []byte {
	return strictjson.Object{}.Integer("files", u.Files).Integer("bytes", u.Bytes).JSON()
}

// unpacker writes one archive below one folder.
type unpacker struct {
	target  Target
	inside  *beneath
	changed []folderTime
	done    Unpacked
}

// folderTime is set last: filling a folder changes it.
type folderTime struct {
	name    string
	changed time.Time
}

// Unpack writes an archive below a folder, as the target's owner. What is there
// already is replaced, except that a folder never makes way for a file. An
// archive that fails half way leaves what it brought so far.
func Unpack(t Target, from io.Reader) (Unpacked, error) {
	if err := makeFolders(filepath.Clean(t.Path), t); err != nil {
		return Unpacked{}, err
	}
	inside, err := openBeneath(t.Path)
	if err != nil {
		return Unpacked{}, err
	}
	defer inside.Close()
	u := &unpacker{target: t, inside: inside}
	archive := tar.NewReader(from)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return u.done, broken(err)
		}
		if err := u.entry(h, archive); err != nil {
			return u.done, named(h.Name, err)
		}
	}
	// Padding behind the end of the archive belongs to the request.
	if _, err := io.Copy(io.Discard, from); err != nil {
		return u.done, err
	}
	return u.done, u.touchFolders()
}

// broken tells an archive that makes no sense from a stream that ended early.
func broken(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		return problem.BadRequest("not a whole tar archive: %s", err)
	}
	return err
}

func named(name string, err error) error {
	p := *problem.From(err)
	if !strings.Contains(p.Title, name) {
		p.Title = name + ": " + p.Title
	}
	return &p
}

// entryName is an entry's place below the target, or "." for the target.
func entryName(name string) (string, error) {
	for _, part := range strings.Split(name, "/") {
		if part == ".." {
			return "", problem.BadRequest("entry leaves the target: %q", name)
		}
	}
	if strings.HasPrefix(name, "/") || strings.Contains(name, "\x00") {
		return "", problem.BadRequest("entry leaves the target: %q", name)
	}
	return path.Clean(name), nil
}

func (u *unpacker) entry(h *tar.Header, body io.Reader) error {
	name, err := entryName(h.Name)
	if err != nil || name == "." {
		return err
	}
	dir, base, err := u.inside.parent(name, u.own)
	if err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return u.folder(dir, base, name, h)
	case tar.TypeSymlink:
		err = replacing(dir, base, func() error { return symlinkAt(h.Linkname, dir, base) })
		if err == nil {
			err = u.own(dir, base)
		}
	case tar.TypeLink:
		return u.link(dir, base, h.Linkname)
	case tar.TypeReg, tar.TypeGNUSparse:
		err = u.file(dir, base, h, body)
	default:
		return nil // devices and pipes are not made
	}
	if err != nil {
		return err
	}
	u.done.Files++
	return touchAt(dir, base, h.ModTime)
}

func (u *unpacker) folder(dir *os.File, base, name string, h *tar.Header) error {
	if err := syscall.Mkdirat(int(dir.Fd()), base, folderMode); err != nil && err != syscall.EEXIST {
		return err
	}
	fd, err := syscall.Openat(int(dir.Fd()), base, syscall.O_DIRECTORY|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0)
	if err == syscall.ENOTDIR || err == syscall.ELOOP {
		return syscall.EEXIST // something else has the name
	}
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	u.changed = append(u.changed, folderTime{name, h.ModTime})
	return u.settle(fd, h)
}

// settle gives what was opened its owner and mode. The order matters: a change
// of owner takes away set-id bits.
func (u *unpacker) settle(fd int, h *tar.Header) error {
	if err := syscall.Fchown(fd, u.target.UID, u.target.GID); err != nil {
		return err
	}
	return syscall.Fchmod(fd, uint32(h.Mode)&modeMax)
}

func (u *unpacker) file(dir *os.File, base string, h *tar.Header, body io.Reader) error {
	var fd int
	err := replacing(dir, base, func() (err error) {
		fd, err = syscall.Openat(int(dir.Fd()), base,
			syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW|syscall.O_CLOEXEC, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), base)
	defer file.Close()
	n, err := io.Copy(file, body)
	u.done.Bytes += n
	if err != nil {
		return broken(err)
	}
	return u.settle(fd, h)
}

// link makes a hard link to an earlier entry.
func (u *unpacker) link(dir *os.File, base, target string) error {
	name, err := entryName(target)
	if err != nil {
		return err
	}
	// A folder of its own: finding the target must not close this entry's.
	from, err := openBeneath(u.target.Path)
	if err != nil {
		return err
	}
	defer from.Close()
	targetDir, targetBase, err := from.parent(name, u.own)
	if err != nil {
		return err
	}
	err = replacing(dir, base, func() error { return linkAt(targetDir, targetBase, dir, base) })
	if err == nil {
		u.done.Files++
	}
	return err
}

// own gives an entry that was just made to its owner.
func (u *unpacker) own(dir *os.File, name string) error {
	return syscall.Fchownat(int(dir.Fd()), name, u.target.UID, u.target.GID, noFollow)
}

func (u *unpacker) touchFolders() error {
	for i := len(u.changed) - 1; i >= 0; i-- {
		f := u.changed[i]
		dir, base, err := u.inside.parent(f.name, u.own)
		if err != nil {
			return err
		}
		if err := touchAt(dir, base, f.changed); err != nil && err != syscall.ENOENT {
			return err
		}
	}
	return nil
}

// replacing makes an entry, and if the name is taken, once more without what
// took it. Folders stay.
func replacing(dir *os.File, name string, make func() error) error {
	err := make()
	if err != syscall.EEXIST {
		return err
	}
	if err := removeAt(dir, name); err == syscall.EISDIR {
		return syscall.EEXIST
	} else if err != nil {
		return err
	}
	return make()
}
