package command

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"sort"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

func operatorAPI() *cli.Command {
	var (
		headers         []string
		method, filter  string
		dryRun, verbose bool
	)
	return &cli.Command{
		Name: "api", Synopsis: "Send a request to the HTTP API", Usage: "[options] <path> [<body>]", Min: 1, Max: 2,
		Help: `Sends a request to the agent and shows the answer. The path is as in "/v1/jobs", with or without the first slash; a full address is taken too. The body is the second argument, "@file", or what standard input gives; with a body the method is PUT unless -X says otherwise.`,
		Define: func(f *cli.Flags) {
			f.String(&method, "X", "<method>", "HTTP method.")
			f.Strings(&headers, "H", "<name: value>", "Header to send. May be given many times.")
			f.String(&filter, "filter", "<expression>", "Show only what an expression is true of.")
			f.Bool(&dryRun, "dryrun", "Show the curl command that does the same and send nothing.")
			f.Bool(&verbose, "verbose", "Show the request and the headers of the answer.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			body, err := requestBody(inv)
			if err != nil {
				return err
			}
			if method == "" {
				method = http.MethodGet
				if body != nil {
					method = http.MethodPut
				}
			}
			path, err := requestPath(inv.Args[0], filter)
			if err != nil {
				return err
			}
			header := http.Header{}
			for _, h := range headers {
				name, value, ok := strings.Cut(h, ":")
				if !ok {
					return cli.Usagef("-H %q: write it as \"Name: value\"", h)
				}
				header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
			}
			if dryRun {
				s.curl(method, path, header, body != nil)
				return nil
			}
			return s.raw(ctx, strings.ToUpper(method), path, header, body, verbose)
		},
	}
}

// requestBody finds the body: an argument, a file, or standard input that is not a terminal.
func requestBody(inv *cli.Invocation) (io.Reader, error) {
	if len(inv.Args) == 2 {
		if file, ok := strings.CutPrefix(inv.Args[1], "@"); ok {
			data, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			return strings.NewReader(string(data)), nil
		}
		if inv.Args[1] == "-" {
			return inv.Stdin, nil
		}
		return strings.NewReader(inv.Args[1]), nil
	}
	f, ok := inv.Stdin.(*os.File)
	if !ok {
		return nil, nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 && !info.Mode().IsRegular() || info.Mode().IsRegular() && info.Size() == 0 {
		return nil, nil
	}
	data, err := io.ReadAll(f)
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return strings.NewReader(string(data)), nil
}

// requestPath gives the path and query of what the user typed.
func requestPath(arg, filter string) (string, error) {
	u, err := url.Parse(arg)
	if err != nil {
		return "", cli.Usagef("path %q: %v", arg, err)
	}
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	if !strings.HasPrefix(path, "/v1/") && u.Host == "" {
		path = "/v1" + path
	}
	query := u.Query()
	if filter != "" {
		query.Set("filter", filter)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path, nil
}

func (s *session) raw(ctx context.Context, method, path string, header http.Header, body io.Reader, verbose bool) error {
	if verbose {
		s.Errorf("> %s %s", method, path)
	}
	resp, err := s.client.Raw(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if verbose {
		s.Errorf("< %s %s", resp.Proto, resp.Status)
		names := make([]string, 0, len(resp.Header))
		for name := range resp.Header {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			s.Errorf("< %s: %s", name, strings.Join(resp.Header[name], ", "))
		}
	}
	last := &lastByte{w: s.Stdout}
	if _, err := io.Copy(last, resp.Body); err != nil && ctx.Err() == nil {
		return err
	}
	if last.seen && last.c != '\n' && cli.IsTerminal(s.Stdout) {
		s.Printf("")
	}
	if resp.StatusCode >= 400 {
		s.Errorf("Error: the agent answers %s", resp.Status)
		return cli.ExitCode(cli.CodeError)
	}
	return nil
}

// lastByte remembers the last byte that was written.
type lastByte struct {
	w    io.Writer
	c    byte
	seen bool
}

func (l *lastByte) Write(p []byte) (int, error) {
	if len(p) > 0 {
		l.c, l.seen = p[len(p)-1], true
	}
	return l.w.Write(p)
}

// curl shows the curl command that does what a request would. The token stays
// in the environment.
func (s *session) curl(method, path string, header http.Header, body bool) {
	address := s.Conn.Address
	if address == "" {
		address = api.DefaultAddress
	}
	text := "curl"
	if method != http.MethodGet {
		text += " -X " + method
	}
	if socket, ok := strings.CutPrefix(address, "unix://"); ok {
		text += " --unix-socket " + quote(socket)
		address = "http://127.0.0.1"
	}
	for _, flag := range [][2]string{{"--cacert", s.Conn.CACert}, {"--capath", s.Conn.CAPath}, {"--cert", s.Conn.ClientCert}, {"--key", s.Conn.ClientKey}} {
		if flag[1] != "" {
			text += " " + flag[0] + " " + quote(flag[1])
		}
	}
	if s.Conn.TLSSkipVerify {
		text += " --insecure"
	}
	if s.Conn.Token != "" {
		text += ` -H "X-Nomad-Token: ${SERAI_TOKEN}"`
	}
	for name, values := range header {
		for _, v := range values {
			text += " -H " + quote(name+": "+v)
		}
	}
	if body {
		text += " --data-binary @-"
	}
	s.Printf("%s %s", text, quote(strings.TrimSuffix(address, "/")+path))
}

func quote(s string) string {
	if s != "" && !strings.ContainsAny(s, " \t\n'\"$&;|<>()*?[]`\\!#~") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

func anyJSON(r io.Reader) (any, error) {
	var v any
	if err := json.NewDecoder(r).Decode(&v); err != nil {
		return nil, fmt.Errorf("the agent's answer: %w", err)
	}
	return v, nil
}
