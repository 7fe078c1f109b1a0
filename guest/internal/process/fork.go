package process

import (
	"syscall"
	"unsafe"
)

// plan is all that a child needs to become a command, made before it exists:
// between fork and exec it may neither allocate nor call what grows a stack.
//
// The standard library starts processes as well, but it tells its child's
// failure through a pipe that must be read, and resets each signal by a call of
// its own. Under emulation that is a good part of what a short command costs.
type plan struct {
	path        *byte
	argv        []*byte
	env         []*byte
	cwd         *byte
	uid, gid    uint32
	files       [3]uintptr
	terminal    bool
	failed      syscall.Errno // written by the child, in memory it shares
	descriptor  int32         // becomes readable when the child has ended
	allSignals  uint64
	noSignals   uint64
	signalsThen uint64
}

// cloneArguments is struct clone_args as it was first.
type cloneArguments struct {
	flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64
}

const (
	cloneVM           = 0x100
	clonePidfd        = 0x1000
	cloneVfork        = 0x4000
	cloneClearSignals = 0x100000000 // CLONE_CLEAR_SIGHAND
	signalSetMask     = 2           // SIG_SETMASK
	childFailed       = 253
	timerSlack        = 50_000 // of every process, in nanoseconds
)

func vfork(arguments *cloneArguments, size uintptr) (pid, errno uintptr)

func newPlan(path string, argv, env []string, cwd string) (p *plan, err error) {
	p = &plan{allSignals: ^uint64(0)}
	if p.path, err = syscall.BytePtrFromString(path); err != nil {
		return nil, err
	}
	if p.argv, err = syscall.SlicePtrFromStrings(argv); err != nil {
		return nil, err
	}
	if p.env, err = syscall.SlicePtrFromStrings(env); err != nil {
		return nil, err
	}
	p.cwd, err = syscall.BytePtrFromString(cwd)
	return p, err
}

// start makes the child and returns when it has executed its program, or could
// not. A child that could not has ended by itself and is still to be reaped.
//
//go:noinline
//go:norace
func (p *plan) start() (pid int, err error) {
	arguments := &cloneArguments{
		flags:      cloneVM | cloneVfork | clonePidfd | cloneClearSignals,
		pidfd:      uint64(uintptr(unsafe.Pointer(&p.descriptor))),
		exitSignal: uint64(syscall.SIGCHLD),
	}
	// A signal would run its handler in the child, in the agent's memory.
	p.mask(&p.allSignals, &p.signalsThen)
	child, errno := vfork(arguments, unsafe.Sizeof(*arguments))
	if errno == 0 && child == 0 {
		p.failed = p.become()
		for {
			syscall.RawSyscall(syscall.SYS_EXIT, childFailed, 0, 0)
		}
	}
	p.mask(&p.signalsThen, nil)
	if errno != 0 {
		return 0, syscall.Errno(errno)
	}
	if p.failed != 0 {
		return int(child), p.failed
	}
	return int(child), nil
}

//go:nosplit
func (p *plan) mask(set, before *uint64) {
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, signalSetMask,
		uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(before)), signalSetSize, 0, 0)
}

// become is the child's life until its program runs. It returns why it does not.
//
//go:nosplit
//go:norace
func (p *plan) become() syscall.Errno {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETSID, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETGID, uintptr(p.gid), 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETUID, uintptr(p.uid), 0, 0); errno != 0 {
		return errno
	}
	if _, _, errno := syscall.RawSyscall(syscall.SYS_CHDIR, uintptr(unsafe.Pointer(p.cwd)), 0, 0); errno != 0 {
		return errno
	}
	for i := uintptr(0); i < uintptr(len(p.files)); i++ {
		if p.files[i] == i {
			continue
		}
		if _, _, errno := syscall.RawSyscall(syscall.SYS_DUP3, p.files[i], i, 0); errno != 0 {
			return errno
		}
	}
	if p.terminal {
		if _, _, errno := syscall.RawSyscall(syscall.SYS_IOCTL, 0, syscall.TIOCSCTTY, 0); errno != 0 {
			return errno
		}
	}
	// A thread that the runtime's watchman made has its patience.
	syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_TIMERSLACK, timerSlack, 0)
	p.mask(&p.noSignals, nil)
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(p.path)),
		uintptr(unsafe.Pointer(&p.argv[0])), uintptr(unsafe.Pointer(&p.env[0])))
	return errno
}
