package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/pattern"
	"github.com/seraihq/serai/jobspec"
)

// maxSource bounds a file that is read, in bytes; the server has limits of its own.
const maxSource = 1 << 20

// jobFile is how the commands that read a job file are told to read it.
type jobFile struct {
	vars     []string
	varFiles []string
	json     bool
	strict   bool
}

func (o *jobFile) define(f *cli.Flags) {
	o.strict = true
	f.Strings(&o.vars, "var", "<name=value>", "Value of a variable of the job file. May be given many times.")
	f.Strings(&o.varFiles, "var-file", "<path>", "File with values of variables. May be given many times.")
	f.Bool(&o.strict, "hcl2-strict", "Refuse values of variables that the job file does not declare. On by default.")
	f.Bool(&o.json, "json", "The job file is JSON as the API takes it.")
	for _, name := range []string{"vault-namespace", "consul-namespace", "consul-token", "vault-token"} {
		f.Ignore(name, "<text>")
	}
	f.Ignore("policy-override", "")
}

// read reads and parses a job file: a path, "-" for standard input, or an http address.
func (o *jobFile) read(ctx context.Context, inv *cli.Invocation, path string) (*jobspec.Result, error) {
	data, err := readSource(ctx, inv.Stdin, "job file", path)
	if err != nil {
		return nil, err
	}
	src := jobspec.Source{
		Name: path, Data: data, Env: os.Environ(), AllowFS: true, Strict: o.strict, JSON: o.json,
		VarFlags: map[string]string{}, MaxBytes: maxSource,
	}
	if path == "-" {
		src.Name = "standard input"
	} else if !isAddress(path) {
		src.BaseDir = filepath.Dir(path)
	}
	for _, v := range o.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			return nil, cli.Usagef("-var %q: write it as name=value", v)
		}
		src.VarFlags[name] = value
	}
	for _, file := range o.varFiles {
		data, err := readSource(ctx, inv.Stdin, "variables", file)
		if err != nil {
			return nil, err
		}
		src.VarFiles = append(src.VarFiles, jobspec.VarFile{Name: file, Data: data})
	}
	result, err := jobspec.Parse(ctx, src)
	if err != nil {
		return nil, err
	}
	if _, given := result.Positions["Namespace"]; !given && inv.Conn.Namespace != "" {
		if inv.Conn.Namespace == api.AllNamespaces {
			return nil, cli.Usagef("a job runs in one namespace: -namespace \"*\" is for lists")
		}
		result.Job.Namespace = inv.Conn.Namespace
	}
	return result, nil
}

func isAddress(path string) bool {
	return strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://")
}

// readSource reads a file, "-" for standard input, or an http address. What it
// is, such as "job file", stands in errors.
func readSource(ctx context.Context, stdin io.Reader, what, path string) ([]byte, error) {
	switch {
	case path == "-":
		return readLimited(stdin, what, "standard input")
	case isAddress(path):
		return fetch(ctx, what, path)
	}
	f, err := os.Open(path)
	if err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			return nil, fmt.Errorf("%s %s: %w", what, path, perr.Err)
		}
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, fmt.Errorf("%s %s: it is a folder; name the file", what, path)
	}
	return readLimited(f, what, path)
}

func readLimited(r io.Reader, what, name string) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxSource+1))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", what, name, err)
	}
	if len(data) > maxSource {
		return nil, fmt.Errorf("%s %s: more than %s", what, name, size(maxSource))
	}
	return data, nil
}

func fetch(ctx context.Context, what, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: the server answers %s", what, address, resp.Status)
	}
	return readLimited(resp.Body, what, address)
}

// warningCount is the line that counts the warnings of an answer.
var warningCount = pattern.New(`^\d+ warnings?(\(s\))?:$`)

// showWarnings prints warnings, one a line.
func showWarnings(w io.Writer, style cli.Style, warnings ...string) {
	for _, text := range warnings {
		for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
			if line = strings.TrimSpace(line); line != "" && !warningCount.MatchString(line) {
				fmt.Fprintf(w, "%s %s\n", style.Yellow("Warning:"), strings.TrimPrefix(line, "* "))
			}
		}
	}
}
