package h2

import (
	"bufio"
	"io"
)

// Reader reads a link ahead of the frame at hand.
type Reader struct {
	*bufio.Reader
	ahead ahead
}

// ahead bounds how far.
type ahead struct {
	link io.Reader
	most int // bytes of one read; 0 for as many as there is room for
}

// NewReader returns a reader fit for Serve.
func NewReader(link io.Reader) *Reader {
	r := &Reader{ahead: ahead{link: link}}
	r.Reader = bufio.NewReaderSize(&r.ahead, readBufferSize)
	return r
}

func (a *ahead) Read(b []byte) (int, error) {
	if a.most > 0 && len(b) > a.most {
		b = b[:a.most]
	}
	return a.link.Read(b)
}

// keepClose has the reader take frames' heads only while bodies go straight to
// where they belong: what is read with a head has to be copied there.
func (r *Reader) keepClose(close bool) {
	r.ahead.most = 0
	if close {
		r.ahead.most = headerSize
	}
}

// straight reads past the buffer, which must be empty.
func (r *Reader) straight(b []byte) (int, error) { return r.ahead.link.Read(b) }
