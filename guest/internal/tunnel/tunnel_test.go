package tunnel

import (
	"io"
	"net"
	"testing"
	"time"

	"luminaguard/guest/internal/problem"
)

// fakeStream is one end of a pipe that can be half closed.
type fakeStream struct {
	io.Reader
	io.Writer
	end   func()
	reset func()
	ready chan struct{}
}

func (s *fakeStream) Finish([]byte) error { s.end(); return nil }
func (s *fakeStream) OnEnd(f func())      { s.reset = f; close(s.ready) }

// join tunnels to a server and returns the host's writer and reader.
func join(t *testing.T, server func(*net.TCPConn)) (*io.PipeWriter, *io.PipeReader, *fakeStream, <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		if conn, err := l.Accept(); err == nil {
			server(conn.(*net.TCPConn))
		}
	}()
	conn, err := Dial(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &fakeStream{Reader: inR, Writer: outW, end: func() { outW.Close() }, ready: make(chan struct{})}
	ended := make(chan error, 1)
	go func() { ended <- Join(s, conn) }()
	return inW, outR, s, ended
}

func TestEachSideMayEndFirst(t *testing.T) {
	host, answer, _, ended := join(t, func(conn *net.TCPConn) {
		b, _ := io.ReadAll(conn) // until the host's half is closed
		conn.Write(append(b, '!'))
		conn.Close()
	})
	io.WriteString(host, "hello")
	host.Close()
	if b, err := io.ReadAll(answer); err != nil || string(b) != "hello!" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestAResetClosesTheConnection(t *testing.T) {
	closed := make(chan struct{})
	_, _, s, ended := join(t, func(conn *net.TCPConn) {
		io.ReadAll(conn)
		close(closed)
	})
	<-s.ready
	s.reset()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Fatal("still open")
	}
	if err := <-ended; err == nil {
		t.Fatal("taken for a proper end")
	}
}

func TestSaysWhatCannotBeReached(t *testing.T) {
	for address, code := range map[string]string{
		"127.0.0.1:1": "unreachable",
		"nonsense":    "bad-request",
	} {
		if _, err := Dial(address); err == nil || problem.From(err).Code != code {
			t.Errorf("%s: %v", address, err)
		}
	}
}
