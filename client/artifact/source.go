package artifact

import (
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/artifact/fetch"
	"github.com/seraihq/serai/internal/pattern"
)

// Bounds of what a job may write.
const (
	maxSource  = 16 << 10
	maxHeaders = 100
)

// Source is an artifact that can be ordered.
type Source struct {
	Order   fetch.Order
	Path    string   // of a local file, relative to the task's directory
	Name    string   // what people are shown: without user, password and query
	secrets []string // that must not be shown
}

var (
	forcedForm = pattern.New(`^([A-Za-z0-9]+)::(.+)$`)
	schemeForm = pattern.New(`^([A-Za-z][A-Za-z0-9+.-]*)://`)
	scpForm    = pattern.New(`^([A-Za-z0-9_][^@:/ ]*)@([A-Za-z0-9\[][^:/ ]*):([^ ]+)$`)
	codeHosts  = []string{"github.com/", "gitlab.com/", "bitbucket.org/"}
	s3Form     = pattern.New(`^[^/]*\bs3[a-z0-9.-]*\.amazonaws\.com/`)
)

// missing are ways to fetch that other schedulers know and this one does not.
var missing = map[string]string{
	"hg":  "use git, or an archive over https",
	"gcs": "use the https address of the object, or its s3 one",
	"gs":  "use the https address of the object, or its s3 one",
	"smb": "use https",
}

// Parse reads an artifact whose references were all put in.
func Parse(a *api.TaskArtifact) (*Source, error) {
	if len(a.GetterSource) > maxSource || len(a.GetterHeaders) > maxHeaders {
		return nil, api.Errorf(api.ErrInvalid, "source or headers are too long")
	}
	if strings.Contains(a.GetterSource, "${") {
		return nil, api.Errorf(api.ErrInvalid, "source %q refers to what is not known when artifacts are fetched", Show(a.GetterSource))
	}
	text, kind, err := formOf(a.GetterSource)
	if err != nil {
		return nil, err
	}
	s := &Source{Order: fetch.Order{Kind: kind, Mode: a.GetterMode, Headers: a.GetterHeaders, Insecure: a.GetterInsecure}}
	text, s.Order.Subdir = splitSubdir(text)
	if err := s.address(text, a.GetterOptions); err != nil {
		return nil, err
	}
	for name, value := range a.GetterHeaders {
		if strings.ContainsAny(name+value, "\r\n\x00") || name == "" || strings.ContainsAny(name, ": \t") {
			return nil, api.Errorf(api.ErrInvalid, "header %.50q cannot be sent", name)
		}
		s.secrets = append(s.secrets, value)
	}
	return s, s.check()
}

// formOf tells what kind of source a text is, and gives its address.
func formOf(text string) (address, kind string, err error) {
	text = strings.TrimSpace(text)
	forced := ""
	if m := forcedForm.FindStringSubmatch(text); m != nil {
		forced, text = strings.ToLower(m[1]), m[2]
	}
	if m := scpForm.FindStringSubmatch(text); m != nil && (forced == "git" || forced == "") && !schemeForm.MatchString(text) {
		return "ssh://" + m[1] + "@" + m[2] + "/" + strings.TrimPrefix(m[3], "/"), fetch.Git, nil
	}
	for _, host := range codeHosts {
		if strings.HasPrefix(text, host) && (forced == "git" || forced == "") {
			return repository(text), fetch.Git, nil
		}
	}
	scheme := forced
	if m := schemeForm.FindStringSubmatch(text); m != nil && scheme == "" {
		scheme = strings.ToLower(m[1])
	}
	switch scheme {
	case "http", "https":
		return text, fetch.HTTP, nil
	case "git", "ssh":
		return text, fetch.Git, nil
	case "s3":
		return withScheme(text), fetch.S3, nil
	case "file":
		return strings.TrimPrefix(text, "file://"), fetch.Local, nil
	case "":
		if s3Form.MatchString(text) {
			return withScheme(text), fetch.S3, nil
		}
		return text, fetch.Local, nil
	}
	if advice := missing[scheme]; advice != "" {
		return "", "", api.Errorf(api.ErrInvalid, "artifacts are not fetched by %q: %s", scheme, advice)
	}
	return "", "", api.Errorf(api.ErrInvalid, "artifacts are not fetched by %.40q: use https, http, git, s3 or file", scheme)
}

func withScheme(text string) string {
	if schemeForm.MatchString(text) {
		return text
	}
	return "https://" + text
}

// repository makes github.com/owner/name/part into the address of a repository
// and a part of it.
func repository(text string) string {
	text, query, _ := strings.Cut(text, "?")
	if query != "" {
		query = "?" + query
	}
	text, sub, _ := strings.Cut(text, "//")
	parts := strings.SplitN(text, "/", 4)
	if len(parts) == 4 && sub == "" {
		text, sub = strings.Join(parts[:3], "/"), parts[3]
	}
	if !strings.HasSuffix(text, ".git") {
		text += ".git"
	}
	if sub != "" {
		text += "//" + sub
	}
	return "https://" + text + query
}

// splitSubdir cuts the part of an archive or repository off an address: what
// stands behind "//" in its path.
func splitSubdir(text string) (address, subdir string) {
	text, query, asked := strings.Cut(text, "?")
	start := 0
	if at := strings.Index(text, "://"); at >= 0 {
		start = at + len("://")
	}
	if at := strings.Index(text[start:], "//"); at >= 0 {
		text, subdir = text[:start+at], text[start+at+2:]
	}
	if asked {
		text += "?" + query
	}
	return text, subdir
}

