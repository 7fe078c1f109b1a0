// Package process starts commands, waits for them and reaps whatever else
// becomes a child of the machine's first process.
package process

import (
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Reaper is the one place that waits for children. Orphans become children of
// the agent, so a wait for any child must know which ones someone asked for,
// and starting one and noting it must be one step.
type Reaper struct {
	mu       sync.Mutex
	awaited  map[int]chan syscall.WaitStatus
	children chan os.Signal
}

// NewReaper starts reaping.
func NewReaper() *Reaper {
	r := &Reaper{
		awaited:  make(map[int]chan syscall.WaitStatus),
		children: make(chan os.Signal, 1),
	}
	signal.Notify(r.children, syscall.SIGCHLD)
	go r.run()
	return r
}

func (r *Reaper) run() {
	for range r.children {
		r.mu.Lock()
		r.reap()
		r.mu.Unlock()
	}
}

// reap collects every child that has ended, and says how many there were and
// whether any child is left. The caller holds the lock.
func (r *Reaper) reap() (reaped int, left bool) {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return reaped, false
		}
		if pid == 0 {
			return reaped, true
		}
		reaped++
		if ended, ok := r.awaited[pid]; ok {
			delete(r.awaited, pid)
			ended <- status
		}
	}
}

// start forks and executes, and registers the child before anyone can reap it.
func (r *Reaper) start(path string, argv []string, attr *syscall.ProcAttr) (int, <-chan syscall.WaitStatus, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return 0, nil, err
	}
	ended := make(chan syscall.WaitStatus, 1)
	r.awaited[pid] = ended
	return pid, ended, nil
}

// signal reaches the group of a child that was not reaped yet; afterwards its
// number may belong to someone else.
func (r *Reaper) signal(pid int, sig syscall.Signal) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, alive := r.awaited[pid]; alive {
		syscall.Kill(-pid, sig)
	}
}

// quiescePoll is the pause between two looks at processes that are dying.
const quiescePoll = time.Millisecond

// KillAll kills every process but the agent, reaps until none is left, and
// says how many there were. Nothing can be started meanwhile.
func (r *Reaper) KillAll() int {
	if os.Getpid() != 1 {
		panic("only the first process may kill all others")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	killed := 0
	for {
		// As the first process, -1 means all but ourselves.
		syscall.Kill(-1, syscall.SIGKILL)
		reaped, left := r.reap()
		killed += reaped
		if !left {
			return killed
		}
		time.Sleep(quiescePoll)
	}
}
