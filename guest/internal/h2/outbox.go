package h2

import (
	"io"
	"sync"
)

// outbox gathers frames from all streams and has one goroutine write them.
// Whatever became ready while the last write ran leaves in the next one, so an
// answer's headers and body usually travel together. Whoever lends bytes writes
// them itself, while nobody else writes.
type outbox struct {
	mu      *sync.Mutex
	pending []byte
	writing bool // by the one who drains, or by one who lends
	closed  bool
	work    sync.Cond // something is pending, or the outbox closed
	room    sync.Cond // a sender may go on, or must look again
}

func (o *outbox) init(mu *sync.Mutex) {
	o.mu = mu
	o.work.L = mu
	o.room.L = mu
}

// add queues frames. The caller holds the lock.
func (o *outbox) add(frames []byte) {
	o.pending = append(o.pending, frames...)
	o.work.Signal()
}

// control queues frames the client provoked. The caller holds the lock.
func (o *outbox) control(frames []byte) error {
	if len(o.pending) > outboxBytesHardMax {
		return connectionError{codeCalm, "too many answers unread"}
	}
	o.add(frames)
	return nil
}

func (o *outbox) full() bool { return len(o.pending) >= outboxBytesSoftMax }

// drain writes until the outbox is closed and empty, or the link fails.
func (o *outbox) drain(w io.Writer) error {
	var spare []byte
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for o.writing || len(o.pending) == 0 {
			if o.closed && !o.writing {
				return nil
			}
			o.work.Wait()
		}
		batch := o.pending
		o.pending, o.writing = spare[:0], true
		o.room.Broadcast()
		o.mu.Unlock()
		_, err := w.Write(batch)
		o.mu.Lock()
		o.writing = false
		o.room.Broadcast()
		if err != nil {
			return err
		}
		spare = batch
	}
}

func (o *outbox) idle() bool { return len(o.pending) == 0 && !o.writing }
