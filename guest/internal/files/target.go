// Package files moves single files and whole trees into and out of the
// machine.
package files

import (
	"net/url"
	"strconv"
	"strings"

	"luminaguard/guest/internal/problem"
)

// Target is where something is to be written, and whose it is to be.
type Target struct {
	Path string
	Mode uint32
	UID  int
	GID  int
}

const (
	defaultOwner = 1000
	defaultMode  = 0o644
	folderMode   = 0o755
	modeMax      = 0o7777
	idMax        = 1<<31 - 1
)

// ParsePath reads the one parameter of a request that reads.
func ParsePath(query string) (string, error) {
	t, err := parse(query, "path")
	return t.Path, err
}

// ParseFileTarget reads the parameters of a request that writes a file.
func ParseFileTarget(query string) (Target, error) {
	return parse(query, "path", "mode", "uid", "gid")
}

// ParseTreeTarget reads the parameters of a request that unpacks a tree.
func ParseTreeTarget(query string) (Target, error) {
	return parse(query, "path", "uid", "gid")
}

func parse(query string, known ...string) (Target, error) {
	t := Target{Mode: defaultMode, UID: defaultOwner, GID: defaultOwner}
	values, err := url.ParseQuery(query)
	if err != nil {
		return t, problem.BadRequest("%s", err)
	}
	for _, name := range known {
		given := values[name]
		delete(values, name)
		if len(given) > 1 {
			return t, problem.BadRequest("%s given twice", name)
		}
		if len(given) == 1 && !t.set(name, given[0]) {
			return t, problem.BadRequest("bad %s: %q", name, given[0])
		}
	}
	for name := range values {
		return t, problem.BadRequest("unknown parameter: %q", name)
	}
	if t.Path == "" {
		return t, problem.BadRequest("no path")
	}
	return t, nil
}

func (t *Target) set(name, value string) bool {
	if name == "path" {
		t.Path = value
		return strings.HasPrefix(value, "/") && !strings.Contains(value, "\x00")
	}
	base, limit := 10, uint64(idMax)
	if name == "mode" {
		base, limit = 8, modeMax
	}
	n, err := strconv.ParseUint(value, base, 32)
	if err != nil || n > limit {
		return false
	}
	switch name {
	case "mode":
		t.Mode = uint32(n)
	case "uid":
		t.UID = int(n)
	case "gid":
		t.GID = int(n)
	}
	return true
}
