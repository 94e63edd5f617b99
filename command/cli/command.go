package cli

import (
	"context"
	"fmt"
	"strings"
)

// Command is a node of the command tree: it runs, or it has commands below it.
type Command struct {
	Name     string
	Synopsis string // one line for the list in the parent's help
	Usage    string // what follows the name: "[options] <job>"
	Help     string // paragraphs for the command's own help; Synopsis when empty

	Hidden         bool // not listed and not suggested
	Refused        bool // known by name and not built: every call is an error
	Offline        bool // talks to no agent: takes no general options
	StopAtArgument bool // the first argument ends the flags (what follows belongs to another program)
	Min, Max       int  // number of arguments; Max < 0 = any

	Define   func(f *Flags)                                                     // declares the flags
	Complete func(ctx context.Context, inv *Invocation, args []string) []string // candidates for the argument after args
	Run      func(ctx context.Context, inv *Invocation) error                   // does the work
	Commands []*Command                                                         // commands below
}

// find walks the words down the tree. It gives the commands on the way and the
// words that are left.
func (c *Command) find(words []string) (path []*Command, rest []string) {
	path = []*Command{c}
	for len(words) > 0 {
		next := path[len(path)-1].child(words[0])
		if next == nil {
			break
		}
		path = append(path, next)
		words = words[1:]
	}
	return path, words
}

func (c *Command) child(name string) *Command {
	for _, sub := range c.Commands {
		if sub.Name == name {
			return sub
		}
	}
	return nil
}

// names lists the commands below that people should know of.
func (c *Command) names() []string {
	var names []string
	for _, sub := range c.Commands {
		if !sub.Hidden {
			names = append(names, sub.Name)
		}
	}
	return names
}

// flags declares the flags of a command.
func (c *Command) flags(conn *Connection) *Flags {
	f := newFlags()
	if c.Define != nil {
		c.Define(f)
	}
	if !c.Offline {
		f.Group("General options")
		conn.define(f)
	}
	return f
}

// checkCount says what is wrong with the number of arguments.
func (c *Command) checkCount(n int) error {
	switch {
	case n >= c.Min && (c.Max < 0 || n <= c.Max):
		return nil
	case c.Max == 0:
		return Usagef("this command takes no arguments")
	case c.Min == c.Max:
		return Usagef("this command takes %s, not %d", plural(c.Min, "argument"), n)
	case n < c.Min:
		return Usagef("this command takes at least %s, not %d", plural(c.Min, "argument"), n)
	}
	return Usagef("this command takes at most %s, not %d", plural(c.Max, "argument"), n)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "one " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func pathName(path []*Command) string {
	names := make([]string, len(path))
	for i, c := range path {
		names[i] = c.Name
	}
	return strings.Join(names, " ")
}
