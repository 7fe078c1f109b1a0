// Package tunnel joins a stream to a TCP connection inside the machine.
package tunnel

import (
	"io"
	"net"
	"time"

	"luminaguard/guest/internal/problem"
)

const dialTimeout = 10 * time.Second

// Stream is the part of an HTTP/2 stream that a tunnel needs.
type Stream interface {
	io.ReadWriter
	Finish([]byte) error
	OnEnd(func())
}

// Dial connects to an address of the form host:port.
func Dial(address string) (*net.TCPConn, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, problem.BadRequest("%s", err)
	}
	conn, err := net.DialTimeout("tcp", address, dialTimeout)
	if err != nil {
		return nil, problem.Unreachable(err)
	}
	return conn.(*net.TCPConn), nil
}

// Join carries bytes both ways until both sides have ended, or either broke.
func Join(stream Stream, conn *net.TCPConn) error {
	defer conn.Close()
	stream.OnEnd(func() { conn.Close() })
	inbound := make(chan error, 1)
	go func() {
		_, err := io.Copy(conn, stream)
		if err == nil {
			err = conn.CloseWrite()
		}
		inbound <- err
	}()
	if _, err := io.Copy(stream, conn); err != nil {
		return err
	}
	if err := stream.Finish(nil); err != nil {
		return err
	}
	return <-inbound
}
