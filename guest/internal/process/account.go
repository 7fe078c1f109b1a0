package process

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"luminaguard/guest/internal/quick"
)

// Account is whom a command runs as.
type Account struct {
	Name string
	UID  uint32
	GID  uint32
	Home string
}

const passwdPath = "/etc/passwd"

// passwd is the file as it was read last. Each command needs it, and it hardly
// ever changes.
var passwd struct {
	mu       sync.Mutex
	accounts []Account
	changed  syscall.Timespec
	size     int64
}

// LookUpAccount finds a user by name or number, or by both numbers as
// "uid:gid". A number without an entry is an account too, as container tools
// have it: its group is its number.
func LookUpAccount(user string) (Account, error) {
	if name, group, both := strings.Cut(user, ":"); both {
		gid, ok := parseID(group)
		if _, numeric := parseID(name); !ok || !numeric {
			return Account{}, fmt.Errorf("not a user and a group by number: %s", user)
		}
		account, err := LookUpAccount(name)
		account.GID = gid
		return account, err
	}
	number, numeric := parseID(user)
	for _, a := range accounts() {
		if a.Name == user || numeric && a.UID == number {
			return a, nil
		}
	}
	if numeric {
		return Account{Name: user, UID: number, GID: number, Home: "/"}, nil
	}
	return Account{}, fmt.Errorf("no such user: %s", user)
}

// accounts are those of the file as it is now; without a file there are none.
func accounts() []Account {
	passwd.mu.Lock()
	defer passwd.mu.Unlock()
	stat, err := quick.Stat(passwdPath)
	if err != nil {
		return nil
	}
	if stat.Mtim != passwd.changed || stat.Size != passwd.size {
		passwd.accounts = readAccounts()
		passwd.changed, passwd.size = stat.Mtim, stat.Size
	}
	return passwd.accounts
}

func readAccounts() (all []Account) {
	text, err := os.ReadFile(passwdPath)
	if err != nil {
		return nil
	}
	for _, line := range strings.Split(string(text), "\n") {
		if a, ok := parseAccount(line); ok {
			all = append(all, a)
		}
	}
	return all
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
