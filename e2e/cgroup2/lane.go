package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// lane is one test binary and what of it is run in which arrangement of groups.
type lane struct {
	name, pkg string
	// root and service are patterns of tests; empty runs none.
	root, service string
	// skip is what is left out because it is about something else, or needs what the guest has not.
	skip string
}

// lanes are run in this order. What takes long is run in one arrangement alone.
var lanes = []lane{
	{name: "cgroup", pkg: "./internal/cgroup", root: ".", service: "."},
	{name: "drivertest", pkg: "./drivers/drivertest", root: "^Test(RawExec|Exec|Container)$/^InProcess$", service: "^Test(RawExec|Exec|Container)$/^Plugin$"},
	{name: "rawexec", pkg: "./drivers/rawexec", service: "."},
	{name: "exec", pkg: "./drivers/exec", service: ".", skip: "Escape"},
	{name: "container", pkg: "./drivers/container", service: ".", skip: "Escape"},
}

// arrangements of groups that lanes run in.
var arrangements = []string{"root", "service"}

// pattern is what of the lane is run in the arrangement.
func (l lane) pattern(arrangement string) string {
	if arrangement == "root" {
		return l.root
	}
	return l.service
}

// choose returns the lanes whose names match, with the tests in place of theirs when there are any.
func choose(pattern, run string) ([]lane, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-lanes: %w", err)
	}
	out := slices.DeleteFunc(slices.Clone(lanes), func(l lane) bool { return !re.MatchString(l.name) })
	if len(out) == 0 {
		return nil, fmt.Errorf("-lanes %q: no lane has such a name", pattern)
	}
	if run != "" {
		for i := range out {
			out[i].root, out[i].service = run, run
		}
	}
	return out, nil
}

// build compiles the lane's tests.
func (l lane) build(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, l.name+".test")
	if out, err := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-o", path, l.pkg).CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", l.pkg, err, out)
	}
	return path, nil
}

// call is the lane's line in the guest's list of an arrangement: its name and the arguments. Empty when nothing is run.
func (l lane) call(arrangement string, verbose bool) string {
	if l.pattern(arrangement) == "" {
		return ""
	}
	args := []string{"-test.timeout=20m", "-test.run=" + l.pattern(arrangement)}
	if l.skip != "" {
		args = append(args, "-test.skip="+l.skip)
	}
	if verbose {
		args = append(args, "-test.v")
	}
	return l.name + " " + strings.Join(args, " ") + "\n"
}
