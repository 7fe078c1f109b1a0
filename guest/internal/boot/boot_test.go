package boot

import "testing"

func TestReadsTheCommandLine(t *testing.T) {
	for line, want := range map[string]Parameters{
		"": {"agent", 50, false},
		"console=ttyS0 luminaguard.port=p1 quiet luminaguard.rootsize=75%\n": {"p1", 75, false},
		"luminaguard.rootsize=0":                                    {"agent", 50, false},
		"luminaguard.rootsize=101 luminaguard.other=1 luminaguard.": {"agent", 50, false},
		"luminaguard.end=poweroff":                                  {"agent", 50, true},
		"luminaguard.end=never":                                     {"agent", 50, false},
		"luminaguard.port":                                          {"agent", 50, false},
	} {
		if got := parseParameters(line); got != want {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

func TestProcessLimitFitsTheMemory(t *testing.T) {
	for memory, want := range map[uint64]uint64{
		16 << 20: 128, 128 << 20: 512, 8 << 30: 4096,
	} {
		if got := processLimit(memory); got != want {
			t.Errorf("%d: %d", memory, got)
		}
	}
}

func FuzzCommandLine(f *testing.F) {
	f.Add("luminaguard.port=agent luminaguard.rootsize=50%")
	f.Fuzz(func(t *testing.T, line string) {
		p := parseParameters(line)
		if p.Port == "" || p.RootPercent < 1 || p.RootPercent > 100 {
			t.Fatalf("%+v", p)
		}
	})
}
