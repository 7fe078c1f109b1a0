package strictjson

import (
	"encoding/json"
	"reflect"
	"testing"
)

// sample has a field of every kind.
type sample struct {
	T string   `json:"t"`
	N int64    `json:"n"`
	B bool     `json:"b"`
	L []string `json:"l"`
	O struct {
		T string `json:"t"`
	} `json:"o"`
}

func parse(text []byte) (s sample, err error) {
	err = Parse(text, func(r *Reader, name string) {
		switch name {
		case "t":
			s.T = r.Text()
		case "n":
			s.N = r.Integer(-9, 99)
		case "b":
			s.B = r.Bool()
		case "l":
			s.L = r.Texts()
		case "o":
			r.Object(func(name string) {
				if name != "t" {
					r.Unknown(name)
					return
				}
				s.O.T = r.Text()
			})
		default:
			r.Unknown(name)
		}
	})
	return s, err
}

func TestReads(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { } `, `{"t":"a\u00e9\"\\\/\n\ud83d\ude00"}`, `{"t":"ä","n":-9,"b":true}`,
		"{\n\t\"l\" : [ ] , \"b\" : false\r\n}", `{"l":["","a","b"],"o":{"t":"x"},"n":0}`,
		`{"t":null,"n":null,"b":null,"l":null,"o":null}`, `{"n":1,"n":2}`,
	} {
		got, err := parse([]byte(text))
		var want sample
		if errWant := json.Unmarshal([]byte(text), &want); err != nil || errWant != nil {
			t.Errorf("%s: %v, %v", text, err, errWant)
		}
		if len(want.L) == 0 {
			want.L = nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, not %+v", text, got, want)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, text := range []string{
		``, `{`, `}`, `[]`, `null`, `"t"`, `{}{}`, `{},`, `{"t"}`, `{"t":}`, `{"t":"a"`, `{"t":"a",}`, `{,}`,
		`{t:"a"}`, `{"t":"a" "n":1}`, `{"t":1}`, `{"t":"a`, `{"t":"\"}`, `{"t":"\q"}`, "{\"t\":\"a\nb\"}",
		`{"n":"1"}`, `{"n":1.0}`, `{"n":1e1}`, `{"n":-}`, `{"n":07}`, `{"n":100}`, `{"n":-10}`, `{"n":99999999999999999999}`,
		`{"b":1}`, `{"b":truefalse}`, `{"l":"a"}`, `{"l":["a",]}`, `{"l":[1]}`, `{"l":["a"`, `{"o":[]}`,
		`{"x":1}`, `{"o":{"x":1}}`, `{"T":"case"}`,
	} {
		if got, err := parse([]byte(text)); err == nil {
			t.Errorf("%s: %+v", text, got)
		}
	}
}

func TestWrites(t *testing.T) {
	if got := string(Object{}.JSON()); got != "{}" {
		t.Error(got)
	}
	got := string(Object{}.Text("a", "b c").Text("d", "\"\\\n\x00é").Integer("n", -7).Bool("t", true).JSON())
	if want := `{"a":"b c","d":"\"\\\n\u0000é","n":-7,"t":true}`; got != want {
		t.Error(got)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"t":"a\n","n":7,"b":true,"l":["x"],"o":{"t":"y"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := parse(text)
		if err != nil {
			return
		}
		// Whatever we accept is JSON, and means the same to everyone.
		var want sample
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if got.N != want.N || got.B != want.B {
			t.Fatalf("%q: %+v, not %+v", text, got, want)
		}
	})
}
