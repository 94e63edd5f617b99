package qemu

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// own are QEMU's options that the driver itself answers for: what holds QEMU, and what finds it again. No allow list opens them.
var own = []string{"sandbox", "runas", "chroot", "daemonize", "pidfile", "writeconfig", "incoming", "add-fd"}

// flags are QEMU's options without a value. What follows one of them and is not an option itself would be taken for a disk image.
var flags = []string{"S", "enable-kvm", "enable-sync-profile", "full-screen", "mem-prealloc", "no-acpi", "no-fd-bootchk", "no-hpet",
	"no-reboot", "no-shutdown", "no-user-config", "nodefaults", "nographic", "only-migratable", "portrait", "preconfig", "s", "singlestep",
	"snapshot", "usb", "win2k-hack", "xen-attach", "xen-domid-restrict", "async-teardown"}

// option returns the name of an option as QEMU reads it, with one dash or two.
func option(arg string) (string, bool) {
	name, ok := strings.CutPrefix(arg, "-")
	if !ok || name == "" {
		return "", false
	}
	name = strings.TrimPrefix(name, "-")
	return name, name != ""
}

// checkAllowed checks an entry of args_allowlist: "-device" for the option with any value, "-device virtio-rng-*" for it with those values that
// match the pattern.
func checkAllowed(entry string) error {
	name, pattern, _ := strings.Cut(strings.TrimSpace(entry), " ")
	if _, ok := option(name); !ok {
		return fmt.Errorf("%q: write an option of QEMU such as \"-device\", or one with a pattern for its value, \"-device virtio-rng-*\"", entry)
	}
	if _, err := path.Match(pattern, ""); err != nil {
		return fmt.Errorf("%q: %w", entry, err)
	}
	return nil
}

// arguments checks a job's args against the operator's list. All that is not on the list is refused, and so is what QEMU would not read as an
// option or the value of one.
func arguments(args, allowlist []string) ([]string, error) {
	for i := 0; i < len(args); i++ {
		name, ok := option(args[i])
		if !ok {
			return nil, fmt.Errorf("args: %q stands where an option is expected: QEMU would take it for a disk image", args[i])
		}
		if slices.Contains(own, name) {
			return nil, fmt.Errorf("args: -%s is the driver's own", name)
		}
		value, hasValue := "", !slices.Contains(flags, name)
		if hasValue {
			if i++; i >= len(args) || strings.HasPrefix(args[i], "-") {
				return nil, fmt.Errorf("args: -%s stands without a value", name)
			}
			value = args[i]
		}
		if strings.ContainsRune(name+value, 0) {
			return nil, errors.New("args: there is a zero byte in them")
		}
		if !allowed(name, value, hasValue, allowlist) {
			return nil, fmt.Errorf(`args: %s is not allowed on this node: its operator allows it with plugin "qemu" { config { args_allowlist = ["-%s"] } }`,
				strings.TrimSpace("-"+name+" "+value), name)
		}
	}
	return args, nil
}

func allowed(name, value string, hasValue bool, allowlist []string) bool {
	return slices.ContainsFunc(allowlist, func(entry string) bool {
		flag, pattern, hasPattern := strings.Cut(strings.TrimSpace(entry), " ")
		if permitted, _ := option(flag); permitted != name {
			return false
		}
		if !hasPattern {
			return true
		}
		matches, _ := path.Match(strings.TrimSpace(pattern), value)
		return hasValue && matches
	})
}
