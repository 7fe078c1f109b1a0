package link

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// port is one opening of a virtio-serial port.
//
// The driver has no notion of a connection: while no host is there, reads
// return 0 and poll reports a hang-up. It wakes the port's waiters when a host
// comes, so a read of 0 before the first host means "wait", not "end"; after
// it, the same 0 means that the host is gone.
type port struct {
	file *os.File
	raw  syscall.RawConn
	met  bool // a host was there since the port was opened
}

// chunkMax is how much one write takes; the driver would cut it there anyway.
const chunkMax = 32 << 10

// findPort looks for a port by the name its host gave it. There is no udev to
// make the usual links.
func findPort(name string) (string, error) {
	const class = "/sys/class/virtio-ports"
	entries, err := os.ReadDir(class)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(class, e.Name(), "name"))
		if err == nil && strings.TrimSpace(string(b)) == name {
			return filepath.Join("/dev", e.Name()), nil
		}
	}
	return "", fmt.Errorf("%w in %s", os.ErrNotExist, class)
}

func openPort(device string) (*port, error) {
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: device, Err: err}
	}
	file := os.NewFile(uintptr(fd), device)
	raw, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, err
	}
	return &port{file: file, raw: raw}, nil
}

func (p *port) Read(b []byte) (n int, err error) {
	waitErr := p.raw.Read(func(fd uintptr) bool {
		n, err = ignoringEINTR(syscall.Read, int(fd), b)
		if err == syscall.EAGAIN {
			p.met = true // without a host it would have been 0
			return false
		}
		return n != 0 || err != nil || p.met
	})
	if waitErr != nil {
		return 0, waitErr
	}
	if err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	p.met = true
	return n, nil
}

func (p *port) Write(b []byte) (int, error) {
	for sent := 0; sent < len(b); {
		chunk := b[sent:]
		if len(chunk) > chunkMax {
			chunk = chunk[:chunkMax]
		}
		var n int
		var err error
		waitErr := p.raw.Write(func(fd uintptr) bool {
			n, err = ignoringEINTR(syscall.Write, int(fd), chunk)
			return err != syscall.EAGAIN
		})
		if waitErr != nil {
			return sent, waitErr
		}
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return len(b), nil
}

func (p *port) Close() error { return p.file.Close() }

func ignoringEINTR(call func(int, []byte) (int, error), fd int, b []byte) (int, error) {
	for {
		n, err := call(fd, b)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
