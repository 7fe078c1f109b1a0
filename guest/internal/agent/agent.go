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
		s.Respond(h2.Header{Status: 200, ContentType: "application/octet-stream", Length: -1})
		exec.Serve(s, a.Reaper)
	case "GET /v1/info":
		info, err := a.Machine.Info()
		answer(s, info, err)
	case "POST /v1/resume":
		a.resume(s)
	case "POST /v1/quiesce":
		reply(s, 200, jsonBody(struct {
			Killed int `json:"killed"`
		}{a.Reaper.KillAll()}))
	case "POST /v1/shutdown":
		reply(s, 200, []byte("{}"))
		s.Flushed()
		a.End()
	default:
		refuse(s, problem.NotFound("no such operation: %s %s", s.Method, path))
	}
	_ = query
}

func (a *Agent) resume(s *h2.Stream) {
	var r machine.Resume
	if err := readJSON(s, &r); err != nil {
		refuse(s, err)
		return
	}
	info, err := a.Machine.Resume(r)
	answer(s, info, err)
}
