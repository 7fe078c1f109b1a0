package h2

import (
	"bytes"
	"io"
	"testing"
)

func FuzzConnection(f *testing.F) {
	request := appendFrame(nil, frameHeaders, flagEndHeaders, 1, getRoot...)
	f.Add(opening(request, appendFrame(nil, frameData, flagEndStream, 1, 'x')))
	f.Add(opening(appendWindowUpdate(nil, 0, 9), appendReset(nil, 1, codeNo)))
	f.Add([]byte(preface))
	f.Fuzz(func(t *testing.T, sent []byte) {
		if !bytes.HasPrefix(sent, []byte(preface)) {
			sent = append([]byte(preface), sent...)
		}
		in := NewReader(bytes.NewReader(sent))
		Serve(in, keepOpen{io.Discard}, echo)
	})
}
