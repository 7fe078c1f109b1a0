// Package strictjson reads and writes the small JSON objects of the wire
// protocol. It refuses what the protocol does not know, and it leaves out the
// reflection of the standard package, which would be a good part of all code
// that a machine's first command runs through.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// Reader reads one JSON text. The first error sticks, and everything read
// after it is zero.
type Reader struct {
	text []byte
	at   int
	err  error
}

var errSyntax = errors.New("not the JSON that was expected")

// Parse reads a text that is one object. For each of its fields, field has to
// read the value or to call Unknown; a null is the same as no field.
func Parse(text []byte, field func(r *Reader, name string)) error {
	r := &Reader{text: text}
	r.Object(func(name string) { field(r, name) })
	r.skipSpace()
	if r.err == nil && r.at < len(text) {
		r.fail(errSyntax)
	}
	return r.err
}

// Unknown refuses a field.
func (r *Reader) Unknown(name string) { r.fail(fmt.Errorf("unknown field %q", name)) }

// Object reads an object's fields, each with field as Parse says.
func (r *Reader) Object(field func(name string)) {
	r.list('{', '}', func() {
		name := r.Text()
		r.expect(':')
		if !r.literal("null") {
			field(name)
		}
	})
}

// Texts reads an array of strings.
func (r *Reader) Texts() (all []string) {
	r.list('[', ']', func() { all = append(all, r.Text()) })
	return all
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	if r.literal("true") {
		return true
	}
	if !r.literal("false") {
		r.fail(errSyntax)
	}
	return false
}

// Integer reads a number without fraction or exponent, within limits.
func (r *Reader) Integer(min, max int64) int64 {
	r.skipSpace()
	start := r.at
	for r.at < len(r.text) && (r.text[r.at] == '-' || r.text[r.at] >= '0' && r.text[r.at] <= '9') {
		r.at++
	}
	digits := bytes.TrimPrefix(r.text[start:r.at], []byte("-"))
	n, err := strconv.ParseInt(string(r.text[start:r.at]), 10, 64)
	if err != nil || len(digits) > 1 && digits[0] == '0' {
		r.fail(errSyntax)
		return 0
	}
	if n < min || n > max {
		r.fail(fmt.Errorf("%d is not within %d to %d", n, min, max))
		return 0
	}
	return n
}

// Text reads a string.
func (r *Reader) Text() string {
	r.expect('"')
	start, escaped := r.at, false
	for ; r.at < len(r.text) && r.err == nil; r.at++ {
		switch c := r.text[r.at]; {
		case c == '\\':
			escaped = true
			r.at++
		case c < ' ':
			r.fail(errSyntax)
		case c == '"':
			r.at++
			return r.unescape(r.text[start-1:r.at], escaped)
		}
	}
	r.fail(errSyntax)
	return ""
}

// unescape reads a quoted string whose end is known. Escapes are rare and
// their rules are many: those are left to the standard package.
func (r *Reader) unescape(quoted []byte, escaped bool) (s string) {
	if !escaped {
		return string(quoted[1 : len(quoted)-1])
	}
	if err := json.Unmarshal(quoted, &s); err != nil {
		r.fail(err)
	}
	return s
}

// list reads what stands between brackets, separated by commas.
func (r *Reader) list(open, end byte, element func()) {
	r.expect(open)
	if r.next(end) {
		return
	}
	for r.err == nil {
		element()
		if r.next(end) {
			return
		}
		r.expect(',')
	}
}

// next skips a character if it is the next one.
func (r *Reader) next(c byte) bool {
	r.skipSpace()
	if r.err != nil || r.at >= len(r.text) || r.text[r.at] != c {
		return false
	}
	r.at++
	return true
}

func (r *Reader) expect(c byte) {
	if !r.next(c) {
		r.fail(errSyntax)
	}
}

func (r *Reader) literal(word string) bool {
	r.skipSpace()
	end := r.at + len(word)
	if r.err != nil || end > len(r.text) || string(r.text[r.at:end]) != word {
		return false
	}
	r.at = end
	return true
}

func (r *Reader) skipSpace() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

func (r *Reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}
