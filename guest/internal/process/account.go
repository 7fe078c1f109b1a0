package process

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Account is whom a command runs as.
type Account struct {
	Name string
	UID  uint32
	GID  uint32
	Home string
}

const passwdPath = "/etc/passwd"

// LookUpAccount finds a user by name or number. A number without an entry is
// an account too, as container tools have it: its group is its number.
func LookUpAccount(user string) (Account, error) {
	number, numeric := parseID(user)
	file, err := os.Open(passwdPath)
	if err == nil {
		defer file.Close()
		lines := bufio.NewScanner(file)
		for lines.Scan() {
			a, ok := parseAccount(lines.Text())
			if ok && (a.Name == user || numeric && a.UID == number) {
				return a, nil
			}
		}
	}
	if numeric {
		return Account{Name: user, UID: number, GID: number, Home: "/"}, nil
	}
	return Account{}, fmt.Errorf("no such user: %s", user)
}

// parseAccount reads one line, name:password:uid:gid:comment:home:shell.
func parseAccount(line string) (Account, bool) {
	f := strings.Split(line, ":")
	if len(f) < 6 {
		return Account{}, false
	}
	uid, ok := parseID(f[2])
	gid, okGroup := parseID(f[3])
	return Account{Name: f[0], UID: uid, GID: gid, Home: f[5]}, ok && okGroup
}

func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err == nil
}
