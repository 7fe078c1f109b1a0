// The Linux half: see main_windows.go. Each line it sends is a stream's number and what came on it, the last
// one the exit code.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// driveC is the folder that is Wine's C:, set when this program is built.
var driveC string

func main() {
	connection, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		os.Exit(99)
	}
	if strings.Join(os.Args[2:], " ") == "-accel help" {
		fmt.Fprint(connection, "1 Accelerators supported in QEMU binary:\n1 whpx\n1 tcg\n0 0\n")
		return
	}
	var words []string
	for _, word := range os.Args[2:] {
		words = append(words, translate(word))
	}
	qemu := exec.Command("/usr/bin/qemu-system-x86_64", words...)
	qemu.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	stdout, _ := qemu.StdoutPipe()
	stderr, _ := qemu.StderrPipe()
	if err := qemu.Start(); err != nil {
		fmt.Fprintf(connection, "2 %v\n0 126\n", err)
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, connection)
		_ = qemu.Process.Kill()
	}()
	var writing sync.Mutex
	var read sync.WaitGroup
	for number, stream := range []io.Reader{stdout, stderr} {
		read.Add(1)
		go func(number int, stream io.Reader) {
			defer read.Done()
			for lines := bufio.NewScanner(stream); lines.Scan(); {
				writing.Lock()
				fmt.Fprintf(connection, "%d %s\n", number, lines.Text())
				writing.Unlock()
			}
		}(number+1, stream)
	}
	read.Wait()
	_ = qemu.Wait()
	fmt.Fprintf(connection, "0 %d\n", qemu.ProcessState.ExitCode())
}

// translate swaps the accelerator, and turns the drives of Wine's Windows into folders of Linux.
func translate(word string) string {
	if word == "whpx,kernel-irqchip=off" {
		return "tcg"
	}
	for drive, folder := range map[string]string{`Z:\`: "/", `C:\`: driveC + "/"} {
		at := strings.Index(word, drive)
		if at < 0 || (at > 0 && word[at-1] != '=') {
			continue
		}
		path, rest := word[at+len(drive):], ""
		if end := strings.IndexByte(path, ','); at > 0 && end >= 0 {
			path, rest = path[:end], path[end:]
		}
		word = word[:at] + folder + strings.ReplaceAll(path, `\`, "/") + rest
	}
	return word
}
