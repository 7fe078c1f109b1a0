package agent

import (
	"io"

	"luminaguard/guest/internal/h2"
	"luminaguard/guest/internal/problem"
	"luminaguard/guest/internal/strictjson"
)

const requestBytesMax = 1 << 20

// readBody reads a request that is small.
func readBody(s *h2.Stream) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(s, requestBytesMax+1))
	if len(body) > requestBytesMax {
		return nil, problem.TooLarge("request")
	}
	return body, err
}

// answer replies with a result, or with the reason why there is none.
func answer(s *h2.Stream, result []byte, err error) {
	if err != nil {
		refuse(s, err)
		return
	}
	reply(s, 200, "application/json", result)
}

func refuse(s *h2.Stream, err error) {
	p := problem.From(err)
	reply(s, p.Status, "application/problem+json", p.JSON())
}

func reply(s *h2.Stream, status int, kind string, body []byte) {
	s.Respond(h2.Header{Status: status, ContentType: kind, Length: int64(len(body))})
	s.Finish(body)
}

// count is an answer that is one number.
func count(name string, n int64) []byte {
	return strictjson.Object{}.Integer(name, n).JSON()
}
