package h2

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// memory is a sink of bounded size, with room for some bytes at a time.
type memory struct {
	all []byte
	at  int
}

const memoryPart = 100_000

var errFull = errors.New("full")

func (m *memory) Room() ([]byte, error) {
	if m.at == len(m.all) {
		return nil, errFull
	}
	return m.all[m.at:least(m.at+memoryPart, len(m.all))], nil
}

func (m *memory) Filled(n int) { m.at += n }

func (m *memory) Write(b []byte) (int, error) {
	if len(b) > len(m.all)-m.at {
		return 0, errFull
	}
	m.at += copy(m.all[m.at:], b)
	return len(b), nil
}

func noise(size int) []byte {
	b := make([]byte, size)
	rand.New(rand.NewSource(int64(size))).Read(b)
	return b
}

func TestABodyIsWholeInItsSinkWhateverElseTheLinkCarries(t *testing.T) {
	c := client(t, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: -1})
		if s.Path == "/echo" {
			io.Copy(s, s)
			return
		}
		sink := &memory{all: make([]byte, s.Length)}
		if err := s.Fill(sink); err != nil || sink.at != len(sink.all) {
			s.Abort()
		}
		s.Write(sink.all)
	})
	var wait sync.WaitGroup
	for i, path := range []string{"/", "/echo", "/", "/echo"} {
		sent := noise(5<<20 + i)
		wait.Add(1)
		go func(path string) {
			defer wait.Done()
			r, err := c.Post("http://guest"+path, "text/plain", bytes.NewReader(sent))
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, sent) {
				t.Errorf("%s: %d bytes back, %v", path, len(got), err)
			}
		}(path)
	}
	wait.Wait()
}

func TestASinkThatFailsEndsOnlyItsStream(t *testing.T) {
	c := client(t, func(s *Stream) {
		err := s.Fill(&memory{all: make([]byte, 3*memoryPart)})
		if err != errFull {
			t.Error(err)
		}
		s.Respond(Header{Status: 507, Length: -1})
	})
	for i := 0; i < 5; i++ {
		r, err := c.Post("http://guest/", "text/plain", bytes.NewReader(noise(9<<20)))
		if err != nil || r.StatusCode != 507 {
			t.Fatal(r, err)
		}
		r.Body.Close()
	}
}

func TestLentBytesArriveWholeBesideOthers(t *testing.T) {
	lent := noise(3<<20 + 1)
	c := client(t, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: -1})
		if s.Path == "/lent" {
			s.Lend(lent)
		} else {
			s.Write(lent)
		}
	})
	var wait sync.WaitGroup
	for _, path := range []string{"/lent", "/", "/lent", "/"} {
		wait.Add(1)
		go func(path string) {
			defer wait.Done()
			r, err := c.Get("http://guest" + path)
			if err != nil {
				t.Error(err)
				return
			}
			if got, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(got, lent) {
				t.Errorf("%s: %d bytes, %v", path, len(got), err)
			}
		}(path)
	}
	wait.Wait()
}

func TestLentBytesOfAFileCutShortEndOnlyTheirStream(t *testing.T) {
	const size = 1 << 20
	file, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	c := client(t, func(s *Stream) {
		s.Respond(Header{Status: 200, Length: size})
		if s.Path == "/whole" {
			s.Finish(make([]byte, size))
			return
		}
		if err := file.Truncate(size); err != nil {
			t.Error(err)
		}
		shown, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			t.Error(err)
		}
		defer syscall.Munmap(shown)
		if err := file.Truncate(size / 3); err != nil {
			t.Error(err)
		}
		if err := s.Lend(shown); !errors.Is(err, syscall.EFAULT) {
			t.Error(err)
		}
		s.Abort()
	})
	for _, path := range []string{"/short", "/whole", "/short", "/whole"} {
		r, err := c.Get("http://guest" + path)
		var got []byte
		if err == nil {
			got, err = io.ReadAll(r.Body)
		}
		if whole := path == "/whole"; whole != (err == nil) || whole && len(got) != size {
			t.Fatalf("%s: %d bytes, %v", path, len(got), err)
		}
	}
}
