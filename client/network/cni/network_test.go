package cni

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEscapePlugins(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.conflist":  `{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"bridge"}]}`,
		"b.conf":      `{"cniVersion":"1.0.0","name":"b","type":"macvlan"}`,
		"evil.conf":   `{"cniVersion":"1.0.0","name":"evil","type":"../../bin/sh"}`,
		"evil2.conf":  `{"cniVersion":"1.0.0","name":"evil2","type":"/bin/sh"}`,
		"broken.conf": `{`,
		"notes.txt":   `{"cniVersion":"1.0.0","name":"notes","type":"bridge"}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]bool{"a": true, "b": true, "evil": false, "evil2": false, "notes": false, "../a": false, "": false} {
		// What cannot be read beside it does not stand in the way.
		text, err := Load(dir, name)
		if (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
		if want {
			if _, err := parse(text, false); err != nil {
				t.Errorf("%q: what is kept cannot be read: %v", name, err)
			}
		}
	}
	names, err := Names(dir)
	if len(names) != 2 || err == nil || !strings.Contains(err.Error(), "evil.conf") || !strings.Contains(err.Error(), "broken.conf") {
		t.Errorf("%v %v", names, err)
	}
	if names, err := Names(filepath.Join(dir, "absent")); len(names) != 0 || err != nil {
		t.Errorf("%v %v", names, err)
	}
}

func TestArgumentsKeepToThemselves(t *testing.T) {
	for _, args := range []map[string]string{{"A": "b;K8S=1"}, {"A;B": "c"}, {"A": "b\nc"}, {"A=B": "c"}} {
		c := Call{Config: []byte(`{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"bridge"}]}`), Args: args}
		if _, _, _, err := c.prepare(); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}

func TestScrub(t *testing.T) {
	got := scrub([]string{"PATH=/bin", "NOMAD_TOKEN=x", "CNI_COMMAND=ADD", "AWS_SECRET=y"})
	if strings.Join(got, " ") != "PATH=/bin CNI_COMMAND=ADD" {
		t.Error(got)
	}
}

func TestVersionIn(t *testing.T) {
	for text, want := range map[string]string{
		"CNI bridge plugin v1.1.1\nCNI protocol versions supported: 0.1.0": "v1.1.1",
		"CNI x plugin version unknown\n":                                   "",
		"usage: tool\n":                                                    "",
	} {
		if got := versionIn(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// Whatever an operator's file says, it is taken with names that stay in their
// directory, or refused.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"cniVersion":"1.0.0","name":"a","plugins":[{"type":"bridge"}]}`), false)
	f.Add([]byte(`{"cniVersion":"0.4.0","name":"a","type":"../x"}`), true)
	f.Fuzz(func(t *testing.T, text []byte, single bool) {
		list, err := parse(text, single)
		if err != nil {
			return
		}
		for _, p := range list.Plugins {
			if strings.Contains(p.Network.Type, "/") {
				t.Errorf("%q", p.Network.Type)
			}
		}
	})
}
