package cli

import (
	"strings"
	"unicode/utf8"
)

// Style colours text, or leaves it alone where there is no terminal.
type Style struct{ on bool }

// On says whether there is colour.
func (s Style) On() bool { return s.on }

func (s Style) wrap(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold makes text stand out.
func (s Style) Bold(text string) string { return s.wrap("1", text) }

// Dim takes text back.
func (s Style) Dim(text string) string { return s.wrap("2", text) }

// Red is for failures and deletions.
func (s Style) Red(text string) string { return s.wrap("31", text) }

// Green is for success and additions.
func (s Style) Green(text string) string { return s.wrap("32", text) }

// Yellow is for warnings and changes.
func (s Style) Yellow(text string) string { return s.wrap("33", text) }

// Cyan is for annotations.
func (s Style) Cyan(text string) string { return s.wrap("36", text) }

// Status colours a state of a job, an allocation, an evaluation, a node or a task.
func (s Style) Status(state string) string {
	word, _, _ := strings.Cut(state, " ")
	switch word {
	case "running", "ready", "complete", "alive", "successful", "eligible":
		return s.Green(state)
	case "failed", "lost", "down", "ineligible":
		return s.Red(state)
	case "pending", "blocked", "unknown", "initializing", "disconnected", "paused":
		return s.Yellow(state)
	}
	return state
}

// width counts the characters that a text takes, without colour codes.
func width(text string) int {
	n := 0
	for i := 0; i < len(text); {
		if text[i] == 0x1b {
			if end := strings.IndexByte(text[i:], 'm'); end >= 0 {
				i += end + 1
				continue
			}
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
		n++
	}
	return n
}

// colourCode gives the colour code at the start of a text, or "".
func colourCode(s string) string {
	if !strings.HasPrefix(s, "\x1b[") {
		return ""
	}
	for i := 2; i < len(s) && i < 6; i++ {
		if s[i] == 'm' {
			return s[:i+1]
		}
		if s[i] < '0' || s[i] > '9' {
			return ""
		}
	}
	return ""
}

func decode(s string) (rune, int) { return utf8.DecodeRuneInString(s) }
