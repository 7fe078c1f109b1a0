package files

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"luminaguard/guest/internal/problem"
)

// archive packs headers; a regular file's content is its name.
func archive(t testing.TB, headers ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(h.Name))
		}
		if h.Mode == 0 {
			h.Mode = 0o755
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			io.WriteString(w, h.Name)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(name string) tar.Header   { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
func folder(name string) tar.Header { return tar.Header{Typeflag: tar.TypeDir, Name: name + "/"} }

func symlink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
}

func hardlink(name, to string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
}

// here is a target that is ours, so that no test needs root.
func here(dir string) Target {
	return Target{Path: dir, Mode: defaultMode, UID: os.Getuid(), GID: os.Getgid()}
}

// arena is a folder with a target and, beside it, what must not change.
func arena(t testing.TB) (target, outside string) {
	dir := t.TempDir()
	target, outside = filepath.Join(dir, "target"), filepath.Join(dir, "outside")
	for _, d := range []string{target, outside} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	return target, outside
}

func untouched(t testing.TB, outside string) {
	t.Helper()
	entries, err := os.ReadDir(outside)
	if err != nil || len(entries) != 1 {
		t.Fatalf("outside holds %v, %v", entries, err)
	}
	b, err := os.ReadFile(filepath.Join(outside, "secret"))
	if err != nil || string(b) != "secret" {
		t.Fatalf("%q, %v", b, err)
	}
	info, err := os.Stat(filepath.Join(outside, "secret"))
	if err != nil || info.Mode() != 0o600 || info.Sys().(*syscall.Stat_t).Nlink != 1 {
		t.Fatalf("%v, %v", info, err)
	}
}

func TestNoEntryLeavesTheTarget(t *testing.T) {
	for name, attack := range map[string]func(outside string) []tar.Header{
		"dots":           func(string) []tar.Header { return []tar.Header{file("../outside/x")} },
		"inner dots":     func(string) []tar.Header { return []tar.Header{folder("a"), file("a/../../outside/x")} },
		"absolute":       func(o string) []tar.Header { return []tar.Header{file(o + "/x")} },
		"absolute link":  func(o string) []tar.Header { return []tar.Header{symlink("l", o), file("l/x")} },
		"relative link":  func(string) []tar.Header { return []tar.Header{symlink("l", "../outside"), file("l/x")} },
		"link to link":   func(o string) []tar.Header { return []tar.Header{symlink("a", o), symlink("b", "a"), file("b/x")} },
		"folder in link": func(o string) []tar.Header { return []tar.Header{symlink("l", o), folder("l/d")} },
		"deep in link":   func(o string) []tar.Header { return []tar.Header{symlink("l", o), file("l/a/b/c")} },
		"mode of a link": func(o string) []tar.Header {
			return []tar.Header{symlink("l", o+"/secret"), {Typeflag: tar.TypeReg, Name: "l", Mode: 0o777}}
		},
		"folder over link": func(o string) []tar.Header { return []tar.Header{symlink("l", o), folder("l")} },
		"hard link out":    func(o string) []tar.Header { return []tar.Header{hardlink("h", o+"/secret")} },
		"hard link dots":   func(string) []tar.Header { return []tar.Header{hardlink("h", "../outside/secret")} },
		"hard link by link": func(o string) []tar.Header {
			return []tar.Header{symlink("l", o), hardlink("h", "l/secret"), {Typeflag: tar.TypeReg, Name: "h", Mode: 0o777}}
		},
		"link swapped in": func(o string) []tar.Header {
			return []tar.Header{folder("d"), file("d/a"), symlink("e", o), file("e"), symlink("e", o), file("e/x")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			target, outside := arena(t)
			Unpack(here(target), bytes.NewReader(archive(t, attack(outside)...)))
			untouched(t, outside)
		})
	}
}

func TestUnpacksWhatWasPacked(t *testing.T) {
	target, _ := arena(t)
	changed := time.Unix(1_000_000_000, 0)
	sent := []tar.Header{
		folder("a"), file("a/one"), hardlink("a/two", "a/one"), symlink("a/three", "one"),
		{Typeflag: tar.TypeReg, Name: "b/c/d", Mode: 0o4711, ModTime: changed},
		{Typeflag: tar.TypeDir, Name: "e/", Mode: 0o700, ModTime: changed}, file("e/f"),
		{Typeflag: tar.TypeFifo, Name: "pipe"},
	}
	done, err := Unpack(here(target), bytes.NewReader(archive(t, sent...)))
	if err != nil || done.Files != 5 || done.Bytes != int64(len("a/one"+"b/c/d"+"e/f")) {
		t.Fatalf("%+v, %v", done, err)
	}
	syscall.Mkfifo(filepath.Join(target, "fifo"), 0o600)
	if l, err := net.Listen("unix", filepath.Join(target, "socket")); err == nil {
		defer l.Close()
	}
	var b bytes.Buffer
	if err := Pack(target, &b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(&b); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r)
		got = append(got, strings.TrimSpace(h.Name+" "+h.Linkname+string(body)))
		if h.Name == "b/c/d" && (h.Mode != 0o4711 || !h.ModTime.Equal(changed)) {
			t.Errorf("%+v", h)
		}
		if h.Name == "e/" && (h.Mode != 0o700 || !h.ModTime.Equal(changed)) {
			t.Errorf("%+v", h)
		}
	}
	want := []string{"a/", "a/one a/one", "a/three one", "a/two a/one", "b/", "b/c/", "b/c/d b/c/d", "e/", "e/f e/f"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") || !sort.StringsAreSorted(got) {
		t.Fatalf("%q", got)
	}
}

