package exec

import (
	"io"
	"testing"
)

// chunked hands out bytes in pieces of a fixed size.
type chunked struct {
	b    []byte
	size int
}

func (c *chunked) Next(limit int) ([]byte, error) {
	if len(c.b) == 0 {
		return nil, io.EOF
	}
	n := c.size
	if n > limit {
		n = limit
	}
	if n > len(c.b) {
		n = len(c.b)
	}
	b := c.b[:n]
	c.b = c.b[n:]
	return b, nil
}

type event struct {
	kind    byte
	payload string
}

func readAll(body Body) ([]event, error) {
	r := &frameReader{body: body}
	var events []event
	for {
		kind, _, err := r.next()
		if err != nil {
			return events, err
		}
		payload, err := r.whole()
		if err != nil {
			return events, err
		}
		events = append(events, event{kind, string(payload)})
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(appendFrame(appendFrame(nil, frameStart, []byte("{}")), frameStdinEnd, nil), 3)
	f.Add([]byte{0, 0xff, 0xff, 0xff, 0xff}, 1)
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		if size < 1 {
			size = 1
		}
		whole, err := readAll(&chunked{b, len(b) + 1})
		pieces, errPieces := readAll(&chunked{b, size})
		if err != errPieces || len(whole) != len(pieces) {
			t.Fatalf("%v %v, %v %v", whole, err, pieces, errPieces)
		}
		for i := range whole {
			if whole[i] != pieces[i] {
				t.Fatalf("%v, %v", whole[i], pieces[i])
			}
		}
	})
}

func FuzzStart(f *testing.F) {
	f.Add([]byte(`{"argv": ["a"], "env": {"K": "V"}, "tty": {"columns": 80, "rows": 24}}`))
	f.Add([]byte(`{"argv": ["a"], "timeoutMs": 9e99}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := parseStart(b)
		if err == nil && (len(s.argv) == 0 || s.timeout() < 0 || s.cwd[0] != '/') {
			t.Fatalf("%+v", s)
		}
	})
}
