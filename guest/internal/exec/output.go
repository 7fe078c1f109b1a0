package exec

import (
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"luminaguard/guest/internal/quick"
)

const (
	// outputChunk is how much one read of a command's output takes.
	outputChunk = 32 << 10
	// drainTimeout is how long output may stay open after its command ended,
	// in the hands of a grandchild.
	drainTimeout = 100 * time.Millisecond
	// drainBytesMax is what a pipe can hold: all that a command that has ended
	// can have left behind.
	drainBytesMax = 64 << 10
)

var chunks = sync.Pool{New: func() any {
	b := make([]byte, headSize+outputChunk)
	return &b
}}

// output sends frames of several sources, each frame whole.
type output struct {
	mu sync.Mutex
	to io.Writer

	pumps   sync.WaitGroup
	running atomic.Int32
}

// start carries one of the command's outputs to the host until its end.
func (o *output) start(kind byte, from *os.File) {
	o.pumps.Add(1)
	o.running.Add(1)
	go func() {
		defer o.pumps.Done()
		defer o.running.Add(-1)
		o.pump(kind, from)
	}()
}

// open reports whether an output has not ended yet. Usually all end with the
// command, and nobody has to set a clock.
func (o *output) open() bool { return o.running.Load() > 0 }

func (o *output) send(frame []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, err := o.to.Write(frame)
	return err
}

func (o *output) pump(kind byte, from *os.File) {
	chunk := chunks.Get().(*[]byte)
	defer chunks.Put(chunk)
	b := *chunk
	raw, err := from.SyscallConn()
	if err != nil {
		return
	}
	for {
		var n int
		var failed error
		err := raw.Read(func(fd uintptr) bool {
			n, failed = quick.Read(int(fd), b[headSize:])
			return failed != syscall.EAGAIN
		})
		if errors.Is(err, os.ErrDeadlineExceeded) {
			o.sweep(kind, from, b)
		}
		if err != nil || failed != nil || n == 0 || o.sendChunk(kind, b, n) != nil {
			return
		}
	}
}

// sweep takes what is left in a pipe whose time is up. A slow host may have
// used up the time alone, and then the command's own last words are in there.
func (o *output) sweep(kind byte, from *os.File, b []byte) {
	raw, err := from.SyscallConn()
	if err != nil || from.SetReadDeadline(time.Time{}) != nil {
		return
	}
	for swept := 0; swept < drainBytesMax; {
		var n int
		err := raw.Read(func(fd uintptr) bool {
			n, _ = syscall.Read(int(fd), b[headSize:])
			return true
		})
		if err != nil || n <= 0 || o.sendChunk(kind, b, n) != nil {
			return
		}
		swept += n
	}
}

func (o *output) sendChunk(kind byte, b []byte, n int) error {
	putHead(b, kind, n)
	return o.send(b[:headSize+n])
}
