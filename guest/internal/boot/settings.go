package boot

import (
	"fmt"
	"os"
	"syscall"
)

// settings of the running kernel.
var settings = []struct{ file, value string }{
	// Anyone may ping.
	{"/proc/sys/net/ipv4/ping_group_range", "0 2147483647"},
	// An agent that crashes takes the machine with it, at once: the host sees
	// the end instead of a silence.
	{"/proc/sys/kernel/panic", "-1"},
	// A list of every process on a slow console takes longer than the rescue.
	{"/proc/sys/vm/oom_dump_tasks", "0"},
	// The scheduler shares the processor between sessions before processes.
	// Commands have their own, so however many they are, the agent runs.
	{"/proc/self/autogroup", "-20"},
}

func writeSettings() error {
	if _, err := syscall.Setsid(); err != nil {
		return os.NewSyscallError("setsid", err)
	}
	var failed error
	for _, s := range settings {
		if err := os.WriteFile(s.file, []byte(s.value), 0); err != nil && failed == nil {
			failed = fmt.Errorf("setting: %w", err)
		}
	}
	return failed
}
