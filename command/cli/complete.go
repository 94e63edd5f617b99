package cli

import (
	"context"
	"slices"
	"strings"
	"time"
)

// completeCommand is the hidden command that the completion scripts call with
// the words typed so far; the last is the one to be completed.
const completeCommand = "__complete"

// completeTime bounds what the shell waits for an agent.
const completeTime = 2 * time.Second

// complete gives the candidates for the last of the words after the program's name.
func (p *Program) complete(ctx context.Context, words []string) []string {
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	before, last := words[:len(words)-1], words[len(words)-1]
	path, rest := p.Root.find(before)
	c := path[len(path)-1]
	if c.Run == nil {
		if len(rest) > 0 {
			return nil
		}
		return matching(c.names(), last)
	}
	conn := fromEnvironment(p.Getenv)
	flags := c.flags(conn)
	if strings.HasPrefix(last, "-") {
		return matching(flags.names(), "-"+strings.TrimLeft(last, "-"))
	}
	args, err := flags.parse(rest, c.StopAtArgument)
	if err != nil || c.Complete == nil || c.Max >= 0 && len(args) >= c.Max {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, completeTime)
	defer cancel()
	inv := p.invocation(path, flags, conn, args)
	return matching(c.Complete(ctx, inv, append(args, last)), last)
}

func matching(all []string, prefix string) []string {
	var out []string
	for _, s := range all {
		if strings.HasPrefix(s, prefix) {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
