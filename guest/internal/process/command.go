package process

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"luminaguard/guest/internal/quick"
)

// Spec says what to start.
type Spec struct {
	Argv     []string
	Env      map[string]string
	Cwd      string
	Account  Account
	Stdin    bool  // a pipe, instead of the null device
	Terminal *Size // nil for pipes
}

// Reasons why a command did not start, beside the system's own.
var (
	ErrNotFound      = errors.New("no such program")
	ErrNotExecutable = errors.New("cannot be executed")
	ErrFolder        = errors.New("no such folder")
	ErrDenied        = errors.New("not permitted")
)

// Command is one that runs. With a terminal, Stdin and Stdout are the same
// file and Stderr is nil.
type Command struct {
	PID    int
	Stdin  *os.File // nil when the command reads from the null device
	Stdout *os.File
	Stderr *os.File

	reaper     *Reaper
	child      *child
	descriptor *os.File
	started    time.Time
}

// Start runs a command in a session of its own.
func (r *Reaper) Start(spec Spec) (*Command, error) {
	if err := workingFolder(spec.Cwd); err != nil {
		return nil, fmt.Errorf("%w: %s", ErrFolder, spec.Cwd)
	}
	env := environment(spec.Account, spec.Env, spec.Terminal != nil)
	path, err := lookUp(spec.Argv[0], pathOf(env), spec.Cwd)
	if err != nil {
		return nil, refusal(err, spec.Argv[0])
	}
	streams, err := openStreams(spec)
	if err != nil {
		return nil, err
	}
	defer streams.closeTheirs()
	c := &Command{reaper: r, started: time.Now()}
	child, err := newPlan(path, spec.Argv, env, spec.Cwd)
	if err == nil {
		child.uid, child.gid = spec.Account.UID, spec.Account.GID
		child.files, child.terminal = streams.theirs, spec.Terminal != nil
		c.PID, c.child, err = r.start(child)
	}
	if err != nil {
		streams.closeOurs()
		return nil, refusal(err, spec.Argv[0])
	}
	// Set so that the runtime's poller takes it: nobody reads it.
	_ = quick.SetNonblock(int(child.descriptor))
	c.descriptor = os.NewFile(uintptr(child.descriptor), "process")
	c.Stdin, c.Stdout, c.Stderr = streams.stdin, streams.stdout, streams.stderr
	return c, nil
}

// Wait waits until the command has ended. It is called once.
func (c *Command) Wait() syscall.WaitStatus { return c.reaper.await(c.child, c.descriptor) }

// Signal reaches the command's process group, while the command lives.
func (c *Command) Signal(sig syscall.Signal) { c.reaper.signal(c.PID, sig) }

// Resize tells the command's terminal its new size.
func (c *Command) Resize(size Size) error {
	if c.Stderr != nil {
		return errors.New("no terminal")
	}
	return resize(c.Stdout, size)
}

// Close gives up what the agent holds of a command that has ended.
func (c *Command) Close() {
	for _, f := range []*os.File{c.Stdin, c.Stdout, c.Stderr, c.descriptor} {
		if f != nil {
			f.Close()
		}
	}
}

// DrainUntil sets the time from which the command's output is not waited for.
func (c *Command) DrainUntil(t time.Time) {
	for _, f := range []*os.File{c.Stdout, c.Stderr} {
		if f != nil {
			// Only a closed file refuses, and that one is drained.
			_ = f.SetReadDeadline(t)
		}
	}
}

// Age is how long ago the command was started.
func (c *Command) Age() time.Duration { return time.Since(c.started) }

// refusal turns what the system said about a program into one of our reasons.
func refusal(err error, program string) error {
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR:
		return fmt.Errorf("%w: %s", ErrNotFound, program)
	case syscall.EACCES, syscall.ENOEXEC:
		return fmt.Errorf("%w: %s", ErrNotExecutable, program)
	case syscall.EPERM:
		return fmt.Errorf("%w: %s", ErrDenied, program)
	}
	return fmt.Errorf("cannot start %s: %w", program, err)
}
