// Package user turns the user that a job asks for into numbers, without trusting what was written.
package user

import (
	"fmt"
	"math"
	"os/user"
	"strconv"
	"strings"
)

// Credentials are a user as the kernel knows it.
type Credentials struct {
	UID, GID uint32
	Groups   []uint32
	// Name and Home are empty for a number that nobody has.
	Name, Home string
	// Dynamic: the agent has handed the number out, and no entry stands for it.
	Dynamic bool
}

// Entries are lines for a task's password and group files, so that programs find a dynamic user a name; empty for others.
func (c Credentials) Entries() (passwd, group string) {
	if !c.Dynamic {
		return "", ""
	}
	name := dynamicPrefix + strconv.FormatUint(uint64(c.UID), 10)
	return fmt.Sprintf("%s:x:%d:%d::/local:/usr/sbin/nologin\n", name, c.UID, c.GID), fmt.Sprintf("%s:x:%d:\n", name, c.GID)
}

// Lookup reads "name", "1000", "1000:1000" or "nomad-80001", a user that the agent has handed out. Numbers that are negative, do not fit 31 bits or are not written plainly are refused, and so is
// what has white space or control characters: such a name never means what it seems to.
func Lookup(spec string) (Credentials, error) {
	if spec == "" || strings.ContainsFunc(spec, func(r rune) bool { return r <= ' ' || r == 0x7f || r > '~' }) {
		return Credentials{}, fmt.Errorf("user %q: write a user name or a number, without spaces", spec)
	}
	name, group, hasGroup := strings.Cut(spec, ":")
	c, err := byName(name)
	if err != nil {
		return Credentials{}, err
	}
	if hasGroup {
		if c.GID, err = groupID(group); err != nil {
			return Credentials{}, err
		}
		c.Groups = nil
	}
	return c, nil
}

func byName(name string) (Credentials, error) {
	if looksNumeric(name) {
		id, err := number("user", name)
		if err != nil {
			return Credentials{}, err
		}
		u, err := user.LookupId(strconv.FormatUint(uint64(id), 10))
		if err != nil { // a number without an entry: its own group, no others
			return Credentials{UID: id, GID: id}, nil
		}
		return fromEntry(u)
	}
	u, err := user.Lookup(name)
	if err == nil {
		return fromEntry(u)
	}
	if digits, ok := strings.CutPrefix(name, dynamicPrefix); ok && looksNumeric(digits) {
		id, err := number("user", digits)
		return Credentials{UID: id, GID: id, Dynamic: err == nil}, err
	}
	return Credentials{}, fmt.Errorf("user %q does not exist on this node", name)
}

// dynamicPrefix is what the agent puts before the number of a user that it hands out.
const dynamicPrefix = "nomad-"

func fromEntry(u *user.User) (Credentials, error) {
	uid, err := number("user", u.Uid)
	if err != nil {
		return Credentials{}, err
	}
	gid, err := number("group", u.Gid)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{UID: uid, GID: gid, Name: u.Username, Home: u.HomeDir}
	groups, err := u.GroupIds()
	if err != nil {
		return c, nil
	}
	for _, g := range groups {
		if id, err := number("group", g); err == nil {
			c.Groups = append(c.Groups, id)
		}
	}
	return c, nil
}

func groupID(name string) (uint32, error) {
	if looksNumeric(name) {
		return number("group", name)
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("group %q does not exist on this node", name)
	}
	return number("group", g.Gid)
}

// looksNumeric is whether s is meant as a number: it begins as one.
func looksNumeric(s string) bool {
	return s != "" && (s[0] == '-' || s[0] == '+' || (s[0] >= '0' && s[0] <= '9'))
}

func number(what, s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || n > math.MaxInt32 || (len(s) > 1 && s[0] == '0') {
		return 0, fmt.Errorf("%s %q: a number from 0 to %d is needed", what, s, math.MaxInt32)
	}
	return uint32(n), nil
}

// Ranges are sets of numbers, as in "0,10-20".
type Ranges [][2]uint32

// ParseRanges reads comma-separated numbers and ranges.
func ParseRanges(text string) (Ranges, error) {
	var out Ranges
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		a, errA := number("ID", low)
		b, errB := number("ID", high)
		if errA != nil || errB != nil || a > b {
			return nil, fmt.Errorf("%q: write IDs as in 0,10-20", part)
		}
		out = append(out, [2]uint32{a, b})
	}
	return out, nil
}

// Contains is whether id is in one of the ranges.
func (r Ranges) Contains(id uint32) bool {
	for _, one := range r {
		if id >= one[0] && id <= one[1] {
			return true
		}
	}
	return false
}

// Allowed returns an error when the user or one of its groups is among those denied.
func (c Credentials) Allowed(uids, gids Ranges) error {
	if uids.Contains(c.UID) {
		return fmt.Errorf("user %d is denied by this node's denied_host_uids", c.UID)
	}
	for _, g := range append([]uint32{c.GID}, c.Groups...) {
		if gids.Contains(g) {
			return fmt.Errorf("group %d is denied by this node's denied_host_gids", g)
		}
	}
	return nil
}
