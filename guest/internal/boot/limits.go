package boot

import (
	"log"
	"syscall"

	"luminaguard/guest/internal/quick"
)

// Limits that commands inherit. The agent itself, as the first process, is
// neither bound by the process limit nor ever chosen by the out-of-memory
// killer.
const (
	rlimitNproc    = 6
	openFilesMax   = 65536
	processesMax   = 4096
	processesMin   = 128
	bytesPerThread = 256 << 10
)

func setLimits() {
	set := func(resource int, limit uint64) {
		err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: limit, Max: limit})
		if err != nil {
			log.Printf("limit %d: %v", resource, err)
		}
	}
	set(syscall.RLIMIT_NOFILE, openFilesMax)
	set(rlimitNproc, processLimit(quick.FreeMemory()))
}

// processLimit keeps a fork bomb from filling a small machine's free memory.
func processLimit(memory uint64) uint64 {
	n := memory / bytesPerThread
	if n < processesMin {
		return processesMin
	}
	if n > processesMax {
		return processesMax
	}
	return n
}
