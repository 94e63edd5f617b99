package artifact

import (
	"net/url"
	"slices"
	"strings"
)

const (
	hidden = "(hidden)"
	// shortest is the length from which a secret is looked for in texts; what is
	// shorter would hide half of every sentence.
	shortest = 3
	maxShown = 200
)

// Show gives a source as people may see it: without user, password and query.
func Show(source string) string {
	source, _, _ = strings.Cut(source, "?")
	if at := strings.Index(source, "://"); at >= 0 {
		rest := source[at+3:]
		host, tail, _ := strings.Cut(rest, "/")
		if i := strings.LastIndexByte(host, '@'); i >= 0 {
			source = source[:at+3] + host[i+1:] + strings.TrimSuffix("/"+tail, "/")
		}
	}
	if len(source) > maxShown {
		source = source[:maxShown] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, source)
}

// Redact takes this source's secrets out of a text.
func (s *Source) Redact(text string) string {
	list := slices.Clone(s.secrets)
	for _, secret := range s.secrets {
		list = append(list, url.QueryEscape(secret), url.PathEscape(secret))
		if _, value, found := strings.Cut(secret, " "); found {
			list = append(list, value) // "Bearer …"
		}
	}
	// The longest first: one may hold another.
	slices.SortFunc(list, func(a, b string) int { return len(b) - len(a) })
	for _, secret := range list {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, hidden)
		}
	}
	return text
}
