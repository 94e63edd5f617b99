package tlsx

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// suites are the cipher suites of TLS 1.2 that are used: ephemeral keys and
// authenticated encryption. Those of TLS 1.3 all are, and cannot be chosen.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// ParseSuites reads names of cipher suites of TLS 1.2, with commas between
// them. Empty gives all that are safe; one that is not is refused.
func ParseSuites(list string) ([]uint16, error) {
	if strings.TrimSpace(list) == "" {
		return suites, nil
	}
	var out []uint16
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		i := slices.IndexFunc(suites, func(id uint16) bool {
			full := tls.CipherSuiteName(id)
			return name == full || name == strings.TrimSuffix(full, "_SHA256") && strings.Contains(name, "CHACHA20")
		})
		if i < 0 {
			return nil, fmt.Errorf("cipher suite %q is not one of %s", name, suiteNames())
		}
		out = append(out, suites[i])
	}
	return out, nil
}

func suiteNames() string {
	var names []string
	for _, id := range suites {
		names = append(names, tls.CipherSuiteName(id))
	}
	return strings.Join(names, ", ")
}

// ParseVersion reads tls12 or tls13; empty is tls12.
func ParseVersion(text string) (uint16, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "", "tls12":
		return tls.VersionTLS12, nil
	case "tls13":
		return tls.VersionTLS13, nil
	case "tls10", "tls11":
		return 0, fmt.Errorf("%s is broken and not spoken; write tls12 or tls13", text)
	}
	return 0, fmt.Errorf("%q is not a version; write tls12 or tls13", text)
}
