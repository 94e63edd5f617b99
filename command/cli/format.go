package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// Format is the choice of machine-readable output that every read offers.
type Format struct {
	JSON     bool
	Template string
}

// Define declares -json and -t.
func (o *Format) Define(f *Flags) {
	f.Bool(&o.JSON, "json", "Show the answer as JSON.")
	f.String(&o.Template, "t", "<template>", "Show the answer through a Go template.")
}

// Wanted says whether one of the two was asked for.
func (o *Format) Wanted() bool { return o.JSON || o.Template != "" }

// Write writes a value as JSON or through the template.
func (o *Format) Write(w io.Writer, value any) error {
	if o.JSON && o.Template != "" {
		return Usagef("give -json or -t, not both")
	}
	if o.JSON {
		return WriteJSON(w, value)
	}
	t, err := template.New("-t").Funcs(templateFunctions).Parse(o.Template)
	if err != nil {
		return Usagef("the template of -t: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	var out strings.Builder
	if err := t.Execute(&out, value); err != nil {
		return fmt.Errorf("the template of -t: %s", strings.TrimPrefix(err.Error(), "template: "))
	}
	_, err = io.WriteString(w, strings.TrimSuffix(out.String(), "\n")+"\n")
	return err
}

var templateFunctions = template.FuncMap{
	"json": func(v any) (string, error) {
		b, err := json.Marshal(v)
		return string(b), err
	},
	"join":  strings.Join,
	"lower": strings.ToLower,
	"upper": strings.ToUpper,
}

// WriteJSON writes a value as indented JSON.
func WriteJSON(w io.Writer, value any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "    ")
	return e.Encode(value)
}
