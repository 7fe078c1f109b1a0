package machine

import (
	"encoding/binary"
	"io"
	"unsafe"

	"luminaguard/guest/internal/quick"
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
	// struct rand_pool_info: bits credited, bytes that follow, the bytes.
	pool := make([]byte, 8, 8+len(entropy))
	native.PutUint32(pool, uint32(8*len(entropy)))
	native.PutUint32(pool[4:], uint32(len(entropy)))
	pool = append(pool, entropy...)
	if err := quick.Control(l.random, ioctlAddEntropy, unsafe.Pointer(&pool[0])); err != nil {
		return err
	}
	if err := quick.Control(l.random, ioctlReseed, nil); err != nil {
		return err
	}
	n, err := quick.Read(l.random, random)
	if err == nil && n < len(random) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// native is the byte order of both machines we are built for.
var native = binary.LittleEndian
