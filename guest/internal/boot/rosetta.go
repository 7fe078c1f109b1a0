package boot

import (
	"os"
	"syscall"
)

// Apple's translator of programs for x86-64, which a machine of the
// Virtualization framework may have as a shared folder. Nothing in the machine
// sees the folder: the kernel opens the translator here and now (F) and starts
// programs with it, with the rights that they have themselves (C).
// https://developer.apple.com/documentation/virtualization/running_intel_binaries_in_linux_vms_with_rosetta
const (
	fileSystemDevice = "0x001a" // virtio 1.2, 5.11
	translatorTag    = "rosetta"
	translatorFolder = "/rosetta"
	programFormats   = "/binfmt_misc"

	// the head of an ELF file that is a program for x86-64, and which bits of it count
	intelMagic = `\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00`
	intelMask  = `\xff\xff\xff\xff\xff\xfe\xfe\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff`
	intelRule  = ":rosetta:M::" + intelMagic + ":" + intelMask + ":" + translatorFolder + "/rosetta:CF"
)

// translatorUp has the kernel run programs for x86-64, where the machine was
// given the translator.
func translatorUp() error {
	if !devices()[fileSystemDevice] {
		return nil
	}
	err := mountAll([]mount{
		{translatorTag, translatorFolder, "virtiofs", syscall.MS_RDONLY | syscall.MS_NOSUID | syscall.MS_NODEV, ""},
		{"binfmt_misc", programFormats, "binfmt_misc", quietFlags, ""},
	})
	if err != nil {
		return err
	}
	return os.WriteFile(programFormats+"/register", []byte(intelRule), 0)
}
