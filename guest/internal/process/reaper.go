// Package process starts commands, waits for them and reaps whatever else
// becomes a child of the machine's first process.
package process

import (
	"os"
	"sync"
	"syscall"
	"time"

	"luminaguard/guest/internal/quick"
)

// Reaper is the one place that waits for children. Orphans become children of
// the agent, so a wait for any child must know which ones someone asked for,
// and starting one and noting it must be one step.
//
// Commands are waited for by descriptor and not by signal: a signal would
// interrupt the agent for each of the machine's dead, and take a detour over
// another thread to the one who waits.
type Reaper struct {
	mu       sync.Mutex
	awaited  map[int]*child
	children sync.Cond // there may be some
}

// child is one that someone waits for.
type child struct {
	ended  bool
	status syscall.WaitStatus
}

// orphanDelay is how long an orphan may stay unreaped.
const orphanDelay = time.Second

// NewReaper starts reaping.
func NewReaper() *Reaper {
	r := &Reaper{awaited: make(map[int]*child)}
	r.children.L = &r.mu
	go r.reapOrphans()
	return r
}

// reapOrphans looks for the dead as long as there are children. Most are found
// earlier, when a command ends.
func (r *Reaper) reapOrphans() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		r.children.Wait()
		for left := true; left; _, left = r.reap() {
			r.mu.Unlock()
			time.Sleep(orphanDelay)
			r.mu.Lock()
		}
	}
}

// reap collects every child that has ended, and says how many there were and
// whether any child is left. The caller holds the lock.
func (r *Reaper) reap() (reaped int, left bool) {
	for {
		var status syscall.WaitStatus
		pid, err := quick.Reap(&status)
		if err != nil {
			return reaped, false
		}
		if pid == 0 {
			return reaped, true
		}
		reaped++
		if c := r.awaited[pid]; c != nil {
			delete(r.awaited, pid)
			c.status, c.ended = status, true
		}
	}
}

// start forks and executes, and registers the child before anyone can reap it.
func (r *Reaper) start(p *plan) (int, *child, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pid, err := p.start()
	if err != nil {
		if pid != 0 {
			syscall.Wait4(pid, nil, 0, nil)
			syscall.Close(int(p.descriptor))
		}
		return 0, nil, err
	}
	c := &child{}
	r.awaited[pid] = c
	r.children.Signal()
	return pid, c, nil
}

// await waits until a child has ended.
func (r *Reaper) await(c *child, descriptor *os.File) syscall.WaitStatus {
	look := func(uintptr) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		if !c.ended {
			r.reap()
		}
		return c.ended
	}
	raw, err := descriptor.SyscallConn()
	if err == nil {
		err = raw.Read(look)
	}
	if err != nil {
		panic(err) // the poller knows this kind of descriptor, and it is open
	}
	return c.status
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
