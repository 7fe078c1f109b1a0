package exec

import (
	"encoding/binary"
	"io"
	"os"
	"sync"
	"syscall"

	"luminaguard/guest/internal/process"
)

// stdinBytesMax is how much input waits for a command that does not read.
// Signals that come behind it still get through.
const stdinBytesMax = 256 << 10

// endOfTransmission typed on a terminal is the end of its input.
const endOfTransmission = 0x04

// stdin feeds a command without making its other frames wait.
type stdin struct {
	file     *os.File
	terminal bool

	mu      sync.Mutex
	changed sync.Cond
	queue   []byte
	running bool
	ended   bool
	broken  bool
}

func newStdin(file *os.File, terminal bool) *stdin {
	s := &stdin{file: file, terminal: terminal, broken: file == nil}
	s.changed.L = &s.mu
	return s
}

// put queues input and waits while too much of it waits already. Input nobody
// can read any more is dropped.
func (s *stdin) put(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.queue) > stdinBytesMax && !s.broken {
		s.changed.Wait()
	}
	if s.broken || s.ended {
		return
	}
	s.queue = append(s.queue, b...)
	s.run()
}

// end closes the command's input once all of it was fed.
func (s *stdin) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken || s.ended {
		return
	}
	if s.terminal {
		s.queue = append(s.queue, endOfTransmission)
	}
	s.ended = true
	s.run()
}

// abandon drops what was not fed, once the command is gone.
func (s *stdin) abandon() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = true
	s.changed.Broadcast()
}

// run makes sure that someone feeds. The caller holds the lock.
func (s *stdin) run() {
	if !s.running {
		s.running = true
		go s.feed()
	}
	s.changed.Broadcast()
}

func (s *stdin) feed() {
	var spare []byte
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		for len(s.queue) == 0 && !s.ended && !s.broken {
			s.changed.Wait()
		}
		if len(s.queue) == 0 || s.broken {
			break
		}
		batch := s.queue
		s.queue = spare[:0]
		s.changed.Broadcast()
		s.mu.Unlock()
		_, err := s.file.Write(batch)
		s.mu.Lock()
		spare = batch
		if err != nil {
			break
		}
	}
	s.broken = true
	s.changed.Broadcast()
	if !s.terminal {
		s.file.Close()
	}
}

// readInput applies the host's frames to a running command until they end.
func readInput(frames *frameReader, command *process.Command, in *stdin) error {
	for {
		kind, size, err := frames.next()
		if err == io.EOF {
			in.end()
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case kind == frameStdin:
			err = feed(frames, in)
		case kind == frameStdinEnd && size == 0:
			in.end()
		case kind == frameSignal && size == 1, kind == frameResize && size == 4:
			err = control(kind, frames, command)
		default:
			return errBadFrame
		}
		if err != nil {
			return err
		}
	}
}

func feed(frames *frameReader, in *stdin) error {
	for frames.left > 0 {
		b, err := frames.piece()
		if err != nil {
			return err
		}
		in.put(b)
	}
	return nil
}

func control(kind byte, frames *frameReader, command *process.Command) error {
	payload, err := frames.whole()
	if err != nil {
		return err
	}
	if kind == frameSignal {
		command.Signal(syscall.Signal(payload[0]))
		return nil
	}
	// A command without a terminal has no size to change; that is no error of
	// the command's.
	_ = command.Resize(process.Size{
		Columns: binary.BigEndian.Uint16(payload),
		Rows:    binary.BigEndian.Uint16(payload[2:]),
	})
	return nil
}
