package artifact

import (
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact/fetch"
)

func TestForms(t *testing.T) {
	for source, want := range map[string]string{
		"https://example.com/a/app.tar.gz":                    "http https://example.com/a/app.tar.gz unpack tar.gz name app.tar.gz",
		"http::https://example.com/x?archive=zip":             "http https://example.com/x unpack zip name x",
		"https://example.com/x.zip?archive=false&token=a":     "http https://example.com/x.zip?token=a name x.zip",
		"https://example.com/x.zip//sub/dir?b=2&a=1":          "http https://example.com/x.zip?b=2&a=1 part sub/dir unpack zip name x.zip",
		"git::https://example.com/x.git?ref=v1&depth=1":       "git https://example.com/x.git ref v1",
		"git::ssh://git@example.com:22/x.git//part":           "git ssh://git@example.com:22/x.git part part",
		"git@example.com:org/x.git":                           "git ssh://git@example.com/org/x.git",
		"git::git@example.com:org/x.git?ref=main":             "git ssh://git@example.com/org/x.git ref main",
		"github.com/org/repo":                                 "git https://github.com/org/repo.git",
		"github.com/org/repo/part/of?ref=x":                   "git https://github.com/org/repo.git part part/of ref x",
		"s3::https://s3.eu-west-1.amazonaws.com/bucket/k.zip": "s3 https://s3.eu-west-1.amazonaws.com/bucket/k.zip unpack zip name k.zip",
		"bucket.s3.amazonaws.com/key":                         "s3 https://bucket.s3.amazonaws.com/key name key",
		"local/a.tar":                                         "file local/a.tar unpack tar name a.tar",
		"file:///local/a?filename=b":                          "file /local/a name b",
		"https://user:pw@example.com/x":                       "http https://user:pw@example.com/x name x",
	} {
		s, err := Parse(&api.TaskArtifact{GetterSource: source, GetterMode: "any"})
		if err != nil {
			t.Errorf("%s: %v", source, err)
			continue
		}
		if got := told(s.Order); got != want {
			t.Errorf("%s:\n got %s\nwant %s", source, got, want)
		}
	}
	for _, source := range []string{
		"", "hg::https://x/y", "gcs::https://x/y", "ftp://x/y", "smb://x/y", "https://", "https://example.com/", "https://example.com/x//../y",
		"https://example.com/x//*", "https://example.com/${unknown}", "git::file:///x", "https://example.com/x?archive=rar",
		"https://example.com/x?checksum=crc:1", "https://example.com/x?filename=..%2fx", "https://example.com/x//part",
		"s3::https://x/b/k?aws_profile=p", "https://example.com/%zz", strings.Repeat("a", 20<<10),
	} {
		if s, err := Parse(&api.TaskArtifact{GetterSource: source, GetterMode: "any"}); err == nil {
			t.Errorf("%.60s is taken for %s", source, told(s.Order))
		}
	}
}

// Where something may be fetched that looks alike, the error says what.
func TestAdvice(t *testing.T) {
	for source, want := range map[string]string{
		"git::file:///srv/x.git": "https, http or ssh",
		"gcs::https://x/y":       "s3",
		"hg::https://x/y":        "git",
	} {
		if _, err := Parse(&api.TaskArtifact{GetterSource: source, GetterMode: "any"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a word of %s", source, err, want)
		}
	}
}

func told(o fetch.Order) string {
	out := o.Kind + " " + o.URL
	for _, part := range [][2]string{{"part", o.Subdir}, {"ref", o.Ref}, {"unpack", o.Archive}, {"name", o.Name}} {
		if part[1] != "" {
			out += " " + part[0] + " " + part[1]
		}
	}
	return out
}

func TestParsePath(t *testing.T) {
	p, err := ParsePath("d:rx:/opt/git")
	if err != nil || !p.Dir || !p.Read || !p.Exec || p.Write || p.Path != "/opt/git" {
		t.Errorf("%+v %v", p, err)
	}
	for _, bad := range []string{"", "/x", "d:/x", "x:r:/x", "d:q:/x", "d:r:x", "d:r:/"} {
		if _, err := ParsePath(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// FuzzParse: no source makes it panic, what it takes names a known kind, and no
// password is shown.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"https://u:passphrase@h/x?a=b", "git::ssh://git@h/x//y?ref=z", "s3::https://h/b/k", "git@h:x", "github.com/a/b/c", "::", "a::b", "//", "?"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := Parse(&api.TaskArtifact{GetterSource: text, GetterMode: "any"})
		if err != nil {
			return
		}
		switch s.Order.Kind {
		case fetch.HTTP, fetch.Git, fetch.S3, fetch.Local:
		default:
			t.Errorf("%q is of kind %q", text, s.Order.Kind)
		}
		if s.Order.Kind != fetch.Local && strings.Contains(text, ":passphrase@") && strings.Contains(s.Redact(s.Name), "passphrase") {
			t.Errorf("%q is shown as %q", text, s.Name)
		}
	})
}
