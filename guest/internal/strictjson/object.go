package strictjson

import (
	"encoding/json"
	"strconv"
)

// Object writes a JSON object, field by field.
type Object struct{ b []byte }

// Text adds a string.
func (o Object) Text(name, value string) Object {
	o = o.field(name)
	if plain(value) {
		o.b = append(append(append(o.b, '"'), value...), '"')
		return o
	}
	quoted, err := json.Marshal(value)
	if err != nil {
		panic(err) // every string can be written
	}
	o.b = append(o.b, quoted...)
	return o
}

// Integer adds a number.
func (o Object) Integer(name string, value int64) Object {
	o = o.field(name)
	o.b = strconv.AppendInt(o.b, value, 10)
	return o
}

// Bool adds a boolean.
func (o Object) Bool(name string, value bool) Object {
	o = o.field(name)
	o.b = strconv.AppendBool(o.b, value)
	return o
}

// JSON ends the object.
func (o Object) JSON() []byte {
	if len(o.b) == 0 {
		return []byte("{}")
	}
	return append(o.b, '}')
}

// field starts one; names are ours and need no escapes.
func (o Object) field(name string) Object {
	separator := byte(',')
	if len(o.b) == 0 {
		separator = '{'
	}
	o.b = append(o.b, separator, '"')
	o.b = append(o.b, name...)
	o.b = append(o.b, '"', ':')
	return o
}

// plain reports whether a string is its own JSON.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
