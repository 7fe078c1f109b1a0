package machine

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"luminaguard/guest/internal/problem"
	"luminaguard/guest/internal/strictjson"
)

const (
	entropyBytesMin = 32
	entropyBytesMax = 4096
	hostnameMax     = 63
)

// ParseResume reads the body of a request.
func ParseResume(body []byte) (r Resume, err error) {
	err = strictjson.Parse(body, func(json *strictjson.Reader, name string) {
		switch name {
		case "unixNanos":
			r.UnixNanos = json.Text()
		case "entropy":
			r.Entropy = json.Text()
		case "hostname":
			r.Hostname = json.Text()
		case "machineId":
			r.MachineID = json.Text()
		default:
			json.Unknown(name)
		}
	})
	if err != nil {
		err = problem.BadRequest("%s", err)
	}
	return r, err
}

// identity is a checked Resume.
type identity struct {
	now       time.Time
	entropy   []byte
	hostname  string
	machineID string
}

// Resume makes the machine a new one, entirely or with an error.
func (m *Machine) Resume(r Resume) (Info, error) {
	who, err := r.check()
	if err != nil {
		return Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.system.SetClock(who.now); err != nil {
		return Info{}, fmt.Errorf("clock: %w", err)
	}
	var random [16]byte
	if err := m.system.AddEntropy(who.entropy, random[:]); err != nil {
		return Info{}, fmt.Errorf("entropy: %w", err)
	}
	if err := m.system.SetHostname(who.hostname); err != nil {
		return Info{}, fmt.Errorf("host name: %w", err)
	}
	if err := m.system.SetMachineID(who.machineID); err != nil {
		return Info{}, fmt.Errorf("machine id: %w", err)
	}
	bootID := uuid(random)
	if err := m.system.SetBootID(bootID); err != nil {
		return Info{}, fmt.Errorf("boot id: %w", err)
	}
	m.bootID = bootID
	m.resumes++
	return m.info()
}

func (r Resume) check() (identity, error) {
	nanos, err := strconv.ParseInt(r.UnixNanos, 10, 64)
	if err != nil || nanos <= 0 {
		return identity{}, problem.BadRequest("unixNanos is no time")
	}
	entropy, err := base64.StdEncoding.DecodeString(r.Entropy)
	if err != nil || len(entropy) < entropyBytesMin || len(entropy) > entropyBytesMax {
		return identity{}, problem.BadRequest("entropy is not base64 of %d to %d bytes", entropyBytesMin, entropyBytesMax)
	}
	if !isHostname(r.Hostname) {
		return identity{}, problem.BadRequest("not a host name: %q", r.Hostname)
	}
	if !isMachineID(r.MachineID) {
		return identity{}, problem.BadRequest("machineId is not 32 hexadecimal digits")
	}
	return identity{time.Unix(0, nanos), entropy, r.Hostname, r.MachineID}, nil
}

// isHostname accepts one DNS label: it is written into files as it is.
func isHostname(s string) bool {
	if s == "" || len(s) > hostnameMax || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func isMachineID(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// uuid writes random bytes as a version 4 UUID.
func uuid(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
