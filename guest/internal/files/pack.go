package files

import (
	"archive/tar"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"luminaguard/guest/internal/problem"
)

// packer writes one tree as a tar stream.
type packer struct {
	out     *tar.Writer
	foreign mountKinds
	chunk   []byte
}

const packChunk = 64 << 10

// CheckFolder checks that a path is a folder that can be packed.
func CheckFolder(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return problem.NotAFolder(path)
	}
	return nil
}

// Pack writes the tree below a folder: sorted, relative to it, without the
// folder itself. Files that change meanwhile are cut or padded to the size
// they had, files that vanish are left out.
func Pack(root string, to io.Writer) error {
	p := &packer{out: tar.NewWriter(to), foreign: mountKinds{}, chunk: make([]byte, packChunk)}
	if err := p.folder(root, ""); err != nil {
		return err
	}
	return p.out.Close()
}

func (p *packer) folder(path, name string) error {
	entries, err := os.ReadDir(path) // sorted
	if err != nil {
		return vanished(err)
	}
	for _, e := range entries {
		if err := p.entry(filepath.Join(path, e.Name()), name+e.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (p *packer) entry(path, name string) error {
	var stat syscall.Stat_t
	if err := syscall.Lstat(path, &stat); err != nil {
		return vanished(err)
	}
	h := &tar.Header{
		Name:    name,
		Mode:    int64(stat.Mode & modeMax),
		Uid:     int(stat.Uid),
		Gid:     int(stat.Gid),
		ModTime: time.Unix(stat.Mtim.Unix()).Truncate(time.Second),
		Format:  tar.FormatPAX,
	}
	switch stat.Mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		if err := p.out.WriteHeader(h); err != nil {
			return err
		}
		if p.foreign.kernelMade(path, uint64(stat.Dev)) {
			return nil
		}
		return p.folder(path, h.Name)
	case syscall.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return vanished(err)
		}
		h.Typeflag, h.Linkname = tar.TypeSymlink, target
		return p.out.WriteHeader(h)
	case syscall.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, stat.Size
		return p.file(path, h)
	}
	return nil // sockets, devices and pipes mean nothing elsewhere
}

func (p *packer) file(path string, h *tar.Header) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return vanished(err)
	}
	defer file.Close()
	if err := p.out.WriteHeader(h); err != nil {
		return err
	}
	left := h.Size
	for left > 0 {
		want := p.chunk
		if int64(len(want)) > left {
			want = want[:left]
		}
		n, err := file.Read(want)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if _, err := p.out.Write(want[:n]); err != nil {
			return err
		}
		left -= int64(n)
	}
	return p.pad(left)
}

func (p *packer) pad(left int64) error {
	if left == 0 {
		return nil
	}
	_, err := io.CopyN(p.out, zeros{}, left)
	return err
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 0
	}
	return len(b), nil
}

// vanished forgives an entry that went away while the tree was walked, or was
// replaced by something that is not followed.
func vanished(err error) error {
	p := problem.From(err)
	if p.Code == "not-found" || p.Code == "denied" {
		return nil
	}
	return err
}
