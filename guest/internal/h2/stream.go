package h2

import (
	"strconv"
	"sync"
)

// Stream is one request and its answer. Its methods may be called from any
// goroutine, but reads from one at a time, and writes of one answer likewise.
type Stream struct {
	Request

	conn *conn
	id   uint32

	// Guarded by the connection's lock.
	arrived      sync.Cond // more of the request is there, or will never be
	inbox        []byte    // arrived, not yet taken
	window       int       // what the client may still send
	consumed     int       // what was taken and not yet granted again
	requestEnded bool
	sendWindow   int64
	answered     bool // response headers are queued
	answerEnded  bool
	over         bool // reset by either side, or the connection ended
	onEnd        func()
	sink         Sink  // where what arrives goes instead
	failed       error // why it could not

	taken []byte // the reader's part of what arrived; only it looks here
	spare []byte
}

func newStream(c *conn, id uint32, r Request) *Stream {
	s := &Stream{
		Request:    r,
		conn:       c,
		id:         id,
		window:     streamWindow,
		sendWindow: c.peerWindow,
	}
	s.arrived.L = &c.mu
	return s
}

// OnEnd has f called, in a goroutine of its own, if the client resets the
// stream or the connection ends before the handler returned.
func (s *Stream) OnEnd(f func()) {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.over {
		go f()
	} else {
		s.onEnd = f
	}
}

// run calls the handler and then ends whatever the handler left open.
func (s *Stream) run() {
	s.conn.handler(s)
	if s.answered {
		s.Finish(nil)
	} else {
		s.Abort()
	}
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if !s.over && !s.requestEnded {
		// The answer is complete; the rest of the request is not wanted.
		c.out.add(appendReset(nil, s.id, codeNo))
	}
	s.onEnd = nil
	s.finish()
	delete(c.streams, s.id)
}

// finish marks the stream as over and wakes everyone who waits on it. The
// caller holds the lock.
func (s *Stream) finish() {
	if s.over {
		return
	}
	s.over = true
	if s.onEnd != nil {
		go s.onEnd()
	}
	s.arrived.Broadcast()
	s.conn.out.room.Broadcast()
}

// Abort ends the stream with an error, for answers that fail half way.
func (s *Stream) Abort() {
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.over || s.answerEnded {
		return
	}
	s.conn.out.add(appendReset(nil, s.id, codeInternal))
	s.finish()
}

// Header is the head of an answer.
type Header struct {
	Status      int
	ContentType string // left out when empty
	Length      int64  // left out when negative
}

// Field indexes of the static table of RFC 7541.
const (
	indexStatus        = 8
	indexContentLength = 28
	indexContentType   = 31
)

// Respond queues the head of the answer; it leaves with the first bytes of the
// body, or when nothing else is to do.
func (s *Stream) Respond(h Header) {
	// Every field is sent as a literal without indexing: no state to keep.
	var block []byte
	if h.Status == 200 {
		block = append(block, 0x80|indexStatus)
	} else {
		block = appendField(block, indexStatus, strconv.Itoa(h.Status))
	}
	if h.ContentType != "" {
		block = appendField(block, indexContentType, h.ContentType)
	}
	if h.Length >= 0 {
		block = appendField(block, indexContentLength, strconv.FormatInt(h.Length, 10))
	}
	s.conn.mu.Lock()
	defer s.conn.mu.Unlock()
	if s.over || s.answered {
		return
	}
	s.answered = true
	s.conn.out.add(appendFrame(nil, frameHeaders, flagEndHeaders, s.id, block...))
}

// appendField writes a literal header field whose name is in the static table.
// Values are short: their length fits the seven-bit prefix.
func appendField(b []byte, index int, value string) []byte {
	const prefixMax = 15
	if index < prefixMax {
		b = append(b, byte(index))
	} else {
		b = append(b, prefixMax, byte(index-prefixMax))
	}
	b = append(b, byte(len(value)))
	return append(b, value...)
}
