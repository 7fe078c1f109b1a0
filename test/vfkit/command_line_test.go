// Package vfkit reads what LuminaGuard says to vfkit with vfkit's own parsers,
// on any platform: they are apart from what needs macOS.
package vfkit

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/crc-org/vfkit/pkg/cmdline"
	"github.com/crc-org/vfkit/pkg/config"
	"github.com/crc-org/vfkit/pkg/rest"
	"github.com/crc-org/vfkit/pkg/rest/define"
	"github.com/spf13/cobra"
)

// said is what the TypeScript side wrote: test/e2e/vfkit-parser.test.ts.
type said struct {
	Machines []struct {
		Args      []string
		Vcpus     uint
		MemoryMib uint
		Kernel    string
		Initramfs string
		Layer     string
		Rosetta   bool
		Wire      string
		Rest      string
		Console   string
	}
	Changes []struct{ State, Body string }
}

func read(t *testing.T) (s said) {
	path := os.Getenv("VFKIT_SAID")
	if path == "" {
		t.Skip("run by test/e2e/vfkit-parser.test.ts, which says what to read")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		t.Fatal(err)
	}
	if len(s.Machines) == 0 || len(s.Changes) == 0 {
		t.Fatal("nothing was said")
	}
	return s
}

func TestTheCommandLineSaysWhatIsMeant(t *testing.T) {
	for _, machine := range read(t).Machines {
		opts := &cmdline.Options{}
		cmd := &cobra.Command{RunE: func(*cobra.Command, []string) error { return nil }}
		cmdline.AddFlags(cmd, opts)
		cmd.SetArgs(machine.Args)
		if err := cmd.Execute(); err != nil {
			t.Fatal(err)
		}
		expect(t, opts.Vcpus, machine.Vcpus)
		expect(t, opts.MemoryMiB, machine.MemoryMib)
		expect(t, opts.LogLevel, "error")
		expect(t, opts.Nested || opts.UseGUI, false)

		loader, err := config.BootloaderFromCmdLine(opts.Bootloader.GetSlice())
		if err != nil {
			t.Fatal(err)
		}
		linux, ok := loader.(*config.LinuxBootloader)
		expect(t, ok, true)
		expect(t, linux.VmlinuzPath, machine.Kernel)
		expect(t, linux.InitrdPath, machine.Initramfs)
		expect(t, strings.HasPrefix(linux.KernelCmdLine, "console=hvc0 "), true)
		expect(t, strings.HasSuffix(linux.KernelCmdLine, " luminaguard.end=poweroff"), true)
		checkDevices(t, opts, machine.Layer, machine.Wire, machine.Console, machine.Rosetta)

		endpoint, err := rest.NewEndpoint(opts.RestfulURI)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, endpoint.Scheme, rest.Unix)
		expect(t, endpoint.Path, machine.Rest)
	}
}

// checkDevices: those there are, and no other; above all no network.
func checkDevices(t *testing.T, opts *cmdline.Options, layer, wire, console string, rosetta bool) {
	t.Helper()
	vm := config.NewVirtualMachine(opts.Vcpus, uint64(opts.MemoryMiB), nil)
	if err := vm.AddDevicesFromCmdLine(opts.Devices); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, device := range vm.Devices {
		switch d := device.(type) {
		case *config.VirtioBlk:
			seen["disk"]++
			expect(t, d.ImagePath, layer)
			expect(t, d.ReadOnly, true)
		case *config.VirtioRng:
			seen["rng"]++
		case *config.VirtioSerial:
			seen["serial"]++
			expect(t, d.LogFile, console)
		case *config.VirtioVsock:
			seen["vsock"]++
			expect(t, d.Port, uint32(1024))
			expect(t, d.SocketURL, wire)
			expect(t, d.Listen, false)
		case *config.RosettaShare:
			seen["rosetta"]++
			expect(t, d.MountTag, "rosetta")
			expect(t, d.InstallRosetta, false)
		default:
			t.Errorf("a device that nobody asked for: %T", d)
		}
	}
	count := map[bool]int{true: 1}
	expect(t, seen["disk"], count[layer != ""])
	expect(t, seen["rosetta"], count[rosetta])
	for _, one := range []string{"rng", "serial", "vsock"} {
		expect(t, seen[one], 1)
	}
}

func TestEveryChangeIsOneThatVfkitKnows(t *testing.T) {
	known := map[define.StateChange]bool{
		define.Resume: true, define.Pause: true, define.Stop: true, define.HardStop: true,
	}
	for _, change := range read(t).Changes {
		decoder := json.NewDecoder(bytes.NewBufferString(change.Body))
		decoder.DisallowUnknownFields()
		var state define.VMState
		if err := decoder.Decode(&state); err != nil {
			t.Fatal(err)
		}
		expect(t, state.State, change.State)
		expect(t, known[define.StateChange(state.State)], true)
	}
}

func expect(t *testing.T, got, want any) {
	t.Helper()
	if got != want {
		t.Fatalf("%v, not %v", got, want)
	}
}
