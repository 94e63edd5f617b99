package image

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// login gives what to log in to a registry with.
type login func(ctx context.Context, host string) (authn.Authenticator, error)

// credentials finds logins in the operator's file and helpers.
type credentials struct {
	file   string
	helper string
}

const (
	maxAuthFile   = 1 * mib
	maxHelper     = 64 * kib
	helperTimeout = 30 * time.Second
	// hubKey is what docker calls its own registry in config files.
	hubKey = "https://index.docker.io/v1/"
)

func newCredentials(o Options) (credentials, error) {
	c := credentials{file: o.AuthFile, helper: o.AuthHelper}
	if o.AuthHelper != "" {
		if err := checkHelper(o.AuthHelper); err != nil {
			return c, err
		}
	}
	if o.AuthFile != "" {
		_, err := c.read()
		return c, err
	}
	return c, nil
}

// of is the login of a job, or the stored ones when it has none.
func (c credentials) of(a *Auth) login {
	if a == nil || *a == (Auth{}) {
		return c.stored
	}
	return func(context.Context, string) (authn.Authenticator, error) {
		return authn.FromConfig(authn.AuthConfig{Username: a.Username, Password: a.Password, IdentityToken: a.IdentityToken}), nil
	}
}

// stored asks the helper, and then looks into the file.
func (c credentials) stored(ctx context.Context, host string) (authn.Authenticator, error) {
	if c.helper != "" {
		if a, err := askHelper(ctx, c.helper, serverName(host)); a != nil || err != nil {
			return a, err
		}
	}
	if c.file == "" {
		return authn.Anonymous, nil
	}
	file, err := c.read()
	if err != nil {
		return nil, err
	}
	return file.login(ctx, host)
}

// serverName is how config files and helpers call a registry.
func serverName(host string) string {
	if host == name.DefaultRegistry {
		return hubKey
	}
	return host
}

// authFile is a docker config file.
type authFile struct {
	Auths       map[string]authEntry `json:"auths"`
	CredHelpers map[string]string    `json:"credHelpers"`
	CredsStore  string               `json:"credsStore"`
}

type authEntry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// read reads the file anew each time, as whoever changes a password there expects.
func (c credentials) read() (*authFile, error) {
	f, err := os.Open(c.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("registry logins: %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxAuthFile+1))
	if err != nil {
		return nil, fmt.Errorf("registry logins: %w", err)
	}
	file, err := parseAuthFile(b)
	if err != nil {
		return nil, fmt.Errorf("registry logins in %s: %w", c.file, err)
	}
	return file, nil
}

// parseAuthFile reads a config file. Its errors tell nothing of what is in it.
func parseAuthFile(b []byte) (*authFile, error) {
	var file authFile
	if len(b) > maxAuthFile {
		return nil, fmt.Errorf("the file is larger than %d bytes: %w", maxAuthFile, ErrInvalid)
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, fmt.Errorf("the file is not a docker config.json: %w", ErrInvalid)
	}
	for host, helper := range file.CredHelpers {
		if err := checkHelper(helper); err != nil {
			return nil, fmt.Errorf("credHelpers of %q: %w", host, err)
		}
	}
	if file.CredsStore != "" {
		return &file, checkHelper(file.CredsStore)
	}
	return &file, nil
}

// login finds the entry of a registry: its own helper, the file itself, then the helper for all.
func (f *authFile) login(ctx context.Context, host string) (authn.Authenticator, error) {
	server := serverName(host)
	for _, key := range []string{host, server, strings.Replace(host, name.DefaultRegistry, "docker.io", 1)} {
		if helper, ok := f.CredHelpers[key]; ok {
			return orAnonymous(askHelper(ctx, helper, server))
		}
	}
	for key, e := range f.Auths {
		if registryOf(key) != strings.Replace(host, name.DefaultRegistry, "index.docker.io", 1) {
			continue
		}
		if a, err := e.authenticator(); a != nil || err != nil {
			return a, err
		}
	}
	if f.CredsStore != "" {
		return orAnonymous(askHelper(ctx, f.CredsStore, server))
	}
	return authn.Anonymous, nil
}

// registryOf is the registry that a key of "auths" speaks of.
func registryOf(key string) string {
	key = strings.TrimPrefix(strings.TrimPrefix(key, "https://"), "http://")
	host, _, _ := strings.Cut(key, "/")
	if host == "docker.io" || host == "registry-1.docker.io" {
		return "index.docker.io"
	}
	return host
}

// authenticator is nil for an entry without anything in it, which only marks that a store has it.
func (e authEntry) authenticator() (authn.Authenticator, error) {
	c := authn.AuthConfig{Username: e.Username, Password: e.Password, IdentityToken: e.IdentityToken, RegistryToken: e.RegistryToken}
	if e.Auth != "" {
		plain, err := base64.StdEncoding.DecodeString(e.Auth)
		user, password, ok := strings.Cut(string(plain), ":")
		if err != nil || !ok {
			return nil, fmt.Errorf("an \"auth\" in the docker config file is not base64 of user:password: %w", ErrInvalid)
		}
		c.Username, c.Password = user, strings.TrimRight(password, "\x00")
	}
	if c == (authn.AuthConfig{}) {
		return nil, nil
	}
	return authn.FromConfig(c), nil
}

func orAnonymous(a authn.Authenticator, err error) (authn.Authenticator, error) {
	if a == nil && err == nil {
		return authn.Anonymous, nil
	}
	return a, err
}

// checkHelper refuses names that would be more than the end of a program's name.
func checkHelper(helper string) error {
	ok := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	}
	if helper == "" || strings.ContainsFunc(helper, func(r rune) bool { return !ok(r) }) {
		return fmt.Errorf("credential helper %.50q: it is the X of a program docker-credential-X, of letters, digits, '-', '_' and '.': %w", helper, ErrInvalid)
	}
	return nil
}

// askHelper runs docker-credential-X get. Nothing is returned when it knows no login.
func askHelper(ctx context.Context, helper, server string) (authn.Authenticator, error) {
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker-credential-"+helper, "get") //nolint:gosec // the operator's choice, checked by checkHelper
	cmd.Stdin = strings.NewReader(server)
	cmd.WaitDelay = time.Second
	var out bounded
	cmd.Stdout = &out
	err := cmd.Run()
	if err != nil && strings.Contains(out.String(), "credentials not found") {
		return nil, nil
	}
	if err != nil {
		// Not what it wrote, which may be secret.
		return nil, fmt.Errorf("credential helper docker-credential-%s for %s: %w: run it by hand to see why: %w", helper, server, cmp.Or(context.Cause(ctx), err), ErrDenied)
	}
	return parseHelper(helper, out.Bytes())
}

// parseHelper reads what a helper answers.
func parseHelper(helper string, b []byte) (authn.Authenticator, error) {
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, fmt.Errorf("credential helper docker-credential-%s does not answer as helpers do: %w", helper, ErrInvalid)
	}
	switch {
	case answer.Username == "" && answer.Secret == "":
		return nil, nil
	case answer.Username == "<token>":
		return authn.FromConfig(authn.AuthConfig{IdentityToken: answer.Secret}), nil
	}
	return authn.FromConfig(authn.AuthConfig{Username: answer.Username, Password: answer.Secret}), nil
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

// Write keeps what fits.
func (b *bounded) Write(p []byte) (int, error) {
	if room := maxHelper - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
