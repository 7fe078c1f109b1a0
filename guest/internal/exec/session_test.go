package exec

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"luminaguard/guest/internal/process"
)

var reaper = process.NewReaper()

// fakeStream is a stream whose host is the test.
type fakeStream struct {
	requests chan []byte
	rest     []byte

	mu     sync.Mutex
	out    bytes.Buffer
	closed bool
	done   chan struct{}
	stuck  chan struct{} // while open, writes wait
}

func newFakeStream() *fakeStream {
	return &fakeStream{requests: make(chan []byte, 1024), done: make(chan struct{})}
}

func (s *fakeStream) Next(limit int) ([]byte, error) {
	for len(s.rest) == 0 {
		select {
		case b, ok := <-s.requests:
			if !ok {
				return nil, io.EOF
			}
			s.rest = b
		case <-s.done:
			return nil, io.ErrClosedPipe
		}
	}
	n := limit
	if n > len(s.rest) {
		n = len(s.rest)
	}
	b := s.rest[:n]
	s.rest = s.rest[n:]
	return b, nil
}

func (s *fakeStream) Write(b []byte) (int, error) {
	if s.stuck != nil {
		select {
		case <-s.stuck:
		case <-s.done:
			return 0, io.ErrClosedPipe
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	return s.out.Write(b)
}

func (s *fakeStream) Finish(b []byte) error {
	_, err := s.Write(b)
	s.Abort()
	return err
}

func (s *fakeStream) Abort() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.closed = true
		close(s.done)
	}
}

func (s *fakeStream) OnEnd(f func()) {
	go func() {
		<-s.done
		f()
	}()
}

func (s *fakeStream) send(kind byte, payload string) {
	s.requests <- appendFrame(nil, kind, []byte(payload))
}

// outcome is what the host saw.
type outcome struct {
	stdout, stderr string
	last           byte
	report         map[string]any
}

func (s *fakeStream) outcome(t *testing.T) outcome {
	t.Helper()
	var o outcome
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := s.out.Bytes(); len(b) > 0; {
		size := int(b[1])<<24 | int(b[2])<<16 | int(b[3])<<8 | int(b[4])
		payload := b[headSize : headSize+size]
		switch o.last = b[0]; o.last {
		case frameStdout:
			o.stdout += string(payload)
		case frameStderr:
			o.stderr += string(payload)
		default:
			o.report = nil
			if err := json.Unmarshal(payload, &o.report); err != nil {
				t.Fatalf("%s: %v", payload, err)
			}
		}
		b = b[headSize+size:]
	}
	return o
}

// command asks for a shell command as the user who runs the test.
func command(script, more string) string {
	text, _ := json.Marshal(script)
	return `{"argv": ["/bin/sh", "-c", ` + string(text) + `], "cwd": "/", "user": "0"` + more + `}`
}

func runCommand(t *testing.T, start string, frames ...func(*fakeStream)) outcome {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	s := newFakeStream()
	s.send(frameStart, start)
	for _, f := range frames {
		f(s)
	}
	Serve(s, reaper)
	return s.outcome(t)
}

func stdinFrame(text string) func(*fakeStream) {
	return func(s *fakeStream) { s.send(frameStdin, text) }
}

func stdinEnd(s *fakeStream) { s.send(frameStdinEnd, "") }

func (o outcome) wants(t *testing.T, key string, value any) {
	t.Helper()
	if o.report[key] != value {
		t.Fatalf("%s is %v in %+v", key, o.report[key], o)
	}
}

func TestReportsOutputAndCode(t *testing.T) {
	o := runCommand(t, command("echo out; echo err >&2; exit 3", ""))
	if o.last != frameExit || o.stdout != "out\n" || o.stderr != "err\n" {
		t.Fatalf("%+v", o)
	}
	o.wants(t, "code", 3.0)
	o.wants(t, "timedOut", false)
}

func TestGivesASmallEnvironment(t *testing.T) {
	o := runCommand(t, command("env | sort | grep -v -e PWD -e SHLVL -e _=", `, "env": {"LANG": "de", "K": "v w"}`))
	want := "HOME=/root\nK=v w\nLANG=de\nPATH=" + "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" + "\nUSER=root\n"
	if o.stdout != want {
		t.Fatalf("%q", o.stdout)
	}
}

