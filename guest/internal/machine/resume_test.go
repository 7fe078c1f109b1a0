package machine

import (
	"encoding/base64"
	"errors"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"luminaguard/guest/internal/problem"
)

// recorder is a System that notes what was asked of it, and may refuse.
type recorder struct {
	calls  []string
	clock  time.Time
	refuse string
}

func (r *recorder) call(name string) error {
	r.calls = append(r.calls, name)
	if name == r.refuse {
		return errors.New("refused")
	}
	return nil
}

func (r *recorder) SetClock(t time.Time) error { r.clock = t; return r.call("clock") }

func (r *recorder) AddEntropy(entropy, random []byte) error {
	copy(random, entropy)
	return r.call("entropy")
}

func (r *recorder) SetHostname(string) error       { return r.call("hostname") }
func (r *recorder) SetMachineID(string) error      { return r.call("machine-id") }
func (r *recorder) SetBootID(string) error         { return r.call("boot-id") }
func (r *recorder) Uname() (string, string, error) { return "6.1", "vm", nil }
func (r *recorder) Uptime() (time.Duration, error) { return 12 * time.Millisecond, nil }

func good() Resume {
	return Resume{
		UnixNanos: "1790000000000000007",
		Entropy:   base64.StdEncoding.EncodeToString([]byte(strings.Repeat("e", 32))),
		Hostname:  "vm-3f",
		MachineID: strings.Repeat("0a", 16),
	}
}

func TestResumeChangesEverything(t *testing.T) {
	system := &recorder{}
	m := New(system, "old")
	info, err := m.Resume(good())
	if err != nil {
		t.Fatal(err)
	}
	// The boot id comes from the generator, so it has to come after the entropy.
	if want := []string{"clock", "entropy", "hostname", "machine-id", "boot-id"}; !reflect.DeepEqual(system.calls, want) {
		t.Fatal(system.calls)
	}
	if system.clock.UnixNano() != 1790000000000000007 {
		t.Fatal(system.clock)
	}
	uuid4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if !uuid4.MatchString(info.BootID) || info.Resumes != 1 || info.UptimeMs != 12 || info.Protocol != 1 {
		t.Fatalf("%+v", info)
	}
}

func TestResumeFailsWithAnyOfItsParts(t *testing.T) {
	for _, part := range []string{"clock", "entropy", "hostname", "machine-id", "boot-id"} {
		m := New(&recorder{refuse: part}, "old")
		if _, err := m.Resume(good()); err == nil {
			t.Errorf("%s was not missed", part)
		}
		if info, _ := m.Info(); info.Resumes != 0 || info.BootID != "old" {
			t.Errorf("%s: %+v", part, info)
		}
	}
}

func TestResumeRefusesNonsense(t *testing.T) {
	for name, spoil := range map[string]func(*Resume){
		"no time":         func(r *Resume) { r.UnixNanos = "" },
		"negative time":   func(r *Resume) { r.UnixNanos = "-1" },
		"no entropy":      func(r *Resume) { r.Entropy = "" },
		"little entropy":  func(r *Resume) { r.Entropy = base64.StdEncoding.EncodeToString(make([]byte, 31)) },
		"much entropy":    func(r *Resume) { r.Entropy = base64.StdEncoding.EncodeToString(make([]byte, 4097)) },
		"broken base64":   func(r *Resume) { r.Entropy = strings.Repeat("*", 64) },
		"no name":         func(r *Resume) { r.Hostname = "" },
		"two lines":       func(r *Resume) { r.Hostname = "a\nb" },
		"a long name":     func(r *Resume) { r.Hostname = strings.Repeat("a", 64) },
		"a hyphen first":  func(r *Resume) { r.Hostname = "-a" },
		"a short id":      func(r *Resume) { r.MachineID = "0a" },
		"no hexadecimals": func(r *Resume) { r.MachineID = strings.Repeat("0A", 16) },
	} {
		system := &recorder{}
		r := good()
		spoil(&r)
		_, err := New(system, "old").Resume(r)
		if err == nil || problem.From(err).Code != "bad-request" || len(system.calls) != 0 {
			t.Errorf("%s: %v, %v", name, err, system.calls)
		}
	}
}
