package h2

import "encoding/binary"

// What this server grants, and the most it puts up with. A stream's window is
// what a handler that never reads can make us hold; the connection's window is
// renewed on receipt, so that such a stream never starves the others.
const (
	streamsMax          = 256
	streamWindow        = 256 << 10
	connectionWindow    = 16 << 20
	frameSizeMax        = 1 << 20
	readBufferSize      = 64 << 10
	headerBlockMax      = 48 << 10
	headerStringMax     = 16 << 10
	defaultWindow       = 65535
	defaultFrameSizeMax = 16384
	windowMax           = 1<<31 - 1
)

// What waits to be written: senders of data pause at the first mark; a client
// that provokes answers beyond the second without reading them is cut off.
const (
	outboxBytesSoftMax = 64 << 10
	outboxBytesHardMax = 1 << 20
)

const (
	settingStreamsMax    = 0x3
	settingInitialWindow = 0x4
	settingFrameSizeMax  = 0x5
	settingHeaderListMax = 0x6
)

// greeting is the server's preface: its SETTINGS, and the wider connection
// window, which has no setting.
func greeting() []byte {
	var s []byte
	for _, setting := range [...]struct {
		id    uint16
		value uint32
	}{
		{settingStreamsMax, streamsMax},
		{settingInitialWindow, streamWindow},
		{settingFrameSizeMax, frameSizeMax},
		{settingHeaderListMax, headerBlockMax},
	} {
		s = append(s, byte(setting.id>>8), byte(setting.id))
		s = appendUint32(s, setting.value)
	}
	out := appendFrame(nil, frameSettings, 0, 0, s...)
	return appendWindowUpdate(out, 0, connectionWindow-defaultWindow)
}

func appendWindowUpdate(b []byte, stream uint32, n int) []byte {
	b = appendFrameHeader(b, frameHeader{4, frameWindowUpdate, 0, stream})
	return appendUint32(b, uint32(n))
}

// onSettings applies the client's SETTINGS and acknowledges them.
func (c *conn) onSettings(h frameHeader, payload []byte) error {
	if h.stream != 0 {
		return connectionError{codeProtocol, "SETTINGS on a stream"}
	}
	if h.has(flagAck) {
		return nil
	}
	if len(payload)%6 != 0 {
		return connectionError{codeFrameSize, "SETTINGS of odd size"}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; len(payload) > 0; payload = payload[6:] {
		value := binary.BigEndian.Uint32(payload[2:])
		switch binary.BigEndian.Uint16(payload) {
		case settingInitialWindow:
			if value > windowMax {
				return connectionError{codeFlowControl, "initial window too large"}
			}
			for _, s := range c.streams {
				s.sendWindow += int64(value) - c.peerWindow
			}
			c.peerWindow = int64(value)
		case settingFrameSizeMax:
			if value < defaultFrameSizeMax || value > 1<<24-1 {
				return connectionError{codeProtocol, "impossible frame size"}
			}
			c.peerFrameSize = int(value)
		}
	}
	c.out.room.Broadcast()
	return c.out.control(appendFrame(nil, frameSettings, flagAck, 0))
}
