// Package machine is what tells one machine from its clones: clock, entropy,
// names and boot id. A clone wakes up with all of them copied.
package machine

import (
	"sync"
	"time"

	"luminaguard/guest/internal/strictjson"
)

// Protocol and Agent are the versions the host sees.
const (
	Protocol = 1
	Agent    = "0.1.0"
)

// Info is what the machine says about itself.
type Info struct {
	Protocol int
	Agent    string
	Kernel   string
	BootID   string
	Hostname string
	UptimeMs int64
	Resumes  int
}

// JSON is the info as the host reads it.
func (i Info) JSON() []byte {
	return strictjson.Object{}.
		Integer("protocol", int64(i.Protocol)).
		Text("agent", i.Agent).
		Text("kernel", i.Kernel).
		Text("bootId", i.BootID).
		Text("hostname", i.Hostname).
		Integer("uptimeMs", i.UptimeMs).
		Integer("resumes", int64(i.Resumes)).
		JSON()
}

// Resume is what the host tells a machine that just became itself.
type Resume struct {
	UnixNanos string
	Entropy   string
	Hostname  string
	MachineID string
}

// System is the kernel and the files this package changes.
type System interface {
	SetClock(time.Time) error
	// AddEntropy credits the bytes, has the kernel's generator reseeded, and
	// then fills random from it.
	AddEntropy(entropy, random []byte) error
	SetHostname(name string) error
	SetMachineID(id string) error
	SetBootID(id string) error
	Uname() (kernel, hostname string, err error)
	Uptime() (time.Duration, error)
}

// Machine is the one we are.
type Machine struct {
	system System

	mu      sync.Mutex
	bootID  string
	resumes int
}

// New describes the machine as it booted.
func New(system System, bootID string) *Machine {
	return &Machine{system: system, bootID: bootID}
}

// Info describes the machine as it is now.
func (m *Machine) Info() (Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.info()
}

func (m *Machine) info() (Info, error) {
	kernel, hostname, err := m.system.Uname()
	if err != nil {
		return Info{}, err
	}
	uptime, err := m.system.Uptime()
	return Info{
		Protocol: Protocol,
		Agent:    Agent,
		Kernel:   kernel,
		BootID:   m.bootID,
		Hostname: hostname,
		UptimeMs: uptime.Milliseconds(),
		Resumes:  m.resumes,
	}, err
}
