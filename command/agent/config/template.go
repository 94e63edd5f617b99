package config

import (
	"slices"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/client/template"
)

// Template says what the templates of tasks may do.
type Template struct {
	FunctionDenylist   []string     `hcl:"function_denylist"`  // a star stands for any text
	FunctionBlacklist  []string     `hcl:"function_blacklist"` // the older name
	DisableFileSandbox bool         `hcl:"disable_file_sandbox"`
	Wait               TemplateWait `hcl:"wait"`
	WaitBounds         TemplateWait `hcl:"wait_bounds"`
}

// TemplateWait is how long changes settle before a template is rendered again.
type TemplateWait struct {
	Min time.Duration `hcl:"min"`
	Max time.Duration `hcl:"max"`
}

// TemplateSettings gives what the client needs of it.
func (c *Client) TemplateSettings() template.Settings {
	t := c.Template
	s := template.Settings{Denied: t.FunctionDenylist, Unconfined: t.DisableFileSandbox, Wait: t.Wait.config(), Bounds: t.WaitBounds.config()}
	if s.Denied == nil {
		s.Denied = t.FunctionBlacklist
	}
	return s
}

func (w TemplateWait) config() *api.WaitConfig {
	if w == (TemplateWait{}) {
		return nil
	}
	return &api.WaitConfig{Min: api.Duration(w.Min), Max: api.Duration(w.Max)}
}

func (v *checker) checkTemplate() {
	t := v.agent.Client.Template
	for key, w := range map[string]TemplateWait{"client.template.wait": t.Wait, "client.template.wait_bounds": t.WaitBounds} {
		if w.Min < 0 || w.Max < 0 || w.Max > 0 && w.Max < w.Min {
			v.add(key, "%s must not be negative, and min not longer than max", key)
		}
	}
	if t.FunctionDenylist != nil && t.FunctionBlacklist != nil && !slices.Equal(t.FunctionDenylist, t.FunctionBlacklist) {
		v.add("client.template.function_blacklist", "client.template.function_blacklist is the older name of function_denylist: set only that")
	}
}
