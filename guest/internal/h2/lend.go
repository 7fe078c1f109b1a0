package h2

import (
	"errors"
	"io"
	"syscall"
)

// lentBytesMax is how much one frame of lent bytes holds: the other streams
// wait as long as it takes to write.
const lentBytesMax = 256 << 10

// Lend sends bytes of the answer as they are in memory, without a copy. Only
// the kernel reads them: they may be part of a file, and fail as files do. They
// are the caller's again when it returns.
func (s *Stream) Lend(p []byte) error {
	for len(p) > 0 {
		n, err := s.lend(p)
		if err != nil {
			return err
		}
		p = p[n:]
	}
	return nil
}

// lend writes one frame itself, in the place of the one who drains the outbox.
func (s *Stream) lend(p []byte) (int, error) {
	c := s.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	for !s.over && (s.sendWindow <= 0 || c.sendWindow <= 0 || !c.out.idle()) {
		c.out.room.Wait()
	}
	if s.over || s.answerEnded {
		return 0, errStreamOver
	}
	n := least(least(len(p), c.peerFrameSize), lentBytesMax)
	n = int(least64(int64(n), least64(s.sendWindow, c.sendWindow)))
	s.sendWindow -= int64(n)
	c.sendWindow -= int64(n)
	c.out.writing = true
	c.mu.Unlock()
	err := writeLent(c.link, appendFrameHeader(nil, frameHeader{n, frameData, 0, s.id}), p[:n])
	c.mu.Lock()
	c.out.writing = false
	c.out.work.Signal()
	c.out.room.Broadcast()
	return n, err
}

// writeLent writes a frame. A payload that cannot be read is made up, as its
// frame has begun: whoever lent it ends the stream.
func writeLent(link io.WriteCloser, head, p []byte) error {
	sent := 0
	_, err := link.Write(head)
	if err == nil {
		sent, err = link.Write(p)
	}
	unreadable := err
	if errors.Is(err, syscall.EFAULT) {
		_, err = link.Write(make([]byte, len(p)-sent))
	}
	if err != nil {
		link.Close() // ends whoever reads it
		return err
	}
	return unreadable
}
