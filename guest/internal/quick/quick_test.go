package quick

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhatIsWrittenAtAnOffsetIsWhatIsThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	fd := int(file.Fd())
	for _, step := range []func() error{
		func() error { _, err := Write(fd, []byte("twelve bytes")); return err },
		func() error { _, err := WriteAt(fd, []byte("T"), 0); return err },
		func() error { return Truncate(fd, 6) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	if text, _ := os.ReadFile(path); string(text) != "Twelve" {
		t.Fatalf("%q", text)
	}
	if stat, err := Stat(path); err != nil || stat.Size != 6 || stat.Mode&syscall.S_IFMT != syscall.S_IFREG {
		t.Fatal(stat, err)
	}
}

func TestAFailureIsTheSystemsOwn(t *testing.T) {
	if _, err := Stat("/no/such/file"); err != syscall.ENOENT {
		t.Error(err)
	}
	if _, err := Stat("a\x00b"); err != syscall.EINVAL {
		t.Error(err)
	}
	if _, err := Read(-1, make([]byte, 1)); err != syscall.EBADF {
		t.Error(err)
	}
	if err := Close(-1); err != syscall.EBADF {
		t.Error(err)
	}
}
