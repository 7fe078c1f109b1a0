package h2

import "io"

// onData hands a DATA frame's payload to its stream piece by piece, as it
// arrives: a frame may be larger than any buffer here.
func (c *conn) onData(h frameHeader) error {
	s, err := c.admit(h)
	if err != nil {
		return err
	}
	data, padding := h.length, 0
	if h.has(flagPadded) {
		b, err := c.in.ReadByte()
		if err != nil {
			return err
		}
		if padding = int(b); padding >= h.length {
			return connectionError{codeProtocol, "padding longer than its frame"}
		}
		data -= 1 + padding
	}
	for data > 0 {
		n, err := c.passOn(s, data)
		if err != nil {
			return err
		}
		data -= n
	}
	if _, err := c.in.Discard(padding); err != nil {
		return err
	}
	return c.settle(h, s, padding)
}

// admit charges a DATA frame to both windows and finds its stream, which is
// nil when it is over and what still comes for it is dropped.
func (c *conn) admit(h frameHeader) (*Stream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.stream == 0 || h.stream > c.lastStream {
		return nil, connectionError{codeProtocol, "DATA on an idle stream"}
	}
	if h.has(flagPadded) && h.length == 0 {
		return nil, connectionError{codeFrameSize, "padded DATA without its padding"}
	}
	if c.received += h.length; c.received > connectionWindow {
		return nil, connectionError{codeFlowControl, "connection window overrun"}
	}
	s := c.streams[h.stream]
	if s == nil || s.over {
		return nil, nil
	}
	if s.requestEnded {
		return nil, connectionError{codeProtocol, "DATA after the end"}
	}
	if s.window -= h.length; s.window < 0 {
		return nil, connectionError{codeFlowControl, "stream window overrun"}
	}
	return s, nil
}

func (c *conn) deliver(s *Stream, b []byte) {
	if s == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case s.over:
	case s.sink != nil:
		s.consumed += len(b)
		if _, err := s.sink.Write(b); err != nil {
			s.fail(err)
		}
	default:
		s.inbox = append(s.inbox, b...)
		s.arrived.Signal()
	}
}

// settle closes the books on one DATA frame.
func (c *conn) settle(h frameHeader, s *Stream, padding int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != nil {
		if h.has(flagPadded) {
			s.consumed += 1 + padding
		}
		if h.has(flagEndStream) {
			s.requestEnded = true
			s.arrived.Signal()
		}
		if s.sink != nil {
			s.grant(sinkWindow / 2)
		}
	}
	c.in.keepClose(s != nil && s.sink != nil && !s.requestEnded)
	if c.received < connectionWindow/2 {
		return nil
	}
	n := c.received
	c.received = 0
	return c.out.control(appendWindowUpdate(nil, 0, n))
}

// Next returns the next bytes of the request, at most limit, and io.EOF after
// the last. They stay valid until the next call.
func (s *Stream) Next(limit int) ([]byte, error) {
	if len(s.taken) == 0 {
		if err := s.take(); err != nil {
			return nil, err
		}
	}
	n := least(limit, len(s.taken))
	b := s.taken[:n]
	s.taken = s.taken[n:]
	return b, nil
}

// Read makes the request's body an io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	b, err := s.Next(len(p))
	return copy(p, b), err
}

// WriteTo lets io.Copy pass on what arrived as it is.
func (s *Stream) WriteTo(w io.Writer) (written int64, err error) {
	for {
		b, err := s.Next(streamWindow)
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := w.Write(b)
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
}

// take swaps the full inbox for the emptied one, so that bytes are copied once
// on their way in, and lets the client send as many again.
func (s *Stream) take() error {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(s.inbox) == 0 && !s.requestEnded && !s.over {
		s.arrived.Wait()
	}
	if s.over {
		return errStreamOver
	}
	if len(s.inbox) == 0 {
		return io.EOF
	}
	s.taken, s.inbox, s.spare = s.inbox, s.spare[:0], s.inbox
	s.consumed += len(s.taken)
	s.grant(streamWindow / 2)
	return nil
}

// grant lets the client send again what was taken, once that is much. The
// caller holds the lock.
func (s *Stream) grant(much int) {
	if s.consumed < much || s.requestEnded {
		return
	}
	s.conn.out.add(appendWindowUpdate(nil, s.id, s.consumed))
	s.window += s.consumed
	s.consumed = 0
}

func least(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func least64(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