// address reads the address with its query, which holds options as well.
func (s *Source) address(text string, options map[string]string) error {
	if s.Order.Kind == fetch.Local {
		text, query, _ := strings.Cut(text, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			return api.Errorf(api.ErrInvalid, "source: the query cannot be read")
		}
		s.Path, s.Order.URL, s.Name = text, text, text
		return s.options(values, options)
	}
	u, err := url.Parse(text)
	if err == nil && s.Order.Kind == fetch.Git && (u.Scheme == "file" || u.Scheme == "") {
		return api.Errorf(api.ErrDenied, "source %q is a repository on the node's own disk, from which nothing is fetched: use https, http or ssh", Show(text))
	}
	if err != nil || u.Host == "" {
		return api.Errorf(api.ErrInvalid, "source %q is no address", Show(text))
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return api.Errorf(api.ErrInvalid, "source %q: the query cannot be read", Show(text))
	}
	if u.User != nil {
		password, _ := u.User.Password()
		s.secrets = append(s.secrets, password, u.User.String())
		if password == "" && u.User.Username() != "git" {
			s.secrets = append(s.secrets, u.User.Username()) // a token
		}
	}
	raw := u.RawQuery
	if err := s.options(values, options); err != nil {
		return err
	}
	if u.RawQuery = values.Encode(); len(options) == 0 && sameQuery(raw, values) {
		u.RawQuery = raw // in the order in which it was written
	}
	for _, list := range values {
		s.secrets = append(s.secrets, list...)
	}
	s.Order.URL = u.String()
	s.Name = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	if s.Order.Name == "" {
		s.Order.Name = path.Base(u.Path)
	}
	if s.Order.Archive == "" {
		s.Order.Archive = fetch.FormatOf(u.Path)
	}
	return nil
}

func sameQuery(raw string, values url.Values) bool {
	was, err := url.ParseQuery(raw)
	return err == nil && was.Encode() == values.Encode()
}

// options takes what means something here out of the query and the options; the
// options win. What is left goes to the server.
func (s *Source) options(query url.Values, options map[string]string) error {
	for name, value := range options {
		query.Set(name, value)
	}
	take := func(name string) string {
		value := query.Get(name)
		query.Del(name)
		return value
	}
	o := &s.Order
	o.Checksum, o.Name = take("checksum"), take("filename")
	var err error
	if o.Archive, err = archive(take("archive")); err != nil {
		return err
	}
	switch o.Kind {
	case fetch.Git:
		o.Ref, o.SSHKey = take("ref"), take("sshkey")
		s.secrets = append(s.secrets, o.SSHKey)
		if depth := take("depth"); depth != "" {
			n, err := strconv.Atoi(depth)
			if err != nil || n < 0 {
				return api.Errorf(api.ErrInvalid, "option depth: %.20q is no number", depth)
			}
			o.Depth = n
		}
	case fetch.S3:
		o.KeyID, o.Secret, o.Token = take("aws_access_key_id"), take("aws_access_key_secret"), take("aws_access_token")
		o.Region, o.Version = take("region"), take("version")
		s.secrets = append(s.secrets, o.KeyID, o.Secret, o.Token)
		if query.Has("aws_profile") {
			return api.Errorf(api.ErrInvalid, "option aws_profile is not supported: write aws_access_key_id and aws_access_key_secret")
		}
	case fetch.Local:
		if o.Name == "" {
			o.Name = path.Base(s.Path)
		}
		if o.Archive == "" {
			o.Archive = fetch.FormatOf(s.Path)
		}
	}
	return nil
}

// check refuses what makes no sense, before a process is started for it.
func (s *Source) check() error {
	o := &s.Order
	if o.Archive == noArchive {
		o.Archive = ""
	}
	if o.Mode == "" {
		o.Mode = fetch.ModeAny
	}
	if sub := o.Subdir; sub != "" && !filepath.IsLocal(sub) || strings.ContainsAny(sub, "*?[\\\x00") {
		return api.Errorf(api.ErrDenied, "source: the part %.100q of it must be a plain path that stays in it", sub)
	}
	if o.Checksum != "" && !strings.HasPrefix(o.Checksum, "file:") {
		if _, ok := fetch.ParseSum(o.Checksum); !ok {
			return api.Errorf(api.ErrInvalid, "checksum %.140q: write it like \"sha256:…\" with md5, sha1, sha256 or sha512 in hexadecimal, or \"file:URL\"", o.Checksum)
		}
	}
	if o.Kind == fetch.Git {
		if err := fetch.CheckGit(o.URL, o.Ref); err != nil {
			return api.Errorf(api.ErrDenied, "%v", err)
		}
		o.Name = ""
		return nil
	}
	if o.Archive == "" && o.Subdir != "" && o.Kind != fetch.S3 {
		return api.Errorf(api.ErrInvalid, "source: a part after \"//\" is of an archive, and this is none: name one with the option archive")
	}
	if o.Mode == fetch.ModeFile {
		if !plainName(o.Name) {
			o.Name = "file" // the destination names it
		}
		return nil
	}
	if !plainName(o.Name) {
		if o.Archive == "" {
			return api.Errorf(api.ErrInvalid, "%.100q is no name for a file: set the option filename", o.Name)
		}
		o.Name = "archive"
	}
	return nil
}

// plainName says whether a text names a file in a directory, and nothing else.
func plainName(name string) bool {
	return name != "" && name != "." && name != ".." && len(name) <= 255 && !strings.ContainsAny(name, "/\\\x00")
}

const noArchive = "none"

// archive reads the option: false for none, or the name of a format.
func archive(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if is, err := strconv.ParseBool(text); err == nil {
		if is {
			return "", nil
		}
		return noArchive, nil
	}
	if !slices.Contains(fetch.Formats, text) {
		return "", api.Errorf(api.ErrInvalid, "option archive: %.40q is not known: use one of %s, or false", text, strings.Join(fetch.Formats, ", "))
	}
	return text, nil
}
