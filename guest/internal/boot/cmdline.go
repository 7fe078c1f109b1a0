package boot

import (
	"strconv"
	"strings"
)

// Parameters are what the host says on the kernel's command line, each under
// "luminaguard.".
type Parameters struct {
	Port        string // name of the virtio-serial port to serve
	RootPercent int    // share of the free memory that written files may take
	PowerOff    bool   // the machine ends by powering off, and not by restarting
}

const parameterPrefix = "luminaguard."

// parseParameters reads a kernel command line. What it does not know belongs
// to someone else.
func parseParameters(cmdline string) Parameters {
	p := Parameters{Port: "agent", RootPercent: 50}
	for _, word := range strings.Fields(cmdline) {
		if !strings.HasPrefix(word, parameterPrefix) {
			continue
		}
		name, value, _ := strings.Cut(word[len(parameterPrefix):], "=")
		switch name {
		case "port":
			if value != "" {
				p.Port = value
			}
		case "end":
			p.PowerOff = value == "poweroff"
		case "rootsize":
			percent, err := strconv.Atoi(strings.TrimSuffix(value, "%"))
			if err == nil && percent > 0 && percent <= 100 {
				p.RootPercent = percent
			}
		}
	}
	return p
}
