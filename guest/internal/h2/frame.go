package h2

import "encoding/binary"

// A frame is nine bytes of header and a payload:
//
//	+-----------------------------------------------+
//	| length (24) | type (8) | flags (8) | stream (32) |
//	+-----------------------------------------------+
const headerSize = 9

// Frame types the protocol defines; the others are skipped, as it asks.
const (
	frameData         = 0x0
	frameHeaders      = 0x1
	framePriority     = 0x2
	frameReset        = 0x3
	frameSettings     = 0x4
	framePushPromise  = 0x5
	framePing         = 0x6
	frameGoAway       = 0x7
	frameWindowUpdate = 0x8
	frameContinuation = 0x9
)

// Flags, each with a meaning for some types only.
const (
	flagAck        = 0x1
	flagEndStream  = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

// frameHeader is the decoded head of one frame.
type frameHeader struct {
	length int
	kind   byte
	flags  byte
	stream uint32
}

func (h frameHeader) has(flag byte) bool { return h.flags&flag != 0 }

func parseFrameHeader(b []byte) frameHeader {
	return frameHeader{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   b[3],
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31),
	}
}

func appendFrameHeader(b []byte, h frameHeader) []byte {
	b = append(b, byte(h.length>>16), byte(h.length>>8), byte(h.length), h.kind, h.flags)
	return appendUint32(b, h.stream)
}

func appendFrame(b []byte, kind, flags byte, stream uint32, payload ...byte) []byte {
	b = appendFrameHeader(b, frameHeader{len(payload), kind, flags, stream})
	return append(b, payload...)
}

func appendUint32(b []byte, v uint32) []byte {
	return append(b, byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// unpad strips the padding a DATA or HEADERS payload may carry.
func unpad(h frameHeader, payload []byte) ([]byte, error) {
	if !h.has(flagPadded) {
		return payload, nil
	}
	if len(payload) == 0 || int(payload[0]) >= len(payload) {
		return nil, connectionError{codeProtocol, "padding longer than its frame"}
	}
	return payload[1 : len(payload)-int(payload[0])], nil
}
