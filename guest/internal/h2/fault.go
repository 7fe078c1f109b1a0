package h2

import (
	"errors"
	"fmt"
)

// faultCode is an error code as RST_STREAM and GOAWAY carry it.
type faultCode uint32

// The codes this server uses.
const (
	codeNo          faultCode = 0x0
	codeProtocol    faultCode = 0x1
	codeInternal    faultCode = 0x2
	codeFlowControl faultCode = 0x3
	codeFrameSize   faultCode = 0x6
	codeRefused     faultCode = 0x7
	codeCompression faultCode = 0x9
	codeCalm        faultCode = 0xb
)

// ErrNewClient says that a client began a new connection where a frame of the
// old one was due. Its preface is still unread: serve the same reader again.
var ErrNewClient = errors.New("h2: a new client took the link")

// errStreamOver is what handlers see once their stream was reset, by either
// side, or the connection ended.
var errStreamOver = errors.New("h2: the stream is over")

// connectionError ends the connection, with a GOAWAY that names it.
type connectionError struct {
	code   faultCode
	reason string
}

func (e connectionError) Error() string {
	return fmt.Sprintf("h2: connection error %d: %s", e.code, e.reason)
}

// streamError ends one stream and leaves the connection alone.
type streamError struct {
	stream uint32
	code   faultCode
}

func (e streamError) Error() string {
	return fmt.Sprintf("h2: stream %d: error %d", e.stream, e.code)
}
