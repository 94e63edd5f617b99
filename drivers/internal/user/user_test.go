package user

import "testing"

func TestLookup(t *testing.T) {
	for _, bad := range []string{"", " root", "root ", "ro ot", "root\n", "\troot", "-1", "+1", "2147483648", "4294967295", "4294967296", "99999999999999999999",
		"00", "007", "0x0", "1e3", "no-such-user-here", "rооt" /* Cyrillic */, "root:-1", "root:no-such-group", "1000:", ":0", "root\x00"} {
		if c, err := Lookup(bad); err == nil {
			t.Errorf("%q is %+v", bad, c)
		}
	}
	for spec, want := range map[string][2]uint32{"0": {0, 0}, "root": {0, 0}, "54321": {54321, 54321}, "54321:12345": {54321, 12345}, "root:12345": {0, 12345}} {
		c, err := Lookup(spec)
		if err != nil || c.UID != want[0] || c.GID != want[1] {
			t.Errorf("%q: %+v %v", spec, c, err)
		}
	}
}

func TestRanges(t *testing.T) {
	r, err := ParseRanges("0, 10-20,")
	if err != nil || !r.Contains(0) || r.Contains(1) || !r.Contains(10) || !r.Contains(20) || r.Contains(21) {
		t.Errorf("%v %v", r, err)
	}
	for _, bad := range []string{"20-10", "a", "-5", "1-2-3"} {
		if _, err := ParseRanges(bad); err == nil {
			t.Errorf("%q", bad)
		}
	}
	if err := (Credentials{UID: 5, GID: 6, Groups: []uint32{15}}).Allowed(nil, r); err == nil {
		t.Error("a denied group was allowed")
	}
}

func TestDynamic(t *testing.T) {
	c, err := Lookup("nomad-80001")
	if err != nil || c.UID != 80001 || c.GID != 80001 || !c.Dynamic {
		t.Errorf("%+v %v", c, err)
	}
	if passwd, group := c.Entries(); passwd != "nomad-80001:x:80001:80001::/local:/usr/sbin/nologin\n" || group != "nomad-80001:x:80001:\n" {
		t.Errorf("%q %q", passwd, group)
	}
	for _, bad := range []string{"nomad-", "nomad--1", "nomad-4294967296", "nomad-1x"} {
		if c, err := Lookup(bad); err == nil {
			t.Errorf("%q is %+v", bad, c)
		}
	}
	if passwd, _ := (Credentials{UID: 1}).Entries(); passwd != "" {
		t.Errorf("%q", passwd)
	}
}
