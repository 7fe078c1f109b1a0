package machine

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"luminaguard/guest/internal/quick"
)

// The kernel's boot id cannot be changed. A file of ours is mounted over it
// once, at boot; later ids are written into that file, which readers see
// whole because it is one short write.
const (
	kernelBootID = "/proc/sys/kernel/random/boot_id"
	ownBootID    = "/run/luminaguard/boot-id"
)

// firstHostname is what a machine is called until its host names it.
const firstHostname = "luminaguard"

// Linux is the System the agent runs on. What a clone needs first is open.
type Linux struct {
	bootID    *keptFile
	hostname  *keptFile
	hosts     *keptFile
	machineID *keptFile
	random    int // the random number device
}

// OpenLinux prepares the machine for later resumes and reads its boot id.
func OpenLinux() (*Linux, string, error) {
	l := &Linux{}
	id, err := l.openBootID()
	if err != nil {
		return nil, "", fmt.Errorf("boot id: %w", err)
	}
	for _, keep := range []struct {
		file **keptFile
		path string
	}{
		{&l.hostname, "/etc/hostname"},
		{&l.hosts, "/etc/hosts"},
		{&l.machineID, "/etc/machine-id"},
	} {
		if *keep.file, err = keepFile(keep.path); err != nil {
			return nil, "", err
		}
	}
	if l.random, err = syscall.Open("/dev/urandom", syscall.O_RDWR|syscall.O_CLOEXEC, 0); err != nil {
		return nil, "", err
	}
	return l, id, l.SetHostname(firstHostname)
}

// openBootID shows a file of ours in place of the kernel's id.
func (l *Linux) openBootID() (string, error) {
	id, err := os.ReadFile(kernelBootID)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll("/run/luminaguard", 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(ownBootID, id, 0o444); err != nil {
		return "", err
	}
	if l.bootID, err = keepFile(ownBootID); err != nil {
		return "", err
	}
	return strings.TrimSpace(string(id)), syscall.Mount(ownBootID, kernelBootID, "", syscall.MS_BIND, "")
}

// SetClock sets the wall clock.
func (l *Linux) SetClock(t time.Time) error {
	v := syscall.NsecToTimeval(t.UnixNano())
	return syscall.Settimeofday(&v)
}

// SetBootID writes the id that the machine shows from now on.
func (l *Linux) SetBootID(id string) error { return l.bootID.write(id + "\n") }

// SetHostname sets the host name and the files that repeat it.
func (l *Linux) SetHostname(name string) error {
	if err := quick.SetHostname(name); err != nil {
		return err
	}
	if err := l.hostname.write(name + "\n"); err != nil {
		return err
	}
	return l.hosts.write("127.0.0.1 localhost\n::1 localhost ip6-localhost\n127.0.1.1 " + name + "\n")
}

// SetMachineID writes the id that programs take the machine for.
func (l *Linux) SetMachineID(id string) error { return l.machineID.write(id + "\n") }

// Uname returns the kernel's release and the host name.
func (l *Linux) Uname() (kernel, hostname string, err error) {
	var name syscall.Utsname
	if err := syscall.Uname(&name); err != nil {
		return "", "", err
	}
	return text(name.Release), text(name.Nodename), nil
}

// Uptime counts from boot, time spent suspended included.
func (l *Linux) Uptime() (time.Duration, error) {
	const clockBoottime = 7
	var t syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&t)), 0)
	if errno != 0 {
		return 0, errno
	}
	return time.Duration(t.Nano()), nil
}

// text reads a field of struct utsname.
func text(field [65]int8) string {
	var b []byte
	for _, c := range field {
		if c == 0 {
			break
		}
		b = append(b, byte(c))
	}
	return string(b)
}
