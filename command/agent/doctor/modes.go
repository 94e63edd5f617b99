package doctor

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/seraihq/serai/api"
)

const (
	maxWalk = 5000 // entries of the data directory that are looked at
	maxPEM  = 64 << 10
	noRoot  = "start the agent as the owner of its files, root unless it runs no tasks"
)

// modes looks at who may read and write what the agent keeps.
func (x *examination) modes() {
	c := x.Config
	for _, f := range c.Files {
		x.configFile(f)
	}
	if c.TLS.KeyFile != "" {
		x.secret("files.key", c.TLS.KeyFile)
	}
	x.beside()
	if c.DataDir == "" {
		return
	}
	info, err := os.Stat(c.DataDir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		x.report.ok("files.data_dir", "data_dir %s is not there yet; the agent makes it", c.DataDir)
		return
	case err != nil:
		x.report.fail("files.data_dir", noRoot, "data_dir: %v", err)
		return
	case !info.IsDir():
		x.report.fail("files.data_dir", "move it away, or set another data_dir", "data_dir %s is no directory", c.DataDir)
		return
	}
	if bad := info.Mode().Perm() & 0o022; bad != 0 {
		x.report.fail("files.data_dir", "chmod go-w "+c.DataDir, "data_dir %s can be written by others (mode %04o): they can replace state and keys", c.DataDir, info.Mode().Perm())
	} else if info.Mode().Perm()&0o011 != 0 && c.Client.Enabled {
		x.report.warn("files.data_dir", "chmod 700 "+c.DataDir+", unless tasks of raw_exec with users of their own must pass",
			"everybody on this machine can pass through data_dir %s (mode %04o): to the logs of tasks, and to programs that run as root because a task of root's has left them there", c.DataDir, info.Mode().Perm())
	} else {
		x.report.ok("files.data_dir", "data_dir %s is its owner's alone", c.DataDir)
	}
	if owner, ok := owned(info); ok && owner != x.Host.UID && x.Host.UID != 0 {
		x.report.warn("files.owner", noRoot, "data_dir %s belongs to user %d and this is user %d: not everything could be looked at", c.DataDir, owner, x.Host.UID)
	}
	x.secrets(c.DataDir)
}

func owned(info os.FileInfo) (uid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

func (x *examination) configFile(path string) {
	info, err := os.Stat(path)
	if err != nil {
		return // told as a problem of the configuration
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o022 != 0:
		x.report.fail("files.config", "chmod go-w "+path, "configuration %s can be written by others (mode %04o): who can change it runs programs as the agent", path, mode)
	case mode&0o044 != 0 && x.holdsSecrets(path):
		x.report.warn("files.config", "chmod 600 "+path, "configuration %s holds secrets and can be read by others (mode %04o)", path, mode)
	default:
		x.report.ok("files.config", "configuration %s is written by its owner alone", path)
	}
}

// holdsSecrets says whether a file of the configuration has something to hide.
func (x *examination) holdsSecrets(path string) bool {
	c := x.Config
	secrets := []api.Sensitive{c.Server.Encrypt, c.ACL.ReplicationToken}
	for _, v := range c.Telemetry.OTLPHeaders {
		secrets = append(secrets, v)
	}
	text, err := os.ReadFile(path)
	return err == nil && slices.ContainsFunc(secrets, func(s api.Sensitive) bool { return s != "" && bytes.Contains(text, []byte(s.Reveal())) })
}

// secret looks at a file that only its owner may read.
func (x *examination) secret(check, path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		x.report.fail(check, "put the file back, or name another", "%v", err)
	case info.Mode().Perm()&0o077 != 0:
		x.report.fail(check, "chmod 600 "+path+"; if others may have read it, make a new key", "%s is secret and can be read by others (mode %04o)", path, info.Mode().Perm())
	default:
		x.report.ok(check, "%s is read by its owner alone", path)
	}
}

// beside looks for keys in the folders of the configuration's files.
func (x *examination) beside() {
	seen := map[string]bool{}
	for _, f := range x.Config.Files {
		dir := filepath.Dir(f)
		entries, err := os.ReadDir(dir)
		if seen[dir] || err != nil || len(entries) > maxWalk {
			continue
		}
		seen[dir] = true
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && isSecret(path, info) {
				x.report.fail("files.secrets", "chmod 600 "+path+"; if others may have read it, make a new key", "%s is secret and can be read by others (mode %04o)", path, info.Mode().Perm())
			}
		}
	}
}

// secretNames are the ends of names of files that hold keys.
var secretNames = []string{"-key.pem", ".key", "keyring.json", "serf.keyring", ".secret", "secret-id"}

// secrets looks for keys below the data directory, allocations left out: what is
// in those belongs to tasks.
func (x *examination) secrets(dir string) {
	seen, bad := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what cannot be read is not ours to judge; files.owner has told why
		}
		if seen++; seen > maxWalk {
			return fs.SkipAll
		}
		if d.IsDir() {
			if path == x.Config.Client.AllocDir || path == x.Config.Client.AllocMountsDir || d.Name() == "images" {
				return fs.SkipDir
			}
			return nil
		}
		if info, err := d.Info(); err == nil && info.Mode().Perm()&0o077 != 0 && isSecret(path, info) {
			bad++
			x.report.fail("files.secrets", "chmod 600 "+path+"; if others may have read it, make a new key", "%s is secret and can be read by others (mode %04o)", path, info.Mode().Perm())
		}
		return nil
	})
	if err == nil && bad == 0 {
		x.report.ok("files.secrets", "no key below %s can be read by others", dir)
	}
}

// isSecret says whether a file holds keys, by its name or by what is in it.
func isSecret(path string, info fs.FileInfo) bool {
	for _, end := range secretNames {
		if strings.HasSuffix(info.Name(), end) {
			return true
		}
	}
	if !strings.HasSuffix(info.Name(), ".pem") || info.Size() > maxPEM {
		return false
	}
	text, err := os.ReadFile(path)
	return err == nil && bytes.Contains(text, []byte("PRIVATE KEY-----"))
}
