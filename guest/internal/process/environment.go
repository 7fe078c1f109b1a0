package process

import (
	"strings"
	"syscall"

	"luminaguard/guest/internal/quick"
)

const (
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	defaultTerm = "xterm-256color"
)

// environment is the small base every command gets, and over it what was asked.
func environment(account Account, asked map[string]string, tty bool) []string {
	env := make([]string, 0, 5+len(asked))
	base := func(name, value string) {
		if _, given := asked[name]; !given {
			env = append(env, name+"="+value)
		}
	}
	base("PATH", defaultPath)
	base("HOME", account.Home)
	base("USER", account.Name)
	base("LANG", "C.UTF-8")
	if tty {
		base("TERM", defaultTerm)
	}
	for name, value := range asked {
		env = append(env, name+"="+value)
	}
	return env
}

// lookUp finds the program a name stands for, by the PATH of its environment.
// It reports EACCES when there is such a file but none that can be executed.
func lookUp(name, path, cwd string) (string, error) {
	if strings.Contains(name, "/") {
		file := name
		if !strings.HasPrefix(name, "/") {
			file = cwd + "/" + name
		}
		return file, executable(file)
	}
	found := error(syscall.ENOENT)
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			continue // the old meaning, the working folder, is a trap
		}
		file := dir + "/" + name
		err := executable(file)
		if err == nil {
			return file, nil
		}
		if err == syscall.EACCES {
			found = err
		}
	}
	return "", found
}

func executable(file string) error {
	stat, err := quick.Stat(file)
	if err != nil {
		if err == syscall.ENOTDIR {
			return syscall.ENOENT
		}
		return err
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFREG || stat.Mode&0o111 == 0 {
		return syscall.EACCES
	}
	return nil
}

// workingFolder checks a command's folder before it is used, because a failed
// start does not tell a missing folder from a missing program.
func workingFolder(cwd string) error {
	stat, err := quick.Stat(cwd)
	if err != nil {
		return err
	}
	if stat.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return syscall.ENOTDIR
	}
	return nil
}
