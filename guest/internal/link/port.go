package link

import (
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"luminaguard/guest/internal/h2"
	"luminaguard/guest/internal/quick"
)

// port is an open virtio-serial port.
//
// The driver has no notion of a connection: while no host is there, reads
// return 0 and poll reports a hang-up. It wakes the port's waiters when a host
// comes, so a read of 0 while none was there means "wait"; when one was, it
// means that the host is gone. Data does not tell: it comes by an interrupt,
// word of its sender by a work queue, so a new host's first bytes may be here
// before the driver knows of it. The port stays open in between: what the next
// host sends at once would be lost by a close.
type port struct {
	file *os.File
	raw  syscall.RawConn
	met  bool // the driver knows of a host, as far as we know
}

// chunkMax is how much one write takes; the driver would cut it there anyway.
const chunkMax = 32 << 10

// pageSize is how much the driver's buffers hold.
const pageSize = 4096

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

// client is the port as long as one host is served.
type client struct{ *port }

// Close ends writes that wait for a host that is gone.
func (c client) Close() error { return c.file.SetWriteDeadline(time.Unix(1, 0)) }

// servePort serves one host after another until the port itself breaks. A new
// host is told by its preface, so nothing is lost when it comes before its
// predecessor's end was noticed.
func servePort(device string, handler h2.Handler) error {
	fd, err := syscall.Open(device, syscall.O_RDWR|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: device, Err: err}
	}
	p := &port{file: os.NewFile(uintptr(fd), device)}
	defer p.file.Close()
	if p.raw, err = p.file.SyscallConn(); err != nil {
		return err
	}
	in := h2.NewReader(p)
	for {
		if err := p.file.SetWriteDeadline(time.Time{}); err != nil {
			return err
		}
		err := h2.Serve(in, client{p}, handler)
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return err
		}
		if err != io.EOF && err != h2.ErrNewClient {
			log.Printf("link: %v", err)
		}
	}
}

func (p *port) Read(b []byte) (n int, err error) {
	waitErr := p.raw.Read(func(fd uintptr) bool {
		n, err = readPages(int(fd), b)
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
		p.met = false
		return 0, io.EOF
	}
	return n, nil
}

// readPages reads until a page comes that is not full, and probably the last:
// the driver hands over one a call.
func readPages(fd int, b []byte) (got int, err error) {
	for got < len(b) {
		n, err := quick.Read(fd, b[got:])
		if err != nil && got == 0 {
			return 0, err
		}
		if got += n; n%pageSize != 0 || n == 0 {
			break
		}
	}
	return got, nil
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
			n, err = quick.Write(int(fd), chunk)
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
