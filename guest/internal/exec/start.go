package exec

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"luminaguard/guest/internal/process"
	"luminaguard/guest/internal/strictjson"
)

// start is the payload of the first frame.
type start struct {
	argv      []string
	env       map[string]string
	cwd       string
	user      string
	stdin     bool
	timeoutMs int64
	tty       *process.Size
}

const (
	defaultCwd   = "/workspace"
	defaultUser  = "1000"
	timeoutMsMax = int64(1) << 40
)

// parseStart reads a start frame strictly: a field we do not know might be one
// the caller relies on.
func parseStart(payload []byte) (start, error) {
	s := start{cwd: defaultCwd, user: defaultUser}
	if err := strictjson.Parse(payload, s.field); err != nil {
		return s, err
	}
	return s, s.check()
}

func (s *start) field(r *strictjson.Reader, name string) {
	switch name {
	case "argv":
		s.argv = r.Texts()
	case "env":
		s.env = make(map[string]string)
		r.Object(func(name string) { s.env[name] = r.Text() })
	case "cwd":
		s.cwd = r.Text()
	case "user":
		s.user = r.Text()
	case "stdin":
		s.stdin = r.Bool()
	case "timeoutMs":
		s.timeoutMs = r.Integer(0, timeoutMsMax)
	case "tty":
		s.tty = &process.Size{}
		r.Object(func(name string) { sizeField(s.tty, r, name) })
	default:
		r.Unknown(name)
	}
}

func sizeField(size *process.Size, r *strictjson.Reader, name string) {
	switch name {
	case "columns":
		size.Columns = uint16(r.Integer(0, math.MaxUint16))
	case "rows":
		size.Rows = uint16(r.Integer(0, math.MaxUint16))
	default:
		r.Unknown(name)
	}
}

func (s *start) check() error {
	if len(s.argv) == 0 || s.argv[0] == "" {
		return errors.New("argv is empty")
	}
	if !strings.HasPrefix(s.cwd, "/") {
		return fmt.Errorf("cwd is not absolute: %q", s.cwd)
	}
	if !whole(s.cwd) || !whole(s.argv...) {
		return errNul
	}
	for name, value := range s.env {
		if name == "" || strings.Contains(name, "=") {
			return fmt.Errorf("bad variable name: %q", name)
		}
		if !whole(name, value) {
			return errNul
		}
	}
	return nil
}

var errNul = errors.New("a NUL byte in a text")

// whole reports whether texts survive as the kernel's strings.
func whole(texts ...string) bool {
	for _, text := range texts {
		if strings.IndexByte(text, 0) >= 0 {
			return false
		}
	}
	return true
}

func (s *start) timeout() time.Duration { return time.Duration(s.timeoutMs) * time.Millisecond }

func (s *start) spec(account process.Account) process.Spec {
	return process.Spec{
		Argv:     s.argv,
		Env:      s.env,
		Cwd:      s.cwd,
		Account:  account,
		Stdin:    s.stdin,
		Terminal: s.tty,
	}
}
