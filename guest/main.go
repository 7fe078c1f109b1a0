// luminaguard-guest is the first and only resident process of a machine: it
// boots it, serves the host over the machine's one wire, and reaps.
package main

import (
	"log"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"

	"luminaguard/guest/internal/agent"
	"luminaguard/guest/internal/boot"
	"luminaguard/guest/internal/link"
	"luminaguard/guest/internal/machine"
	"luminaguard/guest/internal/process"
)

// The agent's work is short and rarely parallel. One thread of Go at a time
// makes frames that belong together leave together, and a collector that runs
// late does not run during a machine's first command.
const (
	collectAtPercent = 400
	memoryBytesSoft  = 64 << 20
)

func main() {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(collectAtPercent)
	debug.SetMemoryLimit(memoryBytesSoft)
	if os.Getpid() != 1 {
		log.Fatal("luminaguard-guest is the first process of a machine and runs nowhere else")
	}
	log.Print(run())
	end()
}

// run boots and serves; it returns only when the machine is of no use.
func run() error {
	parameters, err := boot.Up()
	if err != nil {
		return err
	}
	if err := process.IgnoreDeaths(); err != nil {
		return err
	}
	system, bootID, err := machine.OpenLinux()
	if err != nil {
		return err
	}
	a := &agent.Agent{
		Machine: machine.New(system, bootID),
		Reaper:  process.NewReaper(),
		End:     end,
	}
	return link.Serve(parameters.Port, a.Serve)
}

// end restarts the machine, which its host takes for the end: the smallest
// machine types cannot power off.
func end() {
	syscall.Sync()
	err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
	log.Fatal("restart: ", err)
}
