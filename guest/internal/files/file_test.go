package files

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"luminaguard/guest/internal/h2"
	"luminaguard/guest/internal/problem"
)

func TestWritesAFileWithItsParents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a/b/c")
	target := here(path)
	target.Mode = 0o4750
	for _, text := range []string{"first", "second"} {
		n, err := Write(target, asBody(text), -1)
		if err != nil || n != int64(len(text)) {
			t.Fatal(n, err)
		}
		b, err := os.ReadFile(path)
		if err != nil || string(b) != text {
			t.Fatalf("%q, %v", b, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o750|os.ModeSetuid {
		t.Fatal(info.Mode(), err)
	}
}

func TestABodyThatBreaksOffLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	if _, err := Write(here(path), asBody("old"), -1); err != nil {
		t.Fatal(err)
	}
	broken := io.MultiReader(strings.NewReader("ne"), readerFunc(func([]byte) (int, error) {
		return 0, errors.New("gone")
	}))
	if _, err := Write(here(path), body{broken}, -1); err == nil {
		t.Fatal("written")
	}
	b, err := os.ReadFile(path)
	entries, _ := os.ReadDir(dir)
	if err != nil || string(b) != "old" || len(entries) != 1 {
		t.Fatalf("%q, %v, %v", b, err, entries)
	}
}

// body arrives in the pieces its reader gives, half of them straight.
type body struct{ io.Reader }

func asBody(text string) body { return body{strings.NewReader(text)} }

func (b body) Fill(sink h2.Sink) error {
	piece := make([]byte, 100_000)
	for straight := false; ; straight = !straight {
		n, err := b.Read(piece)
		if err == io.EOF {
			return nil
		}
		for given := 0; err == nil && given < n; {
			if !straight {
				given, err = sink.Write(piece[:n])
				continue
			}
			var room []byte
			if room, err = sink.Room(); err == nil {
				taken := copy(room, piece[given:n])
				sink.Filled(taken)
				given += taken
			}
		}
		if err != nil {
			return err
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestOnlyRegularFilesAreFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]string{
		dir:                          "not-a-file",
		pipe:                         "not-a-file",
		"/dev/null":                  "not-a-file",
		filepath.Join(dir, "absent"): "not-found",
	} {
		_, _, err := Open(path)
		if err == nil || problem.From(err).Code != code {
			t.Errorf("%s: %v", path, err)
		}
		if code == "not-a-file" {
			if _, err := Write(here(path), asBody(""), 0); err == nil || problem.From(err).Code != code {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func TestReadsTargets(t *testing.T) {
	got, err := ParseFileTarget("path=%2Fa%20b&mode=0640&uid=0&gid=7")
	if err != nil || got != (Target{"/a b", 0o640, 0, 7}) {
		t.Fatalf("%+v, %v", got, err)
	}
	got, err = ParseTreeTarget("path=/a")
	if err != nil || got != (Target{"/a", defaultMode, 1000, 1000}) {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, query := range []string{
		"", "path=", "path=a", "path=/a&path=/b", "path=/a&mode=9", "path=/a&mode=10000",
		"path=/a&uid=-1", "path=/a&uid=4294967295", "path=/a&x=y", "path=/a%00b", "path=%zz",
	} {
		if _, err := ParseFileTarget(query); err == nil || problem.From(err).Status != 400 {
			t.Errorf("%q: %v", query, err)
		}
	}
}

func FuzzTarget(f *testing.F) {
	f.Add("path=%2Fa&mode=644&uid=0")
	f.Fuzz(func(t *testing.T, query string) {
		got, err := ParseFileTarget(query)
		if err == nil && (got.Path[0] != '/' || got.Mode > modeMax || got.UID < 0 || got.GID < 0) {
			t.Fatalf("%+v", got)
		}
	})
}
