package api

import (
	"math"
	"path"
	"strings"
)

// maxTemplates is how many templates a task may have.
const maxTemplates = 200

func (v *validator) templates(at spot, t *Task) {
	if n := len(t.Templates); n > maxTemplates {
		v.addf(at.field("Templates", "template"), "must be there at most %d times, not %d", maxTemplates, n)
		return
	}
	seen := map[string]bool{}
	for i, tmpl := range t.Templates {
		p := at.field("Templates", "template").index(i)
		dest := p.field("DestPath", "destination")
		clean := tmpl.DestPath
		if clean != "" && !strings.Contains(clean, "${") { // else the node knows what it means
			clean = path.Clean(clean)
		}
		switch {
		case tmpl.DestPath == "":
			v.addf(dest, "must be set, for example \"local/app.conf\"")
		case seen[clean]:
			v.addf(dest, "%q is the destination of another template", clip(tmpl.DestPath))
		case strings.HasPrefix(clean, "../") && !strings.HasPrefix(clean, "../alloc/"), clean == "..", clean == ".", strings.IndexByte(clean, 0) >= 0:
			v.addf(dest, "%q must be a file in the task's directory, or in ../alloc", clip(tmpl.DestPath))
		}
		seen[clean] = true
		v.templateChange(p, tmpl)
		v.templateFile(p, tmpl)
	}
}

// templateChange checks what is to be done when the template changes.
func (v *validator) templateChange(at spot, t *Template) {
	v.oneOf(at.field("ChangeMode", "change_mode"), t.ChangeMode, "restart", "noop", "signal", "script")
	if t.ChangeMode == "signal" && t.Envvars {
		v.addf(at.field("ChangeMode", "change_mode"), "\"signal\" would not bring the new environment to the task: use \"restart\" or \"noop\" with env = true")
	}
	if s := t.ChangeScript; t.ChangeMode == "script" && (s == nil || s.Command == "") {
		v.addf(at, "needs change_script { command = … } for change_mode script")
	} else if s != nil {
		notNegative(v, at.field("ChangeScript", "change_script").field("Timeout", "timeout"), s.Timeout)
	}
	notNegative(v, at.field("Splay", "splay"), t.Splay)
	if w := t.Wait; w != nil {
		p := at.field("Wait", "wait")
		if notNegative(v, p.field("Min", "min"), w.Min) && notNegative(v, p.field("Max", "max"), w.Max) && w.Max > 0 && w.Max < w.Min {
			v.addf(p.field("Max", "max"), "must be at least min (%v), not %v", w.Min.Std(), w.Max.Std())
		}
	}
}

// templateFile checks the text, and the file that is made of it.
func (v *validator) templateFile(at spot, t *Template) {
	switch {
	case t.SourcePath == "" && t.EmbeddedTmpl == "":
		v.addf(at, "needs source or data")
	case t.SourcePath != "" && t.EmbeddedTmpl != "":
		v.addf(at, "has source and data: only one of them can be the template")
	case t.EmbeddedTmpl != "":
		v.templateText(at.field("EmbeddedTmpl", "data"), t)
	}
	if _, ok := ParsePerms(t.Perms); !ok && t.Perms != "" {
		v.addf(at.field("Perms", "perms"), "must be a mode from \"0000\" to \"0777\", not %q", clip(t.Perms))
	}
	v.owner(at.field("Uid", "uid"), t.Uid)
	v.owner(at.field("Gid", "gid"), t.Gid)
}

func (v *validator) owner(at spot, id *int) {
	if id != nil && (*id < -1 || *id > math.MaxInt32) {
		v.addf(at, "must be from 0 to %d, or -1 for the task's user, not %d", math.MaxInt32, *id)
	}
}

// templateText checks the text of a template that a job carries.
func (v *validator) templateText(at spot, t *Template) {
	if v.parsed += len(t.EmbeddedTmpl); v.parsed > MaxTemplateSize {
		v.addf(at, "makes the templates of the job larger than %d bytes together: fetch large ones as artifacts, and name them with source", MaxTemplateSize)
		return
	}
	names, err := TemplateFunctions(t.EmbeddedTmpl, t.LeftDelim, t.RightDelim)
	if err != nil {
		v.addf(at, "is not a template: %v", err)
		return
	}
	for _, name := range names {
		if why := TemplateFunctionMissing(name); why != "" {
			v.addf(at, "uses the function %q, which %s", name, why)
		}
	}
}
