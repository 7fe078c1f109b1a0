package h2

import (
	"encoding/binary"
	"runtime"
)

// Write sends bytes of the answer, waiting for the client's windows and for
// room in the outbox.
func (s *Stream) Write(p []byte) (int, error) {
	for sent := 0; sent < len(p); {
		n, err := s.send(p[sent:], false)
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return len(p), nil
}

// Finish sends the last bytes of the answer and ends it. What the caller does
// afterwards is not on the client's time: the writer goes first.
func (s *Stream) Finish(p []byte) error {
	for {
		n, err := s.send(p, true)
		if err != nil {
			return err
		}
		if n == len(p) {
			runtime.Gosched()
			return nil
		}
		p = p[n:]
	}
}

// send queues one DATA frame with as much of p as may leave now. The frame
// ends the stream if it is the last and holds all of p.
func (s *Stream) send(p []byte, last bool) (int, error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 && !s.over && (s.sendWindow <= 0 || c.sendWindow <= 0 || c.out.full()) {
		c.out.room.Wait()
	}
	if s.over || s.answerEnded {
		return 0, errStreamOver
	}
	n := len(p)
	if n > 0 {
		n = least(n, c.peerFrameSize)
		n = least(n, outboxBytesSoftMax)
		n = int(least64(int64(n), least64(s.sendWindow, c.sendWindow)))
	}
	s.sendWindow -= int64(n)
	c.sendWindow -= int64(n)
	var flags byte
	if last && n == len(p) {
		flags = flagEndStream
		s.answerEnded = true
	}
	c.out.pending = appendFrameHeader(c.out.pending, frameHeader{n, frameData, flags, s.id})
	c.out.add(p[:n])
	return n, nil
}

// Flushed waits until all that was answered so far has left the machine, for
// the one handler that ends it.
func (s *Stream) Flushed() {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for !s.over && !c.out.idle() {
		c.out.room.Wait()
	}
}

// onWindowUpdate lets senders go on.
func (c *conn) onWindowUpdate(h frameHeader, payload []byte) error {
	if len(payload) != 4 {
		return connectionError{codeFrameSize, "bad WINDOW_UPDATE"}
	}
	n := int64(binary.BigEndian.Uint32(payload) &^ (1 << 31))
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.stream == 0 {
		c.sendWindow += n
		if n == 0 || c.sendWindow > windowMax {
			return connectionError{codeFlowControl, "impossible connection window"}
		}
	} else if s := c.streams[h.stream]; s != nil {
		s.sendWindow += n
		if n == 0 || s.sendWindow > windowMax {
			s.finish()
			return c.out.control(appendReset(nil, h.stream, codeFlowControl))
		}
	}
	c.out.room.Broadcast()
	return nil
}