func TestSaysWhyNothingRuns(t *testing.T) {
	for start, code := range map[string]string{
		`{"argv": ["no-such-program"], "cwd": "/", "user": "0"}`:         "not-found",
		`{"argv": ["/etc/passwd"], "cwd": "/", "user": "0"}`:             "not-executable",
		`{"argv": ["/etc"], "cwd": "/", "user": "0"}`:                    "not-executable",
		`{"argv": ["true"], "cwd": "/no-such-folder", "user": "0"}`:      "bad-request",
		`{"argv": ["true"], "cwd": "/", "user": "nobody-we-know"}`:       "bad-request",
		`{"argv": [], "cwd": "/"}`:                                       "bad-request",
		`{"argv": ["true"], "color": "red"}`:                             "bad-request",
		`{"argv": ["true"], "env": {"A=B": "c"}}`:                        "bad-request",
		`{"argv": ["true"], "timeoutMs": -1}`:                            "bad-request",
		`{"argv": ["a\u0000b"]}`:                                         "bad-request",
		`{"argv": ["true"], "cwd": "relative"}`:                          "bad-request",
		`{"argv": ["true"]} {}`:                                          "bad-request",
		`nonsense`:                                                       "bad-request",
		`{"argv": ["true"], "tty": {"columns": 70000, "rows": 1}}`:       "bad-request",
		`{"argv": ["true"], "tty": {"columns": 80, "rows": 24, "x": 1}}`: "bad-request",
	} {
		o := runCommand(t, start)
		if o.last != frameFailed || o.report["code"] != code {
			t.Errorf("%s: %+v", start, o)
		}
	}
}

func TestFeedsInputAndItsEnd(t *testing.T) {
	big := strings.Repeat("x", 300<<10)
	o := runCommand(t, command("wc -c", `, "stdin": true`), stdinFrame(big), stdinFrame(big), stdinEnd)
	if strings.TrimSpace(o.stdout) != "614400" {
		t.Fatalf("%+v", o)
	}
}

func TestTheEndOfTheRequestEndsTheInput(t *testing.T) {
	o := runCommand(t, command("wc -c", `, "stdin": true`), stdinFrame("abc"), func(s *fakeStream) { close(s.requests) })
	if strings.TrimSpace(o.stdout) != "3" {
		t.Fatalf("%+v", o)
	}
}

func TestWithoutInputReadsNothing(t *testing.T) {
	o := runCommand(t, command("cat; echo end", ""), stdinFrame("lost"))
	if o.stdout != "end\n" {
		t.Fatalf("%+v", o)
	}
}

func TestSignalsPassInputThatNobodyReads(t *testing.T) {
	o := runCommand(t, command("exec sleep 60", `, "stdin": true`), stdinFrame(strings.Repeat("x", 200<<10)), func(s *fakeStream) {
		s.send(frameSignal, string(rune(syscall.SIGTERM)))
	})
	o.wants(t, "signal", float64(syscall.SIGTERM))
}

func TestTimeLimitEndsTheWholeGroup(t *testing.T) {
	o := runCommand(t, command("sleep 60 & sleep 60", `, "timeoutMs": 50`))
	o.wants(t, "signal", float64(syscall.SIGTERM))
	o.wants(t, "timedOut", true)
}

func TestTimeLimitEndsACommandThatWillNotLeave(t *testing.T) {
	o := runCommand(t, command("trap '' TERM; while :; do sleep 0.1; done", `, "timeoutMs": 50`))
	o.wants(t, "signal", float64(syscall.SIGKILL))
}

func TestAGrandchildThatHoldsTheOutputIsNotWaitedFor(t *testing.T) {
	began := time.Now()
	o := runCommand(t, command("sleep 5 & echo hi", ""))
	if o.stdout != "hi\n" || time.Since(began) > 2*time.Second {
		t.Fatalf("%+v after %v", o, time.Since(began))
	}
}

func TestLastWordsSurviveASlowHost(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	s := newFakeStream()
	s.stuck = make(chan struct{})
	s.send(frameStart, command("sleep 60 & head -c 60000 /dev/zero; echo last words", ""))
	go func() {
		time.Sleep(500 * time.Millisecond)
		close(s.stuck)
	}()
	Serve(s, reaper)
	if o := s.outcome(t); !strings.HasSuffix(o.stdout, "last words\n") || o.last != frameExit {
		t.Fatalf("%d bytes, last %x", len(o.stdout), o.last)
	}
}

func TestAResetKillsTheGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	s := newFakeStream()
	s.send(frameStart, command("sleep 60 & echo $!; wait", ""))
	gone := make(chan struct{})
	go func() { Serve(s, reaper); close(gone) }()
	var o outcome
	for o.stdout == "" {
		time.Sleep(5 * time.Millisecond)
		o = s.outcome(t)
	}
	s.Abort()
	select {
	case <-gone:
	case <-time.After(5 * time.Second):
		t.Fatal("still there")
	}
}

func TestBadFramesEndTheCommand(t *testing.T) {
	for _, kind := range []byte{frameStart, frameSignal, frameResize, 0x77} {
		runCommand(t, command("sleep 60", ""), func(s *fakeStream) { s.send(kind, "123") })
	}
}

func TestATerminalIsOne(t *testing.T) {
	o := runCommand(t, command("tty; stty size; read x; stty size; echo got $x; cat", `, "tty": {"columns": 81, "rows": 25}`),
		func(s *fakeStream) { s.send(frameResize, "\x00\x64\x00\x32") }, stdinFrame("abc\n"), stdinEnd)
	o.wants(t, "code", 0.0)
	if !strings.Contains(o.stdout, "/dev/pts/") || !strings.Contains(o.stdout, "50 100") || !strings.Contains(o.stdout, "got abc") {
		t.Fatalf("%q", o.stdout)
	}
}
