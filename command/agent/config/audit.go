package config

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// Audit configures the log of what is asked of the HTTP API.
type Audit struct {
	Enabled bool                   `hcl:"enabled"`
	Sinks   map[string]AuditSink   `hcl:"sink,label"` // one; a file in the data directory where none is given
	Filters map[string]AuditFilter `hcl:"filter,label"`
}

// AuditSink is where the records go.
type AuditSink struct {
	Type              string        `hcl:"type"`               // file
	DeliveryGuarantee string        `hcl:"delivery_guarantee"` // Enforced or BestEffort
	Format            string        `hcl:"format"`             // json
	Path              string        `hcl:"path"`
	RotateBytes       int64         `hcl:"rotate_bytes" unit:"size"`
	RotateDuration    time.Duration `hcl:"rotate_duration"`
	RotateMaxFiles    int           `hcl:"rotate_max_files"` // 0 = all are kept
	Mode              string        `hcl:"mode"`             // octal
}

// What delivery_guarantee may say: that requests which cannot be written down are
// refused, or that they go on.
const (
	Enforced   = "enforced"
	BestEffort = "best-effort"
)

// ParseMode reads the mode of a file.
func ParseMode(octal string) (os.FileMode, error) {
	n, err := strconv.ParseUint(octal, 8, 32)
	return os.FileMode(n), err
}

// AuditFilter keeps records out.
type AuditFilter struct {
	Type       string   `hcl:"type"` // HTTPEvent
	Endpoints  []string `hcl:"endpoints"`
	Stages     []string `hcl:"stages"`
	Operations []string `hcl:"operations"`
}

// audit fills in what sinks do not say.
func (c *Agent) audit() {
	if c.Audit.Enabled && len(c.Audit.Sinks) == 0 {
		c.Audit.Sinks = map[string]AuditSink{"audit": {}}
	}
	for name, s := range c.Audit.Sinks {
		fill(&s.Type, "file")
		fill(&s.DeliveryGuarantee, Enforced)
		fill(&s.Format, "json")
		fill(&s.Mode, "0600")
		if filepath.IsAbs(c.DataDir) {
			fill(&s.Path, filepath.Join(c.DataDir, "audit", "audit.log"))
		}
		if s.RotateDuration == 0 {
			s.RotateDuration = 24 * time.Hour
		}
		c.Audit.Sinks[name] = s
	}
}

func (v *checker) checkAudit() {
	a := v.agent.Audit
	if len(a.Sinks) > 1 {
		v.add("audit.sink", "audit: there are %d sinks; records go to one", len(a.Sinks))
	}
	for _, name := range slices.Sorted(maps.Keys(a.Sinks)) {
		v.checkSink("audit.sink", name, a.Sinks[name])
	}
	for _, name := range slices.Sorted(maps.Keys(a.Filters)) {
		v.checkFilter("audit.filter", name, a.Filters[name])
	}
}

func (v *checker) checkSink(key, name string, s AuditSink) {
	if s.Type != "file" || s.Format != "json" {
		v.add(key, "audit: sink %q: type is %q and format %q; records are written to a file as json", name, s.Type, s.Format)
	}
	if s.DeliveryGuarantee != Enforced && s.DeliveryGuarantee != BestEffort {
		v.add(key, "audit: sink %q: delivery_guarantee is %q; it is %q or %q", name, s.DeliveryGuarantee, Enforced, BestEffort)
	}
	if v.agent.Audit.Enabled && !filepath.IsAbs(s.Path) {
		v.add(key, "audit: sink %q: path %q must be the absolute path of a file; without data_dir there is no default", name, s.Path)
	}
	if mode, err := ParseMode(s.Mode); err != nil || mode&^0o660 != 0 || mode&0o600 != 0o600 {
		v.add(key, "audit: sink %q: mode %q must be 0600, 0640 or 0660: others may not read who does what", name, s.Mode)
	}
	if s.RotateBytes < 0 || s.RotateDuration < 0 || s.RotateMaxFiles < 0 {
		v.add(key, "audit: sink %q: rotate_bytes, rotate_duration and rotate_max_files must not be negative", name)
	}
}

func (v *checker) checkFilter(key, name string, f AuditFilter) {
	if f.Type != "HTTPEvent" {
		v.add(key, "audit: filter %q: type is %q; set it to \"HTTPEvent\"", name, f.Type)
	}
	for _, s := range f.Stages {
		if s != "*" && s != "OperationReceived" && s != "OperationComplete" {
			v.add(key, "audit: filter %q: stage %q is not known; stages are OperationReceived, OperationComplete and *", name, s)
		}
	}
	for _, p := range f.Endpoints {
		if _, err := path.Match(p, "/"); err != nil {
			v.add(key, "audit: filter %q: endpoint %q is no pattern: %v", name, p, err)
		}
	}
	if len(f.Endpoints)+len(f.Stages)+len(f.Operations) == 0 {
		v.add(key, "audit: filter %q would keep everything out; say which endpoints, stages or operations", name)
	}
}
