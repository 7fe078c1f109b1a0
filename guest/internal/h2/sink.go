package h2

import (
	"errors"
	"io"
	"syscall"
)

// Sink takes a request's body as it arrives, on the goroutine that reads the
// link: what it does must not wait.
type Sink interface {
	// Write takes bytes that were read together with something else.
	io.Writer
	// Room is memory that the next bytes are read into, by the kernel and not
	// by us: it may be part of a file, and fail as files do. There is some, or
	// an error.
	Room() ([]byte, error)
	// Filled says how much of that memory was.
	Filled(n int)
}

// sinkWindow is what a client may send ahead to a stream that has a sink,
// where nothing of it has to be held.
const sinkWindow = 4 << 20

// Fill has the rest of the request's body go to a sink, and returns when it is
// there or cannot be. The sink is not used afterwards.
func (s *Stream) Fill(sink Sink) error {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, early := range [][]byte{s.taken, s.inbox} {
		if _, err := sink.Write(early); err != nil {
			return err
		}
	}
	s.consumed += len(s.inbox)
	s.taken, s.inbox = nil, s.inbox[:0]
	s.sink = sink
	if !s.requestEnded {
		s.window += sinkWindow
		c.out.add(appendWindowUpdate(nil, s.id, sinkWindow))
	}
	// Each of these is set by the goroutine that uses the sink, so it is not at
	// it when this one goes on.
	for !s.requestEnded && !s.over && s.failed == nil {
		s.arrived.Wait()
	}
	s.sink = nil
	if s.over {
		return errStreamOver
	}
	return s.failed
}

// passOn reads a part of a DATA frame's payload, of which some is left, to
// where it belongs, and says how much.
func (c *conn) passOn(s *Stream, left int) (int, error) {
	c.mu.Lock()
	straight := s != nil && s.sink != nil && c.in.Buffered() == 0
	c.mu.Unlock()
	if straight {
		return c.readStraight(s, left)
	}
	if _, err := c.in.Peek(1); err != nil {
		return 0, err
	}
	piece := least(c.in.Buffered(), left)
	b, err := c.in.Peek(piece)
	if err != nil {
		return 0, err
	}
	c.deliver(s, b)
	_, err = c.in.Discard(piece)
	return piece, err
}

func (c *conn) readStraight(s *Stream, left int) (int, error) {
	room, failed := s.sink.Room()
	n := 0
	if failed == nil {
		var err error
		n, err = c.in.straight(room[:least(len(room), left)])
		if err != nil && !errors.Is(err, syscall.EFAULT) {
			return 0, err
		}
		failed = err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if failed != nil {
		s.fail(failed)
		return 0, nil
	}
	s.sink.Filled(n)
	s.consumed += n
	return n, nil
}

// fail gives a sink up. The caller holds the lock.
func (s *Stream) fail(err error) {
	s.failed, s.sink = err, nil
	s.arrived.Signal()
}
