package docker

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/distribution/reference"
	"github.com/moby/moby/api/types/registry"
)

const (
	// maxCredentials bounds what is read of a configuration file or from a helper.
	maxCredentials = 1 << 20
	helperTimeout  = 30 * time.Second
)

// shortHub is the registry of images whose names begin with none, hub is how it is named in credentials.
var (
	shortHub = sync.OnceValue(func() string {
		named, err := reference.ParseNormalizedNamed("image")
		if err != nil {
			return ""
		}
		return reference.Domain(named)
	})
	hub = func() string { return "https://index." + shortHub() + "/v1/" }
)

// registryOf is the registry that an image's name begins with.
func registryOf(image string) string {
	first, _, more := strings.Cut(image, "/")
	if more && (strings.ContainsAny(first, ".:") || first == "localhost") {
		return first
	}
	return shortHub()
}

// credentials finds how to be known at an image's registry: from the job, else from the operator's file, else from the operator's helper. None is
// anonymous, "".
func (c *config) credentials(ctx context.Context, image string, job jobAuth) (string, error) {
	server := registryOf(image)
	if job.Username != "" || job.Password != "" {
		if server == shortHub() {
			server = hub()
		}
		if job.ServerAddress != "" {
			server = job.ServerAddress
		}
		return encode(registry.AuthConfig{Username: job.Username, Password: job.Password, ServerAddress: server})
	}
	if c.Auth.Config != "" {
		found, err := fromFile(ctx, c.Auth.Config, server)
		if err != nil {
			return "", fmt.Errorf("auth.config %s: %w", c.Auth.Config, err)
		}
		if found != nil {
			return encode(*found)
		}
	}
	if c.Auth.Helper != "" {
		found, err := fromHelper(ctx, c.Auth.Helper, server)
		if err != nil {
			return "", fmt.Errorf("auth.helper %s: %w", c.Auth.Helper, err)
		}
		if found != nil {
			return encode(*found)
		}
	}
	return "", nil
}

func encode(a registry.AuthConfig) (string, error) {
	text, err := json.Marshal(a)
	if err != nil {
		return "", errors.New("credentials cannot be written")
	}
	return base64.URLEncoding.EncodeToString(text), nil
}

// credentialFile is the part of a Docker client's config.json that is about credentials.
type credentialFile struct {
	Auths   map[string]credential `json:"auths"`
	Helpers map[string]string     `json:"credHelpers"`
	Store   string                `json:"credsStore"`
}

type credential struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

func fromFile(ctx context.Context, path, server string) (*registry.AuthConfig, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCredentials+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxCredentials {
		return nil, fmt.Errorf("larger than %d bytes", maxCredentials)
	}
	file, err := parseCredentials(text)
	if err != nil {
		return nil, err
	}
	if helper, key := file.helper(server); helper != "" {
		if found, err := fromHelper(ctx, helper, key); err != nil || found != nil {
			return found, err
		}
	}
	return file.lookup(server)
}

func parseCredentials(text []byte) (credentialFile, error) {
	var file credentialFile
	if err := json.Unmarshal(text, &file); err != nil {
		return file, errors.New("not the JSON of a Docker client's configuration") // the library's words could hold a secret
	}
	return file, nil
}

// helper is the program that keeps the registry's credentials, and the name by which it knows the registry.
func (f *credentialFile) helper(server string) (name, key string) {
	for known, helper := range f.Helpers {
		if sameRegistry(known, server) {
			return helper, known
		}
	}
	if f.Store != "" && server == shortHub() {
		return f.Store, hub()
	}
	return f.Store, server
}

func (f *credentialFile) lookup(server string) (*registry.AuthConfig, error) {
	for known, c := range f.Auths {
		if !sameRegistry(known, server) {
			continue
		}
		out := &registry.AuthConfig{Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken, ServerAddress: known}
		if c.Auth != "" {
			text, err := base64.StdEncoding.DecodeString(c.Auth)
			user, password, ok := strings.Cut(string(text), ":")
			if err != nil || !ok {
				return nil, fmt.Errorf("the entry for %s cannot be read", known)
			}
			out.Username, out.Password = user, strings.TrimRight(password, "\x00")
		}
		if *out == (registry.AuthConfig{ServerAddress: known}) {
			return nil, nil
		}
		return out, nil
	}
	return nil, nil
}

// sameRegistry compares the name of a registry as a file has it with that of an image.
func sameRegistry(known, server string) bool {
	known = strings.TrimPrefix(strings.TrimPrefix(known, "https://"), "http://")
	host, _, _ := strings.Cut(known, "/")
	if server == shortHub() {
		return host == "index."+shortHub() || host == shortHub() || host == "registry-1."+shortHub()
	}
	return host == server
}

// fromHelper asks a credential helper, a program docker-credential-<name> in the agent's PATH.
func fromHelper(ctx context.Context, name, server string) (*registry.AuthConfig, error) {
	if strings.ContainsAny(name, "/ ") || name == "" {
		return nil, fmt.Errorf("helper %q is not a name", name)
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker-credential-"+name, "get")
	cmd.WaitDelay = time.Second
	cmd.Stdin = strings.NewReader(server)
	out := &limited{left: maxCredentials}
	cmd.Stdout = out
	err := cmd.Run()
	if bytes.Contains(out.Bytes(), []byte("credentials not found")) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("ask docker-credential-%s for %s: %w", name, server, err)
	}
	var answer struct{ ServerURL, Username, Secret string }
	if err := json.Unmarshal(out.Bytes(), &answer); err != nil {
		return nil, fmt.Errorf("docker-credential-%s answered what is not its protocol", name)
	}
	a := &registry.AuthConfig{Username: answer.Username, Password: answer.Secret, ServerAddress: server}
	if answer.Username == "<token>" {
		a.Username, a.Password, a.IdentityToken = "", "", answer.Secret
	}
	return a, nil
}

// limited is a buffer that takes only so much.
type limited struct {
	bytes.Buffer
	left int
}

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, errors.New("too much output")
	}
	return l.Buffer.Write(p)
}
