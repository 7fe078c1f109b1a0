package h2

import (
	"bytes"
	"errors"
	"testing"
)

func TestEndsAConnectionThatBreaksTheRules(t *testing.T) {
	headers := func(flags byte, stream uint32) []byte {
		return appendFrame(nil, frameHeaders, flags, stream, getRoot...)
	}
	open := headers(flagEndHeaders, 1)
	for name, c := range map[string]struct {
		sent []byte
		code faultCode
	}{
		"a frame too large":              {appendFrameHeader(nil, frameHeader{frameSizeMax + 1, frameData, 0, 1}), codeFrameSize},
		"DATA before its HEADERS":        {appendFrame(nil, frameData, 0, 1, 1), codeProtocol},
		"DATA on the connection":         {appendFrame(nil, frameData, 0, 0, 1), codeProtocol},
		"DATA after the end":             {append(headers(flagEndHeaders|flagEndStream, 1), appendFrame(nil, frameData, 0, 1, 1)...), codeProtocol},
		"padding longer than its frame":  {append(open, appendFrame(nil, frameData, flagPadded, 1, 9, 0)...), codeProtocol},
		"an even stream":                 {headers(flagEndHeaders, 2), codeProtocol},
		"CONTINUATION of nothing":        {appendFrame(nil, frameContinuation, 0, 1), codeProtocol},
		"an interrupted header block":    {append(headers(0, 1), appendFrame(nil, framePing, 0, 0, make([]byte, 8)...)...), codeProtocol},
		"a header block that never ends": {append(headers(0, 1), bytes.Repeat(appendFrame(nil, frameContinuation, 0, 1, make([]byte, 16<<10)...), 4)...), codeCalm},
		"broken HPACK":                   {appendFrame(nil, frameHeaders, flagEndHeaders, 1, 0xff, 0xff, 0xff), codeCompression},
		"a PING of odd size":             {appendFrame(nil, framePing, 0, 0, 1), codeFrameSize},
		"SETTINGS of odd size":           {appendFrame(nil, frameSettings, 0, 0, 1), codeFrameSize},
		"SETTINGS on a stream":           {appendFrame(nil, frameSettings, 0, 1), codeProtocol},
		"an impossible frame size":       {appendFrame(nil, frameSettings, 0, 0, 0, 5, 0, 0, 0, 1), codeProtocol},
		"an impossible window":           {appendWindowUpdate(nil, 0, windowMax), codeFlowControl},
		"RST_STREAM before its HEADERS":  {appendReset(nil, 1, codeNo), codeProtocol},
		"a stream window overrun": {append(append([]byte{}, headers(flagEndHeaders, 1)...),
			appendFrame(nil, frameData, 0, 1, make([]byte, streamWindow+1)...)...), codeFlowControl},
	} {
		t.Run(name, func(t *testing.T) {
			sent := append(opening(c.sent), bytes.Repeat([]byte{0}, 1<<12)...)
			in := NewReader(bytes.NewReader(sent))
			var out bytes.Buffer
			err := Serve(in, keepOpen{&out}, func(s *Stream) { untilEnd(s) })
			var broken connectionError
			if !errors.As(err, &broken) || broken.code != c.code {
				t.Fatal(err)
			}
			if farewell := out.Bytes(); len(farewell) < 17 || farewell[len(farewell)-17+3] != frameGoAway {
				t.Fatal("no GOAWAY")
			}
		})
	}
}

func TestRefusesStreamsOverTheLimit(t *testing.T) {
	host, _ := dial(t, func(s *Stream) { untilEnd(s) })
	b := opening()
	for i := 0; i <= streamsMax; i++ {
		b = append(b, appendFrame(nil, frameHeaders, flagEndHeaders, uint32(2*i+1), getRoot...)...)
	}
	go host.Write(b)
	in := NewReader(host)
	for {
		head, err := in.Peek(headerSize)
		if err != nil {
			t.Fatal(err)
		}
		h := parseFrameHeader(head)
		in.Discard(headerSize + h.length)
		if h.kind == frameReset {
			if h.stream != 2*streamsMax+1 {
				t.Fatalf("refused stream %d", h.stream)
			}
			return
		}
	}
}

func TestCutsOffAClientThatProvokesAndDoesNotRead(t *testing.T) {
	host, ended := dial(t, echo)
	ping := appendFrame(nil, framePing, 0, 0, make([]byte, 8)...)
	flood := bytes.Repeat(ping, 1<<12)
	go func() {
		host.Write(opening())
		for {
			if _, err := host.Write(flood); err != nil {
				return
			}
		}
	}()
	var broken connectionError
	if err := <-ended; !errors.As(err, &broken) || broken.code != codeCalm {
		t.Fatal(err)
	}
}

func TestRefusesMalformedRequests(t *testing.T) {
	for name, block := range map[string][]byte{
		"no method":            {0x84},
		"no path":              {0x82},
		"two paths":            {0x82, 0x84, 0x84},
		"no number of bytes":   {0x82, 0x84, 0x0f, 13, 1, 'x'},
		"two numbers of bytes": {0x82, 0x84, 0x0f, 13, 1, '1', 0x0f, 13, 1, '1'},
		"an unknown pseudo":    {0x82, 0x84, 0x00, 2, ':', 'x', 1, 'y'},
		"a pseudo field later": {0x82, 0x00, 1, 'a', 1, 'b', 0x84},
	} {
		t.Run(name, func(t *testing.T) {
			sent := opening(appendFrame(nil, frameHeaders, flagEndHeaders|flagEndStream, 1, block...))
			for _, h := range answers(t, sent) {
				if h.kind == frameReset && h.stream == 1 {
					return
				}
			}
			t.Fatal("not refused")
		})
	}
}
