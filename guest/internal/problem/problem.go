// Package problem is how the agent says no: one error type that carries the
// status and code of the wire protocol.
package problem

import (
	"errors"
	"fmt"
	"syscall"

	"luminaguard/guest/internal/strictjson"
)

// Problem is a failure as the host sees it.
type Problem struct {
	Status int
	Code   string
	Title  string
}

func (p *Problem) Error() string { return p.Title }

// JSON is the body of the answer.
func (p *Problem) JSON() []byte {
	return strictjson.Object{}.
		Integer("status", int64(p.Status)).
		Text("code", p.Code).
		Text("title", p.Title).
		JSON()
}

// BadRequest says that the request makes no sense.
func BadRequest(format string, args ...any) *Problem {
	return &Problem{400, "bad-request", fmt.Sprintf(format, args...)}
}

// NotFound says that what was asked for is not there.
func NotFound(format string, args ...any) *Problem {
	return &Problem{404, "not-found", fmt.Sprintf(format, args...)}
}

// NotAFile says that a path leads to something that is no regular file.
func NotAFile(path string) *Problem {
	return &Problem{409, "not-a-file", "not a regular file: " + path}
}

// NotAFolder says that a path leads to something that is no folder.
func NotAFolder(path string) *Problem {
	return &Problem{409, "not-a-file", "not a folder: " + path}
}

// TooLarge says that a request is over its limit.
func TooLarge(what string) *Problem {
	return &Problem{413, "too-large", what + " too large"}
}

// Unreachable says that nothing answers at an address.
func Unreachable(err error) *Problem {
	return &Problem{502, "unreachable", err.Error()}
}

// From gives any error its place in the protocol.
func From(err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	p = &Problem{Status: 500, Code: "internal", Title: err.Error()}
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return p
	}
	switch errno {
	case syscall.ENOENT, syscall.ENOTDIR:
		p.Status, p.Code = 404, "not-found"
	case syscall.EACCES, syscall.EPERM, syscall.EROFS, syscall.EXDEV, syscall.ELOOP:
		p.Status, p.Code = 403, "denied"
	case syscall.EEXIST, syscall.ENOTEMPTY:
		p.Status, p.Code = 409, "exists"
	case syscall.EISDIR:
		p.Status, p.Code = 409, "not-a-file"
	case syscall.ENOSPC, syscall.EDQUOT:
		p.Status, p.Code = 507, "no-space"
	case syscall.ENAMETOOLONG, syscall.EINVAL:
		p.Status, p.Code = 400, "bad-request"
	}
	return p
}
