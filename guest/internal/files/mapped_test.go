package files

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"luminaguard/guest/internal/problem"
)

// aTmpfs is a folder whose files lie in memory.
func aTmpfs(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "luminaguard-")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil || int64(fs.Type) != tmpfsMagic {
		t.Skip("no tmpfs there")
	}
	return dir
}

func TestALargeFileOfKnownSizeIsThereAsItCame(t *testing.T) {
	path := filepath.Join(aTmpfs(t), "f")
	for _, size := range []int{mappedBytesMin, hugePage, 2*hugePage + 4321} {
		sent := strings.Repeat("luminaguard", size/11+1)[:size]
		n, err := Write(here(path), asBody(sent), int64(size))
		if err != nil || n != int64(size) {
			t.Fatal(n, err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != sent {
			t.Fatalf("%d of %d bytes, %v", len(got), size, err)
		}
	}
}

func TestABodyOfAnotherSizeThanAnnouncedLeavesNothing(t *testing.T) {
	dir := aTmpfs(t)
	for _, announced := range []int{3 * mappedBytesMin, 100} {
		for _, size := range []int{announced - 1, announced + 1} {
			_, err := Write(here(filepath.Join(dir, "f")), asBody(strings.Repeat("x", size)), int64(announced))
			if err == nil || problem.From(err).Code != "bad-request" {
				t.Fatal(announced, size, err)
			}
		}
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Fatal(entries, err)
	}
}

func TestMapsOnlyLargeFilesInMemoryWithoutHoles(t *testing.T) {
	dir := aTmpfs(t)
	whole, holes, small := aFile(t, dir, mappedBytesMin), aFile(t, dir, 0), aFile(t, dir, 100)
	if err := holes.Truncate(mappedBytesMin); err != nil {
		t.Fatal(err)
	}
	memory := Map(whole, mappedBytesMin)
	defer Unmap(memory)
	want, err := io.ReadAll(io.NewSectionReader(whole, 0, mappedBytesMin))
	if err != nil || !bytes.Equal(memory, want) {
		t.Fatalf("%d bytes, %v", len(memory), err)
	}
	if Map(holes, mappedBytesMin) != nil || Map(small, 100) != nil {
		t.Fatal("mapped")
	}
}

func aFile(t *testing.T, dir string, size int) *os.File {
	t.Helper()
	file, err := os.CreateTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	if _, err := file.WriteString(strings.Repeat("luminaguard", size)[:size]); err != nil {
		t.Fatal(err)
	}
	return file
}
