package exec

import (
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	"luminaguard/guest/internal/process"
	"luminaguard/guest/internal/strictjson"
)

// killDelay is how long a command that is over its time may take to leave.
const killDelay = time.Second

var errBadFrame = errors.New("exec: unexpected frame")

// Stream is the part of an HTTP/2 stream that a command needs.
type Stream interface {
	Body
	io.Writer
	Finish([]byte) error
	OnEnd(func())
	Abort()
}

// Serve runs the command that the stream's first frame asks for, and returns
// when it is gone. A stream that ends early takes its command along.
func Serve(stream Stream, reaper *process.Reaper) {
	frames := &frameReader{body: stream}
	asked, err := readStart(frames)
	var account process.Account
	if err == nil {
		account, err = process.LookUpAccount(asked.user)
	}
	if err != nil {
		fail(stream, "bad-request", err.Error())
		return
	}
	command, err := reaper.Start(asked.spec(account))
	if err != nil {
		fail(stream, failureCode(err), err.Error())
		return
	}
	defer command.Close()
	out := &output{to: stream}
	started := strictjson.Object{}.Integer("pid", int64(command.PID))
	out.send(appendFrame(nil, frameStarted, started.JSON()))
	in := newStdin(command.Stdin, asked.tty != nil)
	defer in.abandon()
	go func() {
		if err := readInput(frames, command, in); err != nil {
			stream.Abort()
		}
	}()
	stream.Finish(run(stream, command, out, asked.timeout()).frame())
}

// ending is how a command ended.
type ending struct {
	status   syscall.WaitStatus
	timedOut bool
	after    time.Duration
}

// run carries the command's output and waits for its end.
func run(stream Stream, command *process.Command, out *output, timeout time.Duration) ending {
	stream.OnEnd(func() { command.Signal(syscall.SIGKILL) })
	out.start(frameStdout, command.Stdout)
	if command.Stderr != nil {
		out.start(frameStderr, command.Stderr)
	}
	var timedOut atomic.Bool
	if timeout > 0 {
		defer time.AfterFunc(timeout, func() {
			timedOut.Store(true)
			command.Signal(syscall.SIGTERM)
			time.AfterFunc(killDelay, func() { command.Signal(syscall.SIGKILL) })
		}).Stop()
	}
	end := ending{status: command.Wait()}
	end.timedOut, end.after = timedOut.Load(), command.Age()
	if out.open() {
		command.DrainUntil(time.Now().Add(drainTimeout))
	}
	out.pumps.Wait()
	return end
}

// frame tells the host how the command ended.
func (e ending) frame() []byte {
	var report strictjson.Object
	if e.status.Signaled() {
		report = report.Integer("signal", int64(e.status.Signal()))
	} else {
		report = report.Integer("code", int64(e.status.ExitStatus()))
	}
	report = report.Bool("timedOut", e.timedOut).Integer("durationMs", e.after.Milliseconds())
	return appendFrame(nil, frameExit, report.JSON())
}

func readStart(frames *frameReader) (start, error) {
	kind, _, err := frames.next()
	if err != nil {
		return start{}, err
	}
	if kind != frameStart {
		return start{}, errBadFrame
	}
	payload, err := frames.whole()
	if err != nil {
		return start{}, err
	}
	return parseStart(payload)
}

// fail says why no command runs.
func fail(stream Stream, code, title string) {
	report := strictjson.Object{}.Text("code", code).Text("title", title)
	stream.Finish(appendFrame(nil, frameFailed, report.JSON()))
}

// failureCode is the protocol's word for why a command did not start.
func failureCode(err error) string {
	switch {
	case errors.Is(err, process.ErrNotFound):
		return "not-found"
	case errors.Is(err, process.ErrNotExecutable):
		return "not-executable"
	case errors.Is(err, process.ErrFolder):
		return "bad-request"
	case errors.Is(err, process.ErrDenied):
		return "denied"
	}
	return "internal"
}
