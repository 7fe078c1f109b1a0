// Package link finds the machine's one byte channel to its host and hands out
// the connections that come over it, one after another or, on vsock, together.
package link

import (
	"errors"
	"io"
	"log"
	"time"

	"luminaguard/guest/internal/h2"
)

// Between failures the agent waits, longer each time, so that a channel that is
// broken for good does not eat the machine.
const (
	retryDelayMin = time.Millisecond
	retryDelayMax = time.Second
)

// Serve answers hosts for as long as the machine lives: on the virtio-serial
// port of the given name, or on vsock where there is no such port.
func Serve(name string, handler h2.Handler) error {
	device, err := findPort(name)
	if err == nil {
		return servePort(device, handler)
	}
	log.Printf("no virtio port %q (%v), trying vsock", name, err)
	listener, err := listenVsock(vsockPort)
	if err != nil {
		return err
	}
	return serveVsock(listener, handler)
}

// servePort serves the port again and again. Closing it drops what the last
// host left unread, which is why a lost host always means a close.
func servePort(device string, handler h2.Handler) error {
	delay := retryDelayMin
	for {
		began := time.Now()
		port, err := openPort(device)
		if err == nil {
			err = serveLink(port, handler)
			port.Close()
		}
		if !errors.Is(err, io.EOF) {
			log.Printf("link: %v", err)
		}
		if time.Since(began) > retryDelayMax {
			delay = retryDelayMin
		}
		time.Sleep(delay)
		if delay *= 2; delay > retryDelayMax {
			delay = retryDelayMax
		}
	}
}

// serveLink serves one link, and each new client that takes it over.
func serveLink(link io.ReadWriteCloser, handler h2.Handler) error {
	in := h2.NewReader(link)
	for {
		if err := h2.Serve(in, link, handler); !errors.Is(err, h2.ErrNewClient) {
			return err
		}
	}
}
