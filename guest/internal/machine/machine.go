// Package machine is what tells one machine from its clones: clock, entropy,
// names and boot id. A clone wakes up with all of them copied.
package machine

import (
	"sync"
	"time"
)

// Protocol and Agent are the versions the host sees.
const (
	Protocol = 1
	Agent    = "0.1.0"
)

// Info is what the machine says about itself.
type Info struct {
	Protocol int    `json:"protocol"`
	Agent    string `json:"agent"`
	Kernel   string `json:"kernel"`
	BootID   string `json:"bootId"`
	Hostname string `json:"hostname"`
	UptimeMs int64  `json:"uptimeMs"`
	Resumes  int    `json:"resumes"`
}

// Resume is what the host tells a machine that just became itself.
type Resume struct {
	UnixNanos string `json:"unixNanos"`
	Entropy   string `json:"entropy"`
	Hostname  string `json:"hostname"`
	MachineID string `json:"machineId"`
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
