package machine

import (
	"encoding/binary"
	"io"
	"os"
	"syscall"
	"unsafe"
)

// Requests of the kernel's random number device.
const (
	ioctlAddEntropy = 0x40085203 // RNDADDENTROPY
	ioctlReseed     = 0x5207     // RNDRESEEDCRNG
)

// AddEntropy credits the bytes, has the kernel's generator reseeded, and then
// fills random from it. Adding alone would leave the copied key in use until
// the next scheduled reseed, the same one in every clone.
func (l *Linux) AddEntropy(entropy, random []byte) error {
	device, err := os.OpenFile("/dev/urandom", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer device.Close()
	// struct rand_pool_info: bits credited, bytes that follow, the bytes.
	pool := make([]byte, 8, 8+len(entropy))
	native.PutUint32(pool, uint32(8*len(entropy)))
	native.PutUint32(pool[4:], uint32(len(entropy)))
	pool = append(pool, entropy...)
	if err := ioctl(device, ioctlAddEntropy, unsafe.Pointer(&pool[0])); err != nil {
		return err
	}
	if err := ioctl(device, ioctlReseed, nil); err != nil {
		return err
	}
	_, err = io.ReadFull(device, random)
	return err
}

// native is the byte order of both machines we are built for.
var native = binary.LittleEndian

func ioctl(file *os.File, request uintptr, argument unsafe.Pointer) error {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, file.Fd(), request, uintptr(argument))
	if errno != 0 {
		return os.NewSyscallError("ioctl", errno)
	}
	return nil
}
