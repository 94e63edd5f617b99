package cli

import (
	"fmt"
	"io"
	"strings"
)

// helpWidth is the width that help is wrapped at.
const helpWidth = 80

// writeHelp writes the help of the command at the end of a path.
func writeHelp(w io.Writer, path []*Command, style Style) {
	c := path[len(path)-1]
	name := pathName(path)
	usage := c.Usage
	if c.Run == nil {
		usage = "<command> [options] [arguments]"
	}
	fmt.Fprintf(w, "%s %s %s\n\n", style.Bold("Usage:"), name, usage)
	text := c.Help
	if text == "" {
		text = c.Synopsis + "."
	}
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n\n") {
		writeParagraph(w, paragraph, "  ")
		fmt.Fprintln(w)
	}
	if len(c.Commands) > 0 {
		fmt.Fprintln(w, style.Bold("Commands:"))
		fmt.Fprintln(w)
		writeCommands(w, c)
	}
	if c.Run != nil {
		writeOptions(w, c.flags(&Connection{}), style)
	}
}

// writeParagraph wraps a paragraph; indented paragraphs (examples) stay as they are.
func writeParagraph(w io.Writer, text, indent string) {
	if strings.HasPrefix(text, "  ") {
		for _, line := range strings.Split(text, "\n") {
			fmt.Fprintln(w, strings.TrimRight(indent+line, " "))
		}
		return
	}
	for _, line := range wrap(text, helpWidth-len(indent)) {
		fmt.Fprintln(w, indent+line)
	}
}

func writeCommands(w io.Writer, c *Command) {
	longest := 0
	for _, sub := range c.Commands {
		if !sub.Hidden {
			longest = max(longest, len(sub.Name))
		}
	}
	for _, sub := range c.Commands {
		if !sub.Hidden {
			fmt.Fprintf(w, "  %-*s  %s\n", longest, sub.Name, sub.Synopsis)
		}
	}
}

func writeOptions(w io.Writer, f *Flags, style Style) {
	for _, g := range f.groups {
		if len(g.options) == 0 {
			continue
		}
		fmt.Fprintf(w, "%s\n\n", style.Bold(g.title+":"))
		for _, o := range g.options {
			fmt.Fprintln(w, "  "+o.head())
			writeParagraph(w, o.help, "      ")
			fmt.Fprintln(w)
		}
	}
}

// wrap breaks a text into lines of at most n characters where there are spaces.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case width(line)+1+width(word) <= n:
			line += " " + word
		default:
			lines = append(lines, line)
			line = word
		}
	}
	return append(lines, line)
}
