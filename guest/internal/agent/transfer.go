package agent

import (
	"io"

	"luminaguard/guest/internal/files"
	"luminaguard/guest/internal/h2"
	"luminaguard/guest/internal/tunnel"
)

const anyBytes = "application/octet-stream"

func readFile(s *h2.Stream, query string) {
	path, err := files.ParsePath(query)
	if err != nil {
		refuse(s, err)
		return
	}
	file, size, err := files.Open(path)
	if err != nil {
		refuse(s, err)
		return
	}
	defer file.Close()
	s.Respond(h2.Header{Status: 200, ContentType: anyBytes, Length: size})
	memory := files.Map(file, size)
	defer files.Unmap(memory)
	if memory != nil {
		err = s.Lend(memory)
	} else {
		_, err = io.CopyN(s, file, size)
	}
	if err != nil {
		s.Abort()
		return
	}
	s.Finish(nil)
}

func writeFile(s *h2.Stream, query string) {
	target, err := files.ParseFileTarget(query)
	if err != nil {
		refuse(s, err)
		return
	}
	n, err := files.Write(target, s, s.Length)
	answer(s, count("bytes", n), err)
}

func readTree(s *h2.Stream, query string) {
	path, err := files.ParsePath(query)
	if err == nil {
		err = files.CheckFolder(path)
	}
	if err != nil {
		refuse(s, err)
		return
	}
	s.Respond(h2.Header{Status: 200, ContentType: "application/x-tar", Length: -1})
	if err := files.Pack(path, s); err != nil {
		s.Abort()
	}
}

func writeTree(s *h2.Stream, query string) {
	target, err := files.ParseTreeTarget(query)
	if err != nil {
		refuse(s, err)
		return
	}
	done, err := files.Unpack(target, s)
	answer(s, done.JSON(), err)
}

func connect(s *h2.Stream) {
	conn, err := tunnel.Dial(s.Authority)
	if err != nil {
		refuse(s, err)
		return
	}
	s.Respond(h2.Header{Status: 200, Length: -1})
	if err := tunnel.Join(s, conn); err != nil {
		s.Abort()
	}
}
