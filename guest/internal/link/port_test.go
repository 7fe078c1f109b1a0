package link

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// aFifo reads as a port does: 0 while nobody has it open for writing, EAGAIN
// while somebody has who said nothing.
func aFifo(t *testing.T) (reader int, name string) {
	name = filepath.Join(t.TempDir(), "port")
	if err := syscall.Mkfifo(name, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := syscall.Open(name, syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(reader) })
	return reader, name
}

// waits is a RawConn on a descriptor. Where the poller would be asked to wait,
// the next of the given things happens.
type waits struct {
	fd     int
	events []func()
}

func (w *waits) Read(f func(uintptr) bool) error {
	for !f(uintptr(w.fd)) {
		if len(w.events) == 0 {
			return os.ErrDeadlineExceeded
		}
		w.events[0]()
		w.events = w.events[1:]
	}
	return nil
}

func (w *waits) Write(func(uintptr) bool) error { panic("not written to") }
func (w *waits) Control(func(uintptr)) error    { panic("not controlled") }
func (w *waits) expectAll(t *testing.T)         { t.Helper(); expect(t, len(w.events), 0) }
func expect(t *testing.T, got, want any) {
	t.Helper()
	if got != want {
		t.Fatalf("%v, not %v", got, want)
	}
}

func writer(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestDataThatComesBeforeWordOfItsHostIsNotTheEndOfAHost(t *testing.T) {
	fd, name := aFifo(t)
	say := func(text string) { w := writer(t, name); w.WriteString(text); w.Close() }
	say("first")
	link := &waits{fd: fd, events: []func(){func() { say("second") }}}
	p := &port{raw: link}
	b := make([]byte, 16)
	n, err := p.Read(b)
	expect(t, string(b[:n]), "first")
	expect(t, err, nil)
	n, err = p.Read(b)
	expect(t, string(b[:n]), "second")
	expect(t, err, nil)
	link.expectAll(t)
}

func TestAHostThatWasThereAndLeavesIsTheEnd(t *testing.T) {
	fd, name := aFifo(t)
	host := writer(t, name)
	host.WriteString("x")
	link := &waits{fd: fd, events: []func(){func() { host.Close() }}}
	p := &port{raw: link}
	b := make([]byte, 16)
	n, err := p.Read(b)
	expect(t, n, 1)
	expect(t, err, nil)
	_, err = p.Read(b)
	expect(t, err, io.EOF)
	link.expectAll(t)
	_, err = p.Read(b)
	expect(t, err, os.ErrDeadlineExceeded) // waits for the next
}

func TestReadingTakesAllThatLiesReady(t *testing.T) {
	fd, name := aFifo(t)
	w := writer(t, name)
	defer w.Close()
	w.Write(make([]byte, 3*pageSize))
	p := &port{raw: &waits{fd: fd}}
	n, err := p.Read(make([]byte, 4*pageSize))
	expect(t, n, 3*pageSize)
	expect(t, err, nil)
}
