package command

import (
	"fmt"
	"io"
	"strings"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// diffWriter writes the difference of two versions of a job as an indented
// tree: a mark for what was added, deleted or edited before each line.
type diffWriter struct {
	w       io.Writer
	style   cli.Style
	verbose bool // also what was added or deleted as a whole, and what stays
}

func writeJobDiff(w io.Writer, style cli.Style, diff *api.JobDiff, verbose bool) {
	d := &diffWriter{w, style, verbose}
	d.line(0, diff.Type, "Job: %q", diff.ID)
	if d.opens(diff.Type) {
		d.fields(0, diff.Fields)
		d.objects(0, diff.Objects)
	}
	for _, g := range diff.TaskGroups {
		d.group(g)
	}
}

// opens says whether the inside of something is shown.
func (d *diffWriter) opens(kind string) bool { return d.verbose || kind == api.DiffEdited }

func (d *diffWriter) group(g *api.TaskGroupDiff) {
	d.line(0, g.Type, "Task Group: %q%s", g.Name, d.updates(g.Updates))
	if d.opens(g.Type) {
		d.fields(1, g.Fields)
		d.objects(1, g.Objects)
	}
	for _, t := range g.Tasks {
		d.line(1, t.Type, "Task: %q%s", t.Name, d.annotations(t.Annotations))
		if t.Type == api.DiffNone && !d.verbose {
			continue
		}
		if d.opens(t.Type) {
			d.fields(2, t.Fields)
			d.objects(2, t.Objects)
		}
	}
}

// updates words what would be done with a group: " (2 create, 1 in-place update)".
func (d *diffWriter) updates(updates map[string]uint64) string {
	var parts []string
	for _, what := range sorted(updates) {
		text := fmt.Sprintf("%d %s", updates[what], what)
		switch what {
		case "create", "canary":
			text = d.style.Green(text)
		case "destroy", "stop":
			text = d.style.Red(text)
		case "in-place update":
			text = d.style.Cyan(text)
		case "create/destroy update", "migrate":
			text = d.style.Yellow(text)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func (d *diffWriter) annotations(notes []string) string {
	if len(notes) == 0 {
		return ""
	}
	coloured := make([]string, len(notes))
	for i, n := range notes {
		switch {
		case strings.Contains(n, "in-place"):
			coloured[i] = d.style.Cyan(n)
		case strings.Contains(n, "create/destroy"):
			coloured[i] = d.style.Yellow(n)
		case strings.Contains(n, "destroy"):
			coloured[i] = d.style.Red(n)
		default:
			coloured[i] = d.style.Green(n)
		}
	}
	return " (" + strings.Join(coloured, ", ") + ")"
}

func (d *diffWriter) fields(depth int, fields []*api.FieldDiff) {
	longest := 0
	for _, f := range fields {
		if f.Type != api.DiffNone || d.verbose {
			longest = max(longest, len(f.Name))
		}
	}
	for _, f := range fields {
		pad := strings.Repeat(" ", longest-min(longest, len(f.Name)))
		switch f.Type {
		case api.DiffAdded:
			d.line(depth+1, f.Type, "%s: %s%q%s", f.Name, pad, f.New, d.annotations(f.Annotations))
		case api.DiffDeleted:
			d.line(depth+1, f.Type, "%s: %s%q%s", f.Name, pad, f.Old, d.annotations(f.Annotations))
		case api.DiffEdited:
			d.line(depth+1, f.Type, "%s: %s%q => %q%s", f.Name, pad, f.Old, f.New, d.annotations(f.Annotations))
		default:
			if d.verbose {
				d.line(depth+1, f.Type, "%s: %s%q", f.Name, pad, f.New)
			}
		}
	}
}

func (d *diffWriter) objects(depth int, objects []*api.ObjectDiff) {
	for _, o := range objects {
		if o.Type == api.DiffNone && !d.verbose {
			continue
		}
		d.line(depth+1, o.Type, "%s {", o.Name)
		d.fields(depth+1, o.Fields)
		d.objects(depth+1, o.Objects)
		d.line(depth+1, api.DiffNone, "}")
	}
}

// line writes a line with its mark: + added, - deleted, +/- edited.
func (d *diffWriter) line(depth int, kind, format string, args ...any) {
	mark := "   "
	switch kind {
	case api.DiffAdded:
		mark = d.style.Green("+") + "  "
	case api.DiffDeleted:
		mark = d.style.Red("-") + "  "
	case api.DiffEdited:
		mark = d.style.Yellow("+/-")
	}
	fmt.Fprintf(d.w, "%s%s %s\n", strings.Repeat("  ", depth), mark, cli.Clean(fmt.Sprintf(format, args...)))
}
