// Package h2 is the server's half of HTTP/2 with prior knowledge, on any byte
// stream. It has what one trusted, impatient client needs and no more: no
// push, no priorities, no trailers of its own. The standard server would do as
// well, but each instruction that runs for the first time in a cloned machine
// under emulation is dear, and this path is short.
package h2

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
)

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// farewellTimeout is how long a GOAWAY may take to leave.
const farewellTimeout = time.Second

// Handler answers one request, in a goroutine of its own. When it returns, the
// stream is ended.
type Handler func(*Stream)

// conn is one client's connection. One lock guards all of it: work under the
// lock is short, and streams that share a link share its fate anyway.
type conn struct {
	in      *Reader
	link    io.WriteCloser
	handler Handler
	decoder *hpack.Decoder
	request Request // the one being decoded

	mu            sync.Mutex
	out           outbox
	streams       map[uint32]*Stream
	lastStream    uint32
	sendWindow    int64
	peerWindow    int64
	peerFrameSize int
	received      int // bytes not yet granted again to the connection
	over          bool
}

// Serve answers one client until the link ends or the client breaks the
// protocol. By then every stream is over; handlers may still be cleaning up.
func Serve(in *Reader, link io.WriteCloser, handler Handler) error {
	c := &conn{
		in:            in,
		link:          link,
		handler:       handler,
		streams:       make(map[uint32]*Stream),
		sendWindow:    defaultWindow,
		peerWindow:    defaultWindow,
		peerFrameSize: defaultFrameSizeMax,
	}
	c.out.init(&c.mu)
	c.decoder = hpack.NewDecoder(4096, c.onField)
	c.decoder.SetMaxStringLength(headerStringMax)
	if err := c.readPreface(); err != nil {
		return err
	}
	c.out.pending = greeting()
	written := make(chan error, 1)
	go func() {
		err := c.out.drain(link)
		if err != nil {
			link.Close() // ends the read below
		}
		written <- err
	}()
	err := c.readFrames()
	return c.end(err, link, written)
}

// end tears the connection down and says why it ended.
func (c *conn) end(err error, link io.Closer, written <-chan error) error {
	c.mu.Lock()
	c.over = true
	for _, s := range c.streams {
		s.finish()
	}
	var broken connectionError
	if errors.As(err, &broken) {
		payload := appendUint32(appendUint32(nil, c.lastStream), uint32(broken.code))
		c.out.add(appendFrame(nil, frameGoAway, 0, 0, payload...))
	}
	c.out.closed = true
	c.out.work.Signal()
	c.out.room.Broadcast()
	c.mu.Unlock()
	if broken.reason == "" {
		link.Close()
	} else {
		defer time.AfterFunc(farewellTimeout, func() { link.Close() }).Stop()
	}
	if failed := <-written; failed != nil && err == nil {
		err = failed
	}
	return err
}

// readPreface waits for a client. What an earlier one left half said on a link
// that outlives its clients is skipped.
func (c *conn) readPreface() error {
	for {
		b, err := c.in.Peek(len(preface))
		if err != nil {
			return err
		}
		if string(b) == preface {
			_, err = c.in.Discard(len(preface))
			return err
		}
		skip := 1 + bytes.IndexByte(b[1:], preface[0])
		if skip == 0 {
			skip = len(b)
		}
		c.in.Discard(skip)
	}
}

// readFrames reads and applies frames until something ends the connection.
func (c *conn) readFrames() error {
	for {
		b, err := c.in.Peek(headerSize)
		if err != nil {
			return err
		}
		if string(b) == preface[:headerSize] {
			return ErrNewClient
		}
		h := parseFrameHeader(b)
		c.in.Discard(headerSize)
		err = c.onFrame(h)
		var local streamError
		if errors.As(err, &local) {
			err = c.reset(local.stream, local.code)
		}
		if err != nil {
			return err
		}
	}
}

// onFrame applies one frame. DATA is passed on as it arrives and HEADERS may
// continue in further frames; all else is small and read whole.
func (c *conn) onFrame(h frameHeader) error {
	if h.length > frameSizeMax {
		return connectionError{codeFrameSize, "frame too large"}
	}
	switch h.kind {
	case frameData:
		return c.onData(h)
	case frameHeaders:
		return c.onHeaders(h)
	}
	if h.length > headerBlockMax {
		return connectionError{codeFrameSize, "control frame too large"}
	}
	payload, err := c.in.Peek(h.length)
	if err != nil {
		return err
	}
	defer c.in.Discard(h.length)
	switch h.kind {
	case frameReset:
		return c.onReset(h, payload)
	case frameSettings:
		return c.onSettings(h, payload)
	case framePing:
		return c.onPing(h, payload)
	case frameWindowUpdate:
		return c.onWindowUpdate(h, payload)
	case frameContinuation, framePushPromise:
		return connectionError{codeProtocol, "frame out of place"}
	}
	return nil // PRIORITY, GOAWAY and the unknown ask nothing of us
}

func (c *conn) onPing(h frameHeader, payload []byte) error {
	if len(payload) != 8 || h.stream != 0 {
		return connectionError{codeFrameSize, "bad PING"}
	}
	if h.has(flagAck) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.control(appendFrame(nil, framePing, flagAck, 0, payload...))
}

func (c *conn) onReset(h frameHeader, payload []byte) error {
	if len(payload) != 4 {
		return connectionError{codeFrameSize, "bad RST_STREAM"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.stream == 0 || h.stream > c.lastStream {
		return connectionError{codeProtocol, "RST_STREAM on an idle stream"}
	}
	if s := c.streams[h.stream]; s != nil {
		s.finish()
	}
	return nil
}

// reset ends a stream from our side.
func (c *conn) reset(stream uint32, code faultCode) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.streams[stream]; s != nil {
		s.finish()
	}
	return c.out.control(appendReset(nil, stream, code))
}

func appendReset(b []byte, stream uint32, code faultCode) []byte {
	b = appendFrameHeader(b, frameHeader{4, frameReset, 0, stream})
	return appendUint32(b, uint32(code))
}
