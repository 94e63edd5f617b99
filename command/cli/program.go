package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"github.com/seraihq/serai/internal/hclx"
)

// Program is the whole command line: the tree and what it may touch.
type Program struct {
	Root    *Command
	Version func() string // for -version

	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string

	// Explain words an error for people and says what to do next; may be nil.
	Explain func(err error) (text, hint string)
}

// Invocation is one run of a command.
type Invocation struct {
	Args   []string
	Flags  *Flags
	Conn   *Connection
	Path   string // "serai job run"
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	Getenv func(string) string
	Style  Style // for Stdout
}

// Run runs the command that the words name and gives the exit code.
func (p *Program) Run(ctx context.Context, words []string) int {
	if code, done := p.special(ctx, words); done {
		return code
	}
	path, rest := p.Root.find(words)
	c := path[len(path)-1]
	if c.Refused {
		return p.refuse(path)
	}
	if c.Run == nil {
		return p.group(path, rest)
	}
	conn := fromEnvironment(p.Getenv)
	flags := c.flags(conn)
	args, err := flags.parse(rest, c.StopAtArgument)
	if errors.Is(err, flag.ErrHelp) {
		writeHelp(p.Stdout, path, p.style(conn, p.Stdout))
		return 0
	}
	inv := p.invocation(path, flags, conn, args)
	if err == nil {
		err = c.checkCount(len(args))
	}
	if err == nil {
		err = c.Run(ctx, inv)
	}
	return p.finish(inv, path, err)
}

func (p *Program) invocation(path []*Command, flags *Flags, conn *Connection, args []string) *Invocation {
	return &Invocation{
		Args: args, Flags: flags, Conn: conn, Path: pathName(path),
		Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr, Getenv: p.Getenv,
		Style: p.style(conn, p.Stdout),
	}
}

// special handles what stands before any command.
func (p *Program) special(ctx context.Context, words []string) (int, bool) {
	if len(words) == 0 {
		writeHelp(p.Stderr, []*Command{p.Root}, Style{})
		return CodeUnknown, true
	}
	switch words[0] {
	case "-h", "-help", "--help", "--h", "help":
		path, _ := p.Root.find(words[1:])
		writeHelp(p.Stdout, path, p.style(fromEnvironment(p.Getenv), p.Stdout))
		return 0, true
	case "-v", "-version", "--version":
		fmt.Fprintln(p.Stdout, p.Version())
		return 0, true
	case "-autocomplete-install", "--autocomplete-install":
		return p.installCompletion(true), true
	case "-autocomplete-uninstall", "--autocomplete-uninstall":
		return p.installCompletion(false), true
	case completeCommand:
		for _, candidate := range p.complete(ctx, words[1:]) {
			fmt.Fprintln(p.Stdout, candidate)
		}
		return 0, true
	}
	return 0, false
}

// refuse answers a call of a command that is not built.
func (p *Program) refuse(path []*Command) int {
	style := p.style(fromEnvironment(p.Getenv), p.Stderr)
	fmt.Fprintf(p.Stderr, "%s %q is not built yet\n", style.Red("Error:"), pathName(path))
	return CodeError
}

// group answers a call that ends at a command with others below it.
func (p *Program) group(path []*Command, rest []string) int {
	c := path[len(path)-1]
	for _, w := range rest {
		switch w {
		case "-h", "-help", "--help", "--h":
			writeHelp(p.Stdout, path, p.style(fromEnvironment(p.Getenv), p.Stdout))
			return 0
		}
	}
	if len(rest) == 0 {
		writeHelp(p.Stderr, path, Style{})
		return CodeError
	}
	style := p.style(fromEnvironment(p.Getenv), p.Stderr)
	fmt.Fprintf(p.Stderr, "%s there is no command %q\n", style.Red("Error:"), pathName(path)+" "+rest[0])
	if near := hclx.Nearest(rest[0], c.names()); near != "" {
		fmt.Fprintf(p.Stderr, "\nDid you mean %q?\n", pathName(path)+" "+near)
	}
	fmt.Fprintf(p.Stderr, "\nRun \"%s -help\" for the list of commands.\n", pathName(path))
	return CodeUnknown
}

// finish prints an error and gives the exit code.
func (p *Program) finish(inv *Invocation, path []*Command, err error) int {
	code := codeOf(err)
	var exit *Exit
	if err == nil || errors.As(err, &exit) && exit.Err == nil {
		return code
	}
	style := p.style(inv.Conn, p.Stderr)
	text, hint := err.Error(), ""
	if p.Explain != nil {
		text, hint = p.Explain(err)
	}
	fmt.Fprintf(p.Stderr, "%s %s\n", style.Red("Error:"), text)
	var usage *UsageError
	if errors.As(err, &usage) {
		fmt.Fprintf(p.Stderr, "\nUsage: %s %s\nRun \"%s -help\" for more.\n", inv.Path, path[len(path)-1].Usage, inv.Path)
	} else if hint != "" {
		fmt.Fprintf(p.Stderr, "\n%s\n", hint)
	}
	return code
}

// style says whether a stream gets colour.
func (p *Program) style(conn *Connection, w io.Writer) Style {
	switch {
	case conn.NoColor:
		return Style{}
	case conn.ForceColor:
		return Style{on: true}
	}
	return Style{on: IsTerminal(w) && p.Getenv("TERM") != "dumb"}
}

// IsTerminal says whether a stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Errorf prints a line on the error stream.
func (inv *Invocation) Errorf(format string, args ...any) {
	fmt.Fprintf(inv.Stderr, format+"\n", args...)
}

// Printf prints a line on the output stream.
func (inv *Invocation) Printf(format string, args ...any) {
	fmt.Fprintf(inv.Stdout, format+"\n", args...)
}
