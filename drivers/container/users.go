package container

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/drivers/internal/contain"
	"github.com/seraihq/serai/drivers/internal/user"
)

// maxUserFile is the size up to which an image's /etc/passwd and /etc/group are read.
const maxUserFile = 4 << 20

// account is a line of /etc/passwd.
type account struct {
	name     string
	uid, gid uint32
	home     string
}

// group is a line of /etc/group.
type group struct {
	name    string
	gid     uint32
	members []string
}

// resolveUser finds who "name", "1000", "name:group" or "1000:1000" is in the image. Nobody is root. more are further groups.
func resolveUser(root *contain.Tree, spec string, more []string) (user.Credentials, error) {
	passwd, err := readLines(root, "/etc/passwd")
	if err != nil {
		return user.Credentials{}, err
	}
	groupText, err := readLines(root, "/etc/group")
	if err != nil {
		return user.Credentials{}, err
	}
	return lookup(parseAccounts(passwd), parseGroups(groupText), spec, more)
}

// readLines reads a file that may be absent.
func readLines(root *contain.Tree, path string) (string, error) {
	text, err := root.ReadFile(path, maxUserFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}

func lookup(accounts []account, groups []group, spec string, more []string) (user.Credentials, error) {
	var c user.Credentials
	if strings.ContainsFunc(spec, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return c, fmt.Errorf("user %q: write a user name or a number, without spaces", spec)
	}
	name, groupName, hasGroup := strings.Cut(spec, ":")
	if name == "" {
		name = "0"
	}
	if isNumber(name) {
		id, err := parseID("user", name)
		if err != nil {
			return c, err
		}
		c.UID = id
		if i := slices.IndexFunc(accounts, func(a account) bool { return a.uid == id }); i >= 0 {
			c.GID, c.Name, c.Home = accounts[i].gid, accounts[i].name, accounts[i].home
		}
	} else {
		i := slices.IndexFunc(accounts, func(a account) bool { return a.name == name })
		if i < 0 {
			return c, fmt.Errorf("user %q is not in the image's /etc/passwd: name one that is there, or a number such as \"1000:1000\"", name)
		}
		c.UID, c.GID, c.Name, c.Home = accounts[i].uid, accounts[i].gid, name, accounts[i].home
	}
	if hasGroup {
		id, err := groupID(groups, groupName)
		if err != nil {
			return c, err
		}
		c.GID = id
	} else if c.Name != "" {
		for _, g := range groups {
			if slices.Contains(g.members, c.Name) && g.gid != c.GID && !slices.Contains(c.Groups, g.gid) {
				c.Groups = append(c.Groups, g.gid)
			}
		}
	}
	for _, one := range more {
		id, err := groupID(groups, one)
		if err != nil {
			return c, fmt.Errorf("group_add: %w", err)
		}
		if !slices.Contains(c.Groups, id) {
			c.Groups = append(c.Groups, id)
		}
	}
	return c, nil
}

func groupID(groups []group, name string) (uint32, error) {
	if isNumber(name) {
		return parseID("group", name)
	}
	i := slices.IndexFunc(groups, func(g group) bool { return g.name == name })
	if i < 0 {
		return 0, fmt.Errorf("group %q is not in the image's /etc/group: name one that is there, or a number", name)
	}
	return groups[i].gid, nil
}

// isNumber is whether s is meant as a number: it begins as one.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || s[0] == '+' || (s[0] >= '0' && s[0] <= '9'))
}

// parseID reads a number that fits 31 bits and is written plainly: what does not has been another user in the kernel's eyes than in the reader's.
func parseID(what, s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > math.MaxInt32 || (len(s) > 1 && s[0] == '0') {
		return 0, fmt.Errorf("%s %q: a number from 0 to %d is needed", what, s, math.MaxInt32)
	}
	return uint32(n), nil
}

// parseAccounts reads /etc/passwd (name:password:uid:gid:comment:home:shell); lines of another form are left out.
func parseAccounts(text string) []account {
	var out []account
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 6 || f[0] == "" {
			continue
		}
		uid, errU := parseID("user", f[2])
		gid, errG := parseID("group", f[3])
		if errU == nil && errG == nil {
			out = append(out, account{name: f[0], uid: uid, gid: gid, home: f[5]})
		}
	}
	return out
}

// parseGroups reads /etc/group (name:password:gid:members); lines of another form are left out.
func parseGroups(text string) []group {
	var out []group
	for line := range strings.Lines(text) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) < 4 || f[0] == "" {
			continue
		}
		if gid, err := parseID("group", f[2]); err == nil {
			out = append(out, group{name: f[0], gid: gid, members: strings.Split(f[3], ",")})
		}
	}
	return out
}
