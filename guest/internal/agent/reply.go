package agent

import (
	"bytes"
	"encoding/json"
	"io"

	"luminaguard/guest/internal/h2"
	"luminaguard/guest/internal/problem"
)

const requestBytesMax = 1 << 20

// readJSON reads a request's body strictly: a field we do not know might be
// one the host relies on.
func readJSON(s *h2.Stream, into any) error {
	body, err := io.ReadAll(io.LimitReader(s, requestBytesMax+1))
	if err != nil {
		return err
	}
	if len(body) > requestBytesMax {
		return problem.TooLarge("request")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return problem.BadRequest("%s", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return problem.BadRequest("more than one value")
	}
	return nil
}

// answer replies with a result, or with the reason why there is none.
func answer(s *h2.Stream, result any, err error) {
	if err != nil {
		refuse(s, err)
		return
	}
	reply(s, 200, jsonBody(result))
}

func jsonBody(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only plain structs of ours come here
	}
	return b
}

func reply(s *h2.Stream, status int, body []byte) {
	s.Respond(h2.Header{Status: status, ContentType: "application/json", Length: int64(len(body))})
	s.Finish(body)
}

func refuse(s *h2.Stream, err error) {
	p := problem.From(err)
	body := p.JSON()
	s.Respond(h2.Header{Status: p.Status, ContentType: "application/problem+json", Length: int64(len(body))})
	s.Finish(body)
}
