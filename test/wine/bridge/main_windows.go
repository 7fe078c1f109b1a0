// A qemu-system-x86_64.exe for Wine, where a Linux program cannot be a child that ends with its parent. This
// half is the process that Windows sees, the Linux half runs the real QEMU. One connection joins them: when
// this process is gone, however it went, the Linux half ends QEMU.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// linuxHalf is the path of the other half on Linux, set when this one is built.
var linuxHalf string

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	words := append([]string{"/unix", linuxHalf, listener.Addr().String()}, os.Args[1:]...)
	if err := exec.Command(`C:\windows\system32\start.exe`, words...).Start(); err != nil {
		fail(err)
	}
	connection, err := listener.Accept()
	if err != nil {
		fail(err)
	}
	lines := bufio.NewScanner(connection)
	for lines.Scan() {
		stream, text, _ := strings.Cut(lines.Text(), " ")
		switch stream {
		case "1":
			fmt.Fprintln(os.Stdout, text)
		case "2":
			fmt.Fprintln(os.Stderr, text)
		default:
			code, _ := strconv.Atoi(text)
			os.Exit(code)
		}
	}
	fail(io.ErrUnexpectedEOF)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(99)
}
