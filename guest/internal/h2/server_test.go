package h2

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
)

// dial serves one connection and returns the client's end of it.
func dial(t *testing.T, handler Handler) (net.Conn, <-chan error) {
	t.Helper()
	host, guest := socketPair(t)
	ended := make(chan error, 1)
	go func() { ended <- Serve(NewReader(guest), guest, handler) }()
	return host, ended
}

// socketPair is used instead of net.Pipe, whose writes wait for their reads.
func socketPair(t *testing.T) (net.Conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	guest, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { host.Close(); guest.Close() })
	return host, guest
}

// client is the reference implementation, as a stranger to ours.
func client(t *testing.T, handler Handler) *http.Client {
	conn, _ := dial(t, handler)
	transport := &http2.Transport{
		AllowHTTP: true,
		DialTLSContext: func(context.Context, string, string, *tls.Config) (net.Conn, error) {
			return conn, nil
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 20 * time.Second}
}

func untilEnd(s *Stream) {
	end := make(chan struct{})
	s.OnEnd(func() { close(end) })
	<-end
}

func echo(s *Stream) {
	s.Respond(Header{Status: 200, ContentType: "text/plain", Length: -1})
	io.Copy(s, s)
}

func TestAnswersWhatWasAsked(t *testing.T) {
	c := client(t, func(s *Stream) {
		body := s.Method + " " + s.Path
		s.Respond(Header{Status: 404, ContentType: "text/plain", Length: int64(len(body))})
		s.Finish([]byte(body))
	})
	for i := 0; i < 3; i++ {
		r, err := c.Get("http://guest/v1/a?b=c")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil || string(body) != "GET /v1/a?b=c" || r.StatusCode != 404 {
			t.Fatalf("%d %q %v", r.StatusCode, body, err)
		}
		if r.Header.Get("Content-Type") != "text/plain" || r.ContentLength != 13 {
			t.Fatalf("%v", r.Header)
		}
	}
}

func TestCarriesLargeBodiesBothWaysAtOnce(t *testing.T) {
	c := client(t, echo)
	sent := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	var wait sync.WaitGroup
	for i := 0; i < 4; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r, err := c.Post("http://guest/", "text/plain", bytes.NewReader(sent))
			if err != nil {
				t.Error(err)
				return
			}
			got, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%d bytes back, %v", len(got), err)
			}
		}()
	}
	wait.Wait()
}

func TestEndsTheStreamOfAHandlerThatReadsNothing(t *testing.T) {
	c := client(t, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: -1})
		s.Finish([]byte("enough"))
	})
	for i := 0; i < 20; i++ {
		r, err := c.Post("http://guest/", "text/plain", strings.NewReader(strings.Repeat("x", 1<<20)))
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != "enough" {
			t.Fatalf("%q %v", body, err)
		}
	}
}

func TestAStreamNobodyReadsDoesNotStarveTheOthers(t *testing.T) {
	release := make(chan struct{})
	c := client(t, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: -1})
		if s.Path == "/stuck" {
			s.Write([]byte("x"))
			<-release
			return
		}
		io.Copy(s, s)
	})
	defer close(release)
	never, w := io.Pipe()
	defer w.Close()
	go func() {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	}()
	for i := 0; i < 8; i++ {
		if _, err := c.Post("http://guest/stuck", "text/plain", never); err != nil {
			t.Fatal(err)
		}
	}
	sent := bytes.Repeat([]byte("y"), 4<<20)
	r, err := c.Post("http://guest/", "text/plain", bytes.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}

func TestAResetReachesTheHandler(t *testing.T) {
	over := make(chan error, 1)
	c := client(t, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: -1})
		s.Write([]byte("x"))
		untilEnd(s)
		_, err := s.Read(make([]byte, 1))
		over <- err
	})
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", "http://guest/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(r); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-over; !errors.Is(err, errStreamOver) {
		t.Fatal(err)
	}
}

