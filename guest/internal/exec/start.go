package exec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"luminaguard/guest/internal/process"
)

// start is the payload of the first frame.
type start struct {
	Argv      []string          `json:"argv"`
	Env       map[string]string `json:"env"`
	Cwd       string            `json:"cwd"`
	User      string            `json:"user"`
	Stdin     bool              `json:"stdin"`
	TimeoutMs int64             `json:"timeoutMs"`
	TTY       *struct {
		Columns uint16 `json:"columns"`
		Rows    uint16 `json:"rows"`
	} `json:"tty"`
}

const (
	defaultCwd    = "/workspace"
	defaultUser   = "1000"
	timeoutMsMax  = int64(1) << 40
	nulByteInText = "\x00"
)

// parseStart reads a start frame strictly: a field we do not know might be one
// the caller relies on.
func parseStart(payload []byte) (start, error) {
	s := start{Cwd: defaultCwd, User: defaultUser}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return s, errors.New("more than one value")
	}
	return s, s.check()
}

func (s *start) check() error {
	if len(s.Argv) == 0 || s.Argv[0] == "" {
		return errors.New("argv is empty")
	}
	if !strings.HasPrefix(s.Cwd, "/") {
		return fmt.Errorf("cwd is not absolute: %q", s.Cwd)
	}
	if s.TimeoutMs < 0 || s.TimeoutMs > timeoutMsMax {
		return errors.New("timeoutMs out of range")
	}
	texts := append([]string{s.Cwd, s.User}, s.Argv...)
	for k, v := range s.Env {
		if k == "" || strings.Contains(k, "=") {
			return fmt.Errorf("bad variable name: %q", k)
		}
		texts = append(texts, k, v)
	}
	for _, text := range texts {
		if strings.Contains(text, nulByteInText) {
			return errors.New("a NUL byte in a text")
		}
	}
	return nil
}

func (s *start) timeout() time.Duration { return time.Duration(s.TimeoutMs) * time.Millisecond }

func (s *start) spec(account process.Account) process.Spec {
	spec := process.Spec{Argv: s.Argv, Env: s.Env, Cwd: s.Cwd, Account: account, Stdin: s.Stdin}
	if s.TTY != nil {
		spec.Terminal = &process.Size{Columns: s.TTY.Columns, Rows: s.TTY.Rows}
	}
	return spec
}
