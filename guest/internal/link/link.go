// Package link finds the machine's one byte channel to its host and serves the
// hosts that come over it.
package link

import (
	"log"
	"time"

	"luminaguard/guest/internal/h2"
)

// retryDelay keeps a channel that is broken for good from eating the machine.
const retryDelay = 100 * time.Millisecond

// Serve answers hosts for as long as the machine lives: on the virtio-serial
// port of the given name, or on vsock where there is no such port.
func Serve(name string, handler h2.Handler) error {
	device, err := findPort(name)
	if err != nil {
		log.Printf("link: no virtio port %q (%v), trying vsock", name, err)
		return serveVsock(vsockPort, handler)
	}
	for {
		log.Printf("link: %v", servePort(device, handler))
		time.Sleep(retryDelay)
	}
}
