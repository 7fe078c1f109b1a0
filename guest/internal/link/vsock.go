package link

import (
	"io"
	"log"
	"os"
	"syscall"
	"time"
	"unsafe"

	"luminaguard/guest/internal/h2"
)

const (
	vsockPort    = 1024
	afVsock      = 40
	cidAny       = 0xffffffff
	vsockBacklog = 8
)

// vsockAddress is struct sockaddr_vm, which the standard library lacks.
type vsockAddress struct {
	family   uint16
	reserved uint16
	port     uint32
	cid      uint32
	flags    uint8
	zero     [3]uint8
}

// listenVsock returns a listening socket, driven by the runtime's poller.
func listenVsock(port uint32) (*os.File, error) {
	fd, err := syscall.Socket(afVsock, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("vsock socket", err)
	}
	address := vsockAddress{family: afVsock, port: port, cid: cidAny}
	_, _, errno := syscall.Syscall(syscall.SYS_BIND, uintptr(fd),
		uintptr(unsafe.Pointer(&address)), unsafe.Sizeof(address))
	if errno == 0 {
		err = syscall.Listen(fd, vsockBacklog)
	} else {
		err = errno
	}
	if err != nil {
		syscall.Close(fd)
		return nil, os.NewSyscallError("vsock listen", err)
	}
	return os.NewFile(uintptr(fd), "vsock"), nil
}

// serveVsock serves every host that connects. A host that comes back may find
// its predecessor's connection not yet given up, so they are served side by
// side.
func serveVsock(port uint32, handler h2.Handler) error {
	listener, err := listenVsock(port)
	if err != nil {
		return err
	}
	for {
		conn, err := acceptVsock(listener)
		if err != nil {
			log.Printf("link: %v", err)
			time.Sleep(retryDelay)
			continue
		}
		go func() {
			defer conn.Close()
			if err := h2.Serve(h2.NewReader(conn), conn, handler); err != io.EOF {
				log.Printf("link: %v", err)
			}
		}()
	}
}

func acceptVsock(listener *os.File) (*os.File, error) {
	raw, err := listener.SyscallConn()
	if err != nil {
		return nil, err
	}
	var fd uintptr
	var errno syscall.Errno
	err = raw.Read(func(listening uintptr) bool {
		fd, _, errno = syscall.Syscall6(syscall.SYS_ACCEPT4, listening, 0, 0,
			syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0, 0)
		return errno != syscall.EAGAIN
	})
	if err != nil {
		return nil, err
	}
	if errno != 0 {
		return nil, os.NewSyscallError("vsock accept", errno)
	}
	return os.NewFile(fd, "vsock connection"), nil
}