func TestReplacesFilesButNotFolders(t *testing.T) {
	target, _ := arena(t)
	first := archive(t, file("a"), symlink("b", "a"), folder("d"), file("d/x"))
	if _, err := Unpack(here(target), bytes.NewReader(first)); err != nil {
		t.Fatal(err)
	}
	if _, err := Unpack(here(target), bytes.NewReader(archive(t, symlink("a", "x"), file("b"), folder("d")))); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(target, "b")); err != nil || string(b) != "b" {
		t.Fatalf("%q, %v", b, err)
	}
	for _, h := range []tar.Header{file("d"), symlink("d", "x"), folder("b")} {
		_, err := Unpack(here(target), bytes.NewReader(archive(t, h)))
		if err == nil || problem.From(err).Code != "exists" {
			t.Errorf("%s: %v", h.Name, err)
		}
	}
}

func TestAnArchiveCutShortIsAnError(t *testing.T) {
	whole := archive(t, file("a"), file("b"))
	for _, n := range []int{1, 511, 512, 1025, 1536} {
		target, _ := arena(t)
		_, err := Unpack(here(target), bytes.NewReader(whole[:n]))
		if err == nil || problem.From(err).Code != "bad-request" {
			t.Errorf("cut at %d: %v", n, err)
		}
	}
}

func TestDoesNotPackWhatTheKernelMakesUp(t *testing.T) {
	kinds := mountKinds{}
	for _, path := range []string{"/proc", "/sys", "/dev"} {
		if !kinds.kernelMade(path, deviceOf(path)) {
			t.Errorf("%s would be packed", path)
		}
	}
	if dir := t.TempDir(); kinds.kernelMade(dir, deviceOf(dir)) {
		t.Errorf("%s would not", dir)
	}
}

func TestPadsAFileThatShrinks(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	p := &packer{out: tar.NewWriter(&b), chunk: make([]byte, 8)}
	if err := p.file(path, &tar.Header{Typeflag: tar.TypeReg, Name: "f", Size: 6}); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(&b)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != "abc\x00\x00\x00" {
		t.Fatalf("%q, %v", got, err)
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, folder("a"), file("a/b"), symlink("c", "a"), hardlink("d", "a/b")))
	f.Add(archive(f, symlink("l", "../outside"), file("l/x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		target, outside := arena(t)
		_, err := Unpack(here(target), bytes.NewReader(b))
		untouched(t, outside)
		var p *problem.Problem
		if err != nil && !errors.As(err, &p) && problem.From(err).Title == "" {
			t.Fatal(err)
		}
	})
}
