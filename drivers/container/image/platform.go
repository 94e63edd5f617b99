package image

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// platform is what an image was built for.
type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant,omitempty"`
}

func (p platform) String() string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// parsePlatform reads "os/arch" or "os/arch/variant"; empty is the node's own.
func parsePlatform(s string) (platform, error) {
	if s == "" {
		return platform{OS: runtime.GOOS, Architecture: runtime.GOARCH}, nil
	}
	parts := strings.Split(strings.ToLower(s), "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return platform{}, fmt.Errorf("platform %.100q is not os/arch or os/arch/variant, such as linux/arm64: %w", s, ErrInvalid)
	}
	p := platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p.normal(), nil
}

// normal writes architectures as Go does.
func (p platform) normal() platform {
	switch p.Architecture {
	case "x86_64":
		p.Architecture = "amd64"
	case "aarch64":
		p.Architecture = "arm64"
	case "i386", "i686":
		p.Architecture = "386"
	}
	if p.Architecture == "arm64" && p.Variant == "v8" || p.Architecture == "amd64" && p.Variant == "v1" {
		p.Variant = ""
	}
	return p
}

// runs is whether something built for have can be used where want is asked for.
func (p platform) runs(have platform) bool {
	want := p
	have = have.normal()
	return have.OS == want.OS && have.Architecture == want.Architecture && (want.Variant == "" || have.Variant == "" || have.Variant == want.Variant)
}

// choose picks the variant of an index for this platform. One of exactly the
// asked variant wins, else the one of the fewest demands, else the first.
func (p platform) choose(all []descriptor) (descriptor, error) {
	var found []descriptor
	var others []string
	for _, d := range all {
		switch {
		case d.Platform == nil:
			others = append(others, "not told")
		case d.Platform.OS == "unknown": // attestations
		case p.runs(*d.Platform):
			found = append(found, d)
		default:
			others = append(others, d.Platform.String())
		}
	}
	if len(found) == 0 && len(all) == 1 && all[0].Platform == nil {
		return all[0], nil // its configuration will tell
	}
	if len(found) == 0 {
		return descriptor{}, p.missing(others)
	}
	return slices.MinFunc(found, func(a, b descriptor) int { return p.distance(a) - p.distance(b) }), nil
}

func (p platform) distance(d descriptor) int {
	switch d.Platform.normal().Variant {
	case p.Variant:
		return 0
	case "":
		return 1
	}
	return 2
}

// missing says what there is instead.
func (p platform) missing(others []string) error {
	const shown = 12
	slices.Sort(others)
	others = slices.Compact(others)
	if len(others) > shown {
		others = append(others[:shown], "…")
	}
	return fmt.Errorf("it is for %.300s, and %s is needed: use a tag that has it, or constrain the job to other nodes: %w",
		strings.Join(others, ", "), p, ErrPlatform)
}
