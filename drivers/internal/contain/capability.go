package contain

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/moby/sys/capability"
)

// DefaultCapabilities are those that a task of root has, and that jobs may ask for.
var DefaultCapabilities = []string{
	"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE",
	"CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
}

// known are the capabilities of the running kernel, as in "CAP_CHOWN".
func known() []string {
	list, err := capability.ListSupported()
	if err != nil {
		list = capability.ListKnown()
	}
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = "CAP_" + strings.ToUpper(c.String())
	}
	return out
}

// CapabilityNames brings names into the form CAP_CHOWN; "all" is all that the kernel has.
func CapabilityNames(names []string) ([]string, error) {
	all := known()
	var out []string
	for _, n := range names {
		up := strings.ToUpper(strings.TrimSpace(n))
		if up == "ALL" || up == "CAP_ALL" {
			return all, nil
		}
		if !strings.HasPrefix(up, "CAP_") {
			up = "CAP_" + up
		}
		if !slices.Contains(all, up) {
			return nil, fmt.Errorf("%q is not a capability of this kernel", n)
		}
		out = append(out, up)
	}
	return out, nil
}

// Capabilities are those of a task: the default ones that the node allows, without the dropped, with the added, which must be allowed.
func Capabilities(allowed, add, drop []string) ([]string, error) {
	added, err := CapabilityNames(add)
	if err != nil {
		return nil, fmt.Errorf("cap_add: %w", err)
	}
	dropped, err := CapabilityNames(drop)
	if err != nil {
		return nil, fmt.Errorf("cap_drop: %w", err)
	}
	for _, c := range added {
		if !slices.Contains(allowed, c) {
			return nil, fmt.Errorf("cap_add: %s is not allowed on this node: the plugin option allow_caps has %s",
				short(c), strings.ToLower(strings.Join(shorts(allowed), ", ")))
		}
	}
	for _, name := range add {
		if one, _ := CapabilityNames([]string{name}); len(one) == 1 && !HasCapability(one[0]) {
			return nil, fmt.Errorf("cap_add: the agent does not have %s itself on this node", short(one[0]))
		}
	}
	var out []string
	for _, c := range known() {
		if !HasCapability(c) {
			continue
		}
		wanted := slices.Contains(DefaultCapabilities, c) && slices.Contains(allowed, c) && !slices.Contains(dropped, c)
		if wanted || slices.Contains(added, c) {
			out = append(out, c)
		}
	}
	return out, nil
}

func short(c string) string { return strings.ToLower(strings.TrimPrefix(c, "CAP_")) }

func shorts(list []string) []string {
	out := make([]string, len(list))
	for i, c := range list {
		out[i] = short(c)
	}
	return out
}

// HasCapability is whether this process could give the capability on: what it does not have itself, no container of it can have.
func HasCapability(name string) bool {
	return slices.Contains(own(), name)
}

// own are the capabilities in this process's bounding set.
var own = sync.OnceValue(func() []string {
	set, err := capability.NewPid2(0)
	if err == nil {
		err = set.Load()
	}
	if err != nil {
		return known()
	}
	var out []string
	for _, c := range capability.ListKnown() {
		if set.Get(capability.BOUNDING, c) {
			out = append(out, "CAP_"+strings.ToUpper(c.String()))
		}
	}
	return out
})
