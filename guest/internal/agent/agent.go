// Package agent answers the host: it is the table of the wire protocol's
// operations and nothing else.
package agent

import (
	"strings"

	"luminaguard/guest/internal/exec"
	"luminaguard/guest/internal/h2"
	"luminaguard/guest/internal/machine"
	"luminaguard/guest/internal/problem"
	"luminaguard/guest/internal/process"
)

// Agent serves one machine.
type Agent struct {
	Machine *machine.Machine
	Reaper  *process.Reaper
	// End ends the machine and does not return.
	End func()
}

// Serve answers one request.
func (a *Agent) Serve(s *h2.Stream) {
	path, query, _ := strings.Cut(s.Path, "?")
	switch s.Method + " " + path {
	case "POST /v1/exec":
		s.Respond(h2.Header{Status: 200, ContentType: anyBytes, Length: -1})
		exec.Serve(s, a.Reaper)
	case "GET /v1/info":
		info, err := a.Machine.Info()
		answer(s, info.JSON(), err)
	case "POST /v1/resume":
		a.resume(s)
	case "GET /v1/file":
		readFile(s, query)
	case "PUT /v1/file":
		writeFile(s, query)
	case "GET /v1/tar":
		readTree(s, query)
	case "PUT /v1/tar":
		writeTree(s, query)
	case "CONNECT ":
		connect(s)
	case "POST /v1/quiesce":
		answer(s, count("killed", int64(a.Reaper.KillAll())), nil)
	case "POST /v1/scrub":
		bytes, err := machine.Scrub()
		answer(s, count("bytes", bytes), err)
	case "POST /v1/shutdown":
		answer(s, []byte("{}"), nil)
		s.Flushed()
		a.End()
	default:
		refuse(s, problem.NotFound("no such operation: %s %s", s.Method, path))
	}
}

func (a *Agent) resume(s *h2.Stream) {
	body, err := readBody(s)
	var asked machine.Resume
	if err == nil {
		asked, err = machine.ParseResume(body)
	}
	var info machine.Info
	if err == nil {
		info, err = a.Machine.Resume(asked)
	}
	answer(s, info.JSON(), err)
}
