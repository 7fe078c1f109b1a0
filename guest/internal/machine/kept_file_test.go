package machine

import (
	"os"
	"path/filepath"
	"testing"
)

func expectText(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Fatalf("%q, %v", got, err)
	}
}

func keep(t *testing.T, path string) *keptFile {
	t.Helper()
	k, err := keepFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func write(t *testing.T, k *keptFile, text string) {
	t.Helper()
	if err := k.write(text); err != nil {
		t.Fatal(err)
	}
}

func TestAKeptFileHoldsTheLastTextWhateverTheLengths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "name")
	k := keep(t, path)
	for _, text := range []string{"template\n", "vm-00001\n", "short\n", "a longer one\n"} {
		write(t, k, text)
		expectText(t, path, text)
	}
}

func TestAKeptFileWhosePlaceWasTakenIsWrittenInItsPlace(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "hosts")
	k := keep(t, path)
	write(t, k, "first\n")
	if err := os.WriteFile(filepath.Join(dir, "new"), []byte("somebody's own, and longer\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "new"), path); err != nil {
		t.Fatal(err)
	}
	write(t, k, "second\n")
	expectText(t, path, "second\n")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(t, k, "third\n")
	expectText(t, path, "third\n")
}
