package h2

import (
	"strconv"

	"golang.org/x/net/http2/hpack"
)

// Request is what a client asked: the pseudo-header fields and the length of
// the body. No operation of the wire protocol needs another field.
type Request struct {
	Method    string
	Path      string
	Authority string
	Length    int64 // of the body, if the client said; else negative

	malformed bool
	regular   bool // a regular field was seen, so no pseudo field may follow
}

// onField takes one decoded header field.
func (c *conn) onField(f hpack.HeaderField) {
	r := &c.request
	if len(f.Name) == 0 || f.Name[0] != ':' {
		r.regular = true
		if f.Name == "content-length" {
			r.setLength(f.Value)
		}
		return
	}
	var field *string
	switch f.Name {
	case ":method":
		field = &r.Method
	case ":path":
		field = &r.Path
	case ":authority":
		field = &r.Authority
	case ":scheme":
		return
	}
	if field == nil || *field != "" || r.regular {
		r.malformed = true
		return
	}
	*field = f.Value
}

func (r *Request) setLength(value string) {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n < 0 || r.Length >= 0 {
		r.malformed = true
		return
	}
	r.Length = n
}

func (r *Request) valid() bool {
	if r.malformed || r.Method == "" {
		return false
	}
	if r.Method == "CONNECT" {
		return r.Authority != "" && r.Path == ""
	}
	return r.Path != ""
}

// onHeaders opens a stream, or ends one whose client sent trailers.
func (c *conn) onHeaders(h frameHeader) error {
	if h.stream%2 == 0 {
		return connectionError{codeProtocol, "HEADERS on a server's stream"}
	}
	if h.length > headerBlockMax {
		return connectionError{codeCalm, "header block too large"}
	}
	payload, err := c.in.Peek(h.length)
	if err != nil {
		return err
	}
	block, err := unpad(h, payload)
	if err != nil {
		return err
	}
	if h.has(flagPriority) {
		if len(block) < 5 {
			return connectionError{codeFrameSize, "HEADERS without its priority"}
		}
		block = block[5:]
	}
	c.request = Request{Length: -1}
	_, err = c.decoder.Write(block)
	c.in.Discard(h.length)
	if err != nil {
		return connectionError{codeCompression, err.Error()}
	}
	if !h.has(flagEndHeaders) {
		if err := c.readContinuation(h.stream, len(block)); err != nil {
			return err
		}
	}
	if err := c.decoder.Close(); err != nil {
		return connectionError{codeCompression, err.Error()}
	}
	return c.open(h)
}

// readContinuation reads the rest of a header block.
func (c *conn) readContinuation(stream uint32, size int) error {
	for {
		b, err := c.in.Peek(headerSize)
		if err != nil {
			return err
		}
		h := parseFrameHeader(b)
		if h.kind != frameContinuation || h.stream != stream {
			return connectionError{codeProtocol, "header block interrupted"}
		}
		if size += h.length; size > headerBlockMax {
			return connectionError{codeCalm, "header block too large"}
		}
		c.in.Discard(headerSize)
		block, err := c.in.Peek(h.length)
		if err != nil {
			return err
		}
		_, err = c.decoder.Write(block)
		c.in.Discard(h.length)
		if err != nil {
			return connectionError{codeCompression, err.Error()}
		}
		if h.has(flagEndHeaders) {
			return nil
		}
	}
}

// open starts the stream of the request just decoded.
func (c *conn) open(h frameHeader) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if h.stream <= c.lastStream {
		if s := c.streams[h.stream]; s != nil {
			s.requestEnded = true
			s.arrived.Signal()
		}
		return nil
	}
	c.lastStream = h.stream
	if len(c.streams) >= streamsMax {
		return c.out.control(appendReset(nil, h.stream, codeRefused))
	}
	if !c.request.valid() {
		return c.out.control(appendReset(nil, h.stream, codeProtocol))
	}
	s := newStream(c, h.stream, c.request)
	s.requestEnded = h.has(flagEndStream)
	c.streams[h.stream] = s
	go s.run()
	return nil
}
