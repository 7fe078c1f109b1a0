package process

import (
	"os"
	"strings"
	"syscall"

	"luminaguard/guest/internal/quick"
)

// streams are both ends of a command's three streams: ours, non-blocking and
// known to the runtime's poller, and theirs, which must block.
type streams struct {
	stdin, stdout, stderr *os.File
	theirs                [3]uintptr
	opened                []uintptr // those of theirs to close after the start
}

func openStreams(spec Spec) (*streams, error) {
	s := &streams{}
	err := s.open(spec)
	if err != nil {
		s.closeTheirs()
		s.closeOurs()
		return nil, err
	}
	return s, nil
}

func (s *streams) open(spec Spec) error {
	if spec.Terminal != nil {
		master, peer, err := openTerminal(*spec.Terminal, spec.Account)
		if err != nil {
			return err
		}
		s.stdin, s.stdout = master, master
		s.theirs = [3]uintptr{peer, peer, peer}
		s.opened = []uintptr{peer}
		return nil
	}
	var err error
	if spec.Stdin {
		if s.stdin, err = s.pipe(0); err != nil {
			return err
		}
	} else {
		s.theirs[0] = uintptr(syscall.Stdin) // the agent's own is the null device
	}
	if s.stdout, err = s.pipe(1); err != nil {
		return err
	}
	s.stderr, err = s.pipe(2)
	return err
}

// pipe makes the pipe for one of their descriptors and returns our end.
func (s *streams) pipe(descriptor int) (*os.File, error) {
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		return nil, os.NewSyscallError("pipe", err)
	}
	ours, theirs := p[0], p[1]
	if descriptor == 0 {
		ours, theirs = theirs, ours
	}
	s.theirs[descriptor] = uintptr(theirs)
	s.opened = append(s.opened, uintptr(theirs))
	if err := quick.SetNonblock(ours); err != nil {
		syscall.Close(ours)
		return nil, os.NewSyscallError("pipe", err)
	}
	return os.NewFile(uintptr(ours), "pipe"), nil
}

func (s *streams) closeTheirs() {
	for _, fd := range s.opened {
		quick.Close(int(fd))
	}
}

func (s *streams) closeOurs() {
	for _, f := range []*os.File{s.stdin, s.stdout, s.stderr} {
		if f != nil {
			f.Close()
		}
	}
}

func pathOf(env []string) string {
	for _, entry := range env {
		if strings.HasPrefix(entry, "PATH=") {
			return entry[len("PATH="):]
		}
	}
	return ""
}
