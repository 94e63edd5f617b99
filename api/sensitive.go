package api

import "fmt"

// Sensitive is a text that no encoder for people prints: JSON, fmt and slog
// show a placeholder. The binary codec between agents and on disk carries it.
type Sensitive string

const redacted = "<redacted>"

// String hides the text.
func (s Sensitive) String() string {
	if s == "" {
		return ""
	}
	return redacted
}

// GoString hides the text.
func (s Sensitive) GoString() string { return fmt.Sprintf("%q", s.String()) }

// MarshalJSON hides the text.
func (s Sensitive) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }

// Reveal gives the text itself, for comparing and for sending to its owner.
func (s Sensitive) Reveal() string { return string(s) }
