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
	end, err := run()
	log.Print(err)
	end()
}

// run boots and serves; it returns only when the machine is of no use, with
// how it is to end.
func run() (end func(), err error) {
	parameters, err := boot.Up()
	end = func() { endBy(syscall.LINUX_REBOOT_CMD_RESTART) }
	if parameters.PowerOff {
		end = func() { endBy(syscall.LINUX_REBOOT_CMD_POWER_OFF) }
	}
	if err != nil {
		return end, err
	}
	if err := process.IgnoreDeaths(); err != nil {
		return end, err
	}
	system, bootID, err := machine.OpenLinux()
	if err != nil {
		return end, err
	}
	a := &agent.Agent{
		Machine: machine.New(system, bootID),
		Reaper:  process.NewReaper(),
		End:     end,
	}
	return end, link.Serve(parameters.Port, a.Serve)
}

// endBy ends the machine. Most hosts take a restart for the end, as the
// smallest machine types cannot power off; where a restart is one, the host
// says so at the boot.
func endBy(command int) {
	syscall.Sync()
	log.Fatal("end: ", syscall.Reboot(command))
}
