package process

import (
	"errors"
	"io"
	"os"
	"reflect"
	"sort"
	"strings"
	"sync"
	"syscall"
	"testing"
)

var reaper = NewReaper()

func TestManyCommandsAtOnceAreEachReapedOnce(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	var wait sync.WaitGroup
	for i := 0; i < 50; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			c, err := reaper.Start(Spec{Argv: []string{"/bin/sh", "-c", "exit 7"}, Cwd: "/"})
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if status := c.Wait(); status.ExitStatus() != 7 {
				t.Error(status)
			}
		}()
	}
	wait.Wait()
	if len(reaper.awaited) != 0 {
		t.Fatal(reaper.awaited)
	}
}

func TestACommandThatDoesNotStartLeavesNothingOpen(t *testing.T) {
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(entries)
	}
	size := &Size{80, 24}
	before := open()
	for _, spec := range []Spec{
		{Argv: []string{"no-such-program"}, Cwd: "/"},
		{Argv: []string{"/etc/passwd"}, Cwd: "/", Stdin: true},
		{Argv: []string{"true"}, Cwd: "/no/such/folder", Terminal: size},
		{Argv: []string{"a\x00b"}, Cwd: "/", Terminal: size},
		{Argv: []string{"/bin/true", "a\x00b"}, Cwd: "/", Terminal: size},
		{Argv: []string{"/bin/true", "a\x00b"}, Cwd: "/", Stdin: true},
	} {
		if _, err := reaper.Start(spec); err == nil {
			t.Errorf("%+v started", spec)
		}
	}
	if after := open(); after != before {
		t.Fatalf("%d files open, were %d", after, before)
	}
}

func TestLooksProgramsUp(t *testing.T) {
	for name, c := range map[string]struct {
		name, path string
		want       error
	}{
		"found later in the path": {"sh", "/no/such:/bin", nil},
		"not in the path":         {"sh", "/no/such", syscall.ENOENT},
		"not without a path":      {"sh", "", syscall.ENOENT},
		"found, not executable":   {"passwd", "/etc", syscall.EACCES},
		"with a slash":            {"/bin/sh", "", nil},
		"relative to the folder":  {"bin/sh", "", nil},
		"a file on the way":       {"/etc/passwd/x", "", syscall.ENOENT},
		"the folder is not in it": {"passwd", ":", syscall.ENOENT},
	} {
		if _, err := lookUp(c.name, c.path, "/"); err != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadsAccounts(t *testing.T) {
	got, ok := parseAccount("user:x:1000:1001:Some One:/home/user:/bin/sh")
	if want := (Account{"user", 1000, 1001, "/home/user"}); !ok || got != want {
		t.Fatalf("%+v", got)
	}
	for _, line := range []string{"", "user:x:a:1::/:", "user:x:1:-1::/:", "user:x:1:1"} {
		if _, ok := parseAccount(line); ok {
			t.Errorf("%q is an account", line)
		}
	}
	root, err := LookUpAccount("0")
	if err != nil || root.Name != "root" || root.Home == "" {
		t.Fatalf("%+v, %v", root, err)
	}
	number, err := LookUpAccount("4000000")
	if want := (Account{"4000000", 4000000, 4000000, "/"}); err != nil || number != want {
		t.Fatalf("%+v, %v", number, err)
	}
	if _, err := LookUpAccount("-1"); err == nil {
		t.Fatal("a negative number is a user")
	}
}

func TestAskedVariablesWin(t *testing.T) {
	got := environment(Account{Name: "u", Home: "/h"}, map[string]string{"HOME": "/x", "A": "b"}, true)
	sort.Strings(got)
	want := []string{"A=b", "HOME=/x", "LANG=C.UTF-8", "PATH=" + defaultPath, "TERM=" + defaultTerm, "USER=u"}
	if !reflect.DeepEqual(got, want) {
		t.Fatal(got)
	}
}

func TestATerminalEndsWithItsCommand(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	c, err := reaper.Start(Spec{Argv: []string{"/bin/sh", "-c", "stty size"}, Cwd: "/", Terminal: &Size{81, 25}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b, err := io.ReadAll(c.Stdout)
	if string(b) != "25 81\r\n" || !errors.Is(err, syscall.EIO) {
		t.Fatalf("%q, %v", b, err)
	}
	c.Wait()
}

func TestACommandStartsWithNoSignalHeldBackOrHandled(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	c, err := reaper.Start(Spec{Argv: []string{"/bin/sh", "-c", "cat /proc/self/status"}, Cwd: "/"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	text, _ := io.ReadAll(c.Stdout)
	c.Wait()
	for _, none := range []string{"SigBlk:\t0000000000000000\n", "SigCgt:\t0000000000000000\n"} {
		if !strings.Contains(string(text), none) {
			t.Errorf("%s", text)
		}
	}
}

func TestAProgramThatCannotBeExecutedLeavesNoChild(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	program := t.TempDir() + "/program"
	if err := os.WriteFile(program, []byte("\x7fELF and no more"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(program, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := reaper.Start(Spec{Argv: []string{program}, Cwd: "/"}); !errors.Is(err, ErrNotExecutable) {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); pid > 0 {
		t.Fatal(pid, err)
	}
}
