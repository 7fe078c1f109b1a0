package machine

import (
	"testing"

	"luminaguard/guest/internal/quick"
)

func TestScrubTakesFreeMemoryUpToItsBound(t *testing.T) {
	if quick.FreeMemory() < 2*scrubBytesMax {
		t.Skip("this host has too little memory")
	}
	if n, err := scrub(scrubReserve); err != nil || n != scrubBytesMax {
		t.Fatal(n, err)
	}
}

func TestScrubLeavesTheReserveAlone(t *testing.T) {
	if n, err := scrub(2 * quick.FreeMemory()); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}
