package machine

import "testing"

func TestScrubTakesFreeMemoryUpToItsBound(t *testing.T) {
	free, err := freeBytes()
	if err != nil {
		t.Fatal(err)
	}
	if free < 2*scrubBytesMax {
		t.Skip("this host has too little memory")
	}
	if n, err := scrub(scrubReserve); err != nil || n != scrubBytesMax {
		t.Fatal(n, err)
	}
}

func TestScrubLeavesTheReserveAlone(t *testing.T) {
	free, err := freeBytes()
	if err != nil {
		t.Fatal(err)
	}
	if n, err := scrub(2 * free); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}
