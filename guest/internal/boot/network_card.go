package boot

import (
	"errors"
	"os"
	"syscall"
	"unsafe"
)

// The one network that a machine can have a card in: a hypervisor's own, with
// fixed addresses (QEMU's invocation manual, "-netdev user").
var (
	cardAddress = [4]byte{10, 0, 2, 15}
	cardNetmask = [4]byte{255, 255, 255, 0}
	gateway     = [4]byte{10, 0, 2, 2}
)

const (
	cardName = "eth0"
	resolver = "nameserver 10.0.2.3\n"
)

// addressRequest is struct ifreq with an address in its union.
type addressRequest struct {
	name    [syscall.IFNAMSIZ]byte
	address inetAddress
	_       [8]byte
}

// inetAddress is struct sockaddr_in.
type inetAddress struct {
	family  uint16
	port    uint16
	address [4]byte
	_       [8]byte
}

// route is struct rtentry of 64-bit kernels.
type route struct {
	_           uint64
	destination inetAddress
	gateway     inetAddress
	netmask     inetAddress
	flags       uint16
	_           [62]byte
}

func inet(address [4]byte) inetAddress {
	return inetAddress{family: syscall.AF_INET, address: address}
}

// networkCardUp gives the card its address, where the machine has one.
func networkCardUp() error {
	if _, err := os.Stat("/sys/class/net/" + cardName); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer syscall.Close(fd)
	address := addressRequest{address: inet(cardAddress)}
	netmask := addressRequest{address: inet(cardNetmask)}
	up := interfaceRequest{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	for _, name := range []*[syscall.IFNAMSIZ]byte{&address.name, &netmask.name, &up.name} {
		copy(name[:], cardName)
	}
	way := route{
		destination: inet([4]byte{}),
		gateway:     inet(gateway),
		netmask:     inet([4]byte{}),
		flags:       syscall.RTF_UP | syscall.RTF_GATEWAY,
	}
	for _, step := range []struct {
		what     string
		request  uintptr
		argument unsafe.Pointer
	}{
		{"address of the card", syscall.SIOCSIFADDR, unsafe.Pointer(&address)},
		{"netmask of the card", syscall.SIOCSIFNETMASK, unsafe.Pointer(&netmask)},
		{"start of the card", syscall.SIOCSIFFLAGS, unsafe.Pointer(&up)},
		{"way out", syscall.SIOCADDRT, unsafe.Pointer(&way)},
	} {
		_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), step.request, uintptr(step.argument))
		if errno != 0 {
			return os.NewSyscallError(step.what, errno)
		}
	}
	return os.WriteFile("/etc/resolv.conf", []byte(resolver), 0o644)
}
