// Package exec carries one command over one stream: frames in, frames out.
package exec

import (
	"encoding/binary"
	"errors"
	"io"
)

// A frame is one byte of type, four of length (big endian), and a payload.
const (
	headSize     = 5
	frameSizeMax = 1 << 20
)

// Frame types to the guest.
const (
	frameStart    = 0x00
	frameStdin    = 0x01
	frameStdinEnd = 0x02
	frameSignal   = 0x03
	frameResize   = 0x04
)

// Frame types to the host.
const (
	frameStarted = 0x10
	frameStdout  = 0x11
	frameStderr  = 0x12
	frameExit    = 0x13
	frameFailed  = 0x14
)

var errFrameTooLarge = errors.New("exec: frame too large")

// Body is a request's body, as it arrives.
type Body interface {
	// Next returns the next bytes, at most limit, and io.EOF after the last.
	Next(limit int) ([]byte, error)
}

// frameReader cuts a body into frames. Payloads are handed out in the pieces
// they arrive in, so a large one is never held as a whole.
type frameReader struct {
	body Body
	left int // of the current payload
}

// next skips what is left of a frame and reads the head of the one after. It
// returns io.EOF only between two frames.
func (r *frameReader) next() (kind byte, size int, err error) {
	for r.left > 0 {
		if _, err := r.piece(); err != nil {
			return 0, 0, err
		}
	}
	var head [headSize]byte
	for have := 0; have < headSize; {
		b, err := r.body.Next(headSize - have)
		if err != nil {
			if err == io.EOF && have > 0 {
				err = io.ErrUnexpectedEOF
			}
			return 0, 0, err
		}
		have += copy(head[have:], b)
	}
	size = int(binary.BigEndian.Uint32(head[1:]))
	if size > frameSizeMax {
		return 0, 0, errFrameTooLarge
	}
	r.left = size
	return head[0], size, nil
}

// piece returns the next part of the payload, valid until the next call.
func (r *frameReader) piece() ([]byte, error) {
	b, err := r.body.Next(r.left)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	r.left -= len(b)
	return b, err
}

// whole returns all of a small payload.
func (r *frameReader) whole() ([]byte, error) {
	var payload []byte
	for r.left > 0 {
		b, err := r.piece()
		if err != nil {
			return nil, err
		}
		payload = append(payload, b...)
	}
	return payload, nil
}

func putHead(head []byte, kind byte, size int) {
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(size))
}

func appendFrame(b []byte, kind byte, payload []byte) []byte {
	var head [headSize]byte
	putHead(head[:], kind, len(payload))
	return append(append(b, head[:]...), payload...)
}
