package cni

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	"github.com/containernetworking/cni/pkg/version"
)

// outputLimit bounds what a plugin may print.
const outputLimit = 1 << 20

// runner runs plugins. It implements the library's invoke.Exec.
type runner struct{ version.PluginDecoder }

var _ invoke.Exec = (*runner)(nil)

// ExecPlugin implements invoke.Exec.
func (*runner) ExecPlugin(ctx context.Context, path string, stdin []byte, env []string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = scrub(env)
	cmd.Stdin = bytes.NewReader(stdin)
	out, problem := &limited{}, &limited{}
	cmd.Stdout, cmd.Stderr = out, problem
	err := cmd.Run()
	if err == nil && out.over {
		err = fmt.Errorf("printed more than %d bytes", outputLimit)
	}
	if err == nil {
		return out.Bytes(), nil
	}
	var said types.Error
	if json.Unmarshal(out.Bytes(), &said) == nil && said.Msg != "" {
		return nil, &said
	}
	if text := strings.TrimSpace(problem.String()); text != "" {
		err = fmt.Errorf("%w: %.1000s", err, text)
	}
	return nil, err
}

// FindInPath implements invoke.Exec. A name with a slash is no name.
func (*runner) FindInPath(plugin string, paths []string) (string, error) {
	return invoke.FindInPath(plugin, paths)
}

// scrub keeps what the protocol sets, and where programs are.
func scrub(env []string) []string {
	var out []string
	for _, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "CNI_") || name == "PATH" || name == "LANG" || name == "HOME" {
			out = append(out, kv)
		}
	}
	return out
}

// limited is a buffer that takes no more than outputLimit and lets the writer go on.
type limited struct {
	bytes.Buffer
	over bool
}

func (l *limited) Write(p []byte) (int, error) {
	if room := outputLimit - l.Len(); len(p) > room {
		l.over = true
		l.Buffer.Write(p[:max(room, 0)])
		return len(p), nil
	}
	return l.Buffer.Write(p)
}

// Versions asks the plugins of these directories for their versions: by name,
// "v1.1.1". What is no plugin is left out.
func Versions(ctx context.Context, dirs []string) map[string]string {
	out := map[string]string{}
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			name := e.Name()
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 || out[name] != "" {
				continue
			}
			if v := ask(ctx, dir+"/"+name); v != "" {
				out[name] = v
			}
		}
	}
	return out
}

// ask runs a plugin without a command: it then says what it is, in the last
// word of its first line, and which versions of the protocol it speaks.
func ask(ctx context.Context, path string) string {
	ctx, cancel := context.WithTimeout(ctx, askDeadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.WaitDelay = askDeadline
	problem := &limited{}
	cmd.Stdout, cmd.Stderr = io.Discard, problem
	if err := cmd.Run(); err != nil {
		if _, ended := errors.AsType[*exec.ExitError](err); !ended {
			return ""
		}
	}
	return versionIn(problem.String())
}

// versionIn finds the version in what a plugin says of itself, such as "CNI
// bridge plugin v1.1.1".
func versionIn(text string) string {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "CNI" {
			continue
		}
		if last := words[len(words)-1]; len(last) > 1 && len(last) < 40 && last[0] == 'v' && last[1] >= '0' && last[1] <= '9' {
			return last
		}
	}
	return ""
}