func TestAVanishedClientReachesTheHandler(t *testing.T) {
	over := make(chan struct{})
	conn, ended := dial(t, func(s *Stream) {
		untilEnd(s)
		close(over)
	})
	conn.Write(opening(appendFrame(nil, frameHeaders, flagEndHeaders, 1, getRoot...)))
	time.Sleep(10 * time.Millisecond)
	conn.Close()
	<-over
	if err := <-ended; err == nil {
		t.Fatal("not noticed")
	}
}

func TestAnswerThatFailsHalfWayIsNoAnswer(t *testing.T) {
	c := client(t, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: -1})
		s.Write([]byte("half"))
		s.Abort()
	})
	r, err := c.Get("http://guest/")
	if err == nil {
		_, err = io.ReadAll(r.Body)
	}
	if err == nil {
		t.Fatal("taken for a whole answer")
	}
}

func TestAHandlerThatSaysNothingIsAnError(t *testing.T) {
	c := client(t, func(s *Stream) {})
	if _, err := c.Get("http://guest/"); err == nil {
		t.Fatal("answered")
	}
}

func TestHeadersAndBodyLeaveInOneWrite(t *testing.T) {
	host, guest := socketPair(t)
	writes := make(chan int, 100)
	counted := &countingWriter{guest, writes}
	go Serve(NewReader(guest), counted, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: 2})
		s.Finish([]byte("ok"))
	})
	host.Write(opening(appendFrame(nil, frameSettings, flagAck, 0)))
	time.Sleep(50 * time.Millisecond)
	for len(writes) > 0 {
		<-writes
	}
	host.Write(appendFrame(nil, frameHeaders, flagEndHeaders|flagEndStream, 1, getRoot...))
	time.Sleep(50 * time.Millisecond)
	if n := len(writes); n == 0 || n > 2 {
		t.Fatalf("%d writes", n)
	}
}

type countingWriter struct {
	io.WriteCloser
	writes chan<- int
}

func (w *countingWriter) Write(b []byte) (int, error) {
	w.writes <- len(b)
	return w.WriteCloser.Write(b)
}

// getRoot is ":method: GET", ":scheme: http", ":path: /".
var getRoot = []byte{0x82, 0x86, 0x84}

// opening is a client's preface and SETTINGS, and what follows.
func opening(frames ...[]byte) []byte {
	b := appendFrame([]byte(preface), frameSettings, 0, 0)
	return append(b, bytes.Join(frames, nil)...)
}

func TestANewClientMayTakeTheLink(t *testing.T) {
	host, guest := socketPair(t)
	in := NewReader(guest)
	over := make(chan struct{}, 2)
	handler := func(s *Stream) { untilEnd(s); over <- struct{}{} }
	request := appendFrame(nil, frameHeaders, flagEndHeaders|flagEndStream, 1, getRoot...)
	host.Write(append(opening(request), opening(request)...))
	link := keepOpen{guest}
	if err := Serve(in, link, handler); err != ErrNewClient {
		t.Fatal(err)
	}
	<-over
	go Serve(in, link, handler)
	time.Sleep(20 * time.Millisecond)
	select {
	case <-over:
		t.Fatal("the new client's request ended")
	default:
	}
}

// keepOpen is a link that outlives its clients.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

func TestSkipsWhatAnEarlierClientLeft(t *testing.T) {
	left := "PRI * HTTP/2.0\r\n\r\nPPRI * HTT\x00\x01PRI"
	got := answers(t, []byte(left+string(opening())))
	if len(got) == 0 {
		t.Fatal("no greeting")
	}
}

// answers serves raw bytes and returns all frames of the answer.
func answers(t testing.TB, sent []byte) []frameHeader {
	var out bytes.Buffer
	Serve(NewReader(bytes.NewReader(sent)), keepOpen{&out}, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: -1})
		io.Copy(s, s)
	})
	var frames []frameHeader
	for b := out.Bytes(); len(b) >= headerSize; {
		h := parseFrameHeader(b)
		if len(b) < headerSize+h.length {
			t.Fatalf("half a frame: %v", h)
		}
		frames = append(frames, h)
		b = b[headerSize+h.length:]
	}
	return frames
}
