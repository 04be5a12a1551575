package identity

import (
	"strconv"
	"strings"
)

// account is one line of a passwd file.
type account struct {
	name     string
	uid, gid uint32
	home     string
	shell    string
}

// group is one line of a group file.
type group struct {
	name    string
	gid     uint32
	members []string
}

// parsePasswd reads what it understands and passes over every other line, as
// libc does. When a name or uid occurs twice, callers take the first.
func parsePasswd(text string) []account {
	var accounts []account
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(f) != 7 || f[0] == "" || f[0][0] == '#' {
			continue
		}
		uid, okUID := parseID(f[2])
		gid, okGID := parseID(f[3])
		if okUID && okGID {
			accounts = append(accounts, account{name: f[0], uid: uid, gid: gid, home: f[5], shell: f[6]})
		}
	}
	return accounts
}

// parseGroup is parsePasswd for a group file.
func parseGroup(text string) []group {
	var groups []group
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), ":")
		if len(f) != 4 || f[0] == "" || f[0][0] == '#' {
			continue
		}
		gid, ok := parseID(f[2])
		if !ok {
			continue
		}
		g := group{name: f[0], gid: gid}
		if f[3] != "" {
			g.members = strings.Split(f[3], ",")
		}
		groups = append(groups, g)
	}
	return groups
}

// parseID accepts what the kernel accepts as a uid or gid: 32 bits, save the
// value that means "leave it alone".
func parseID(s string) (uint32, bool) {
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, false
	}
	return uint32(n), true
}
