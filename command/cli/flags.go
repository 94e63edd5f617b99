package cli

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seraihq/serai/internal/hclx"
)

// Flags are the flags of a command, with what help and completion show of them.
type Flags struct {
	set    *flag.FlagSet
	groups []group
}

type group struct {
	title   string
	options []option
}

type option struct {
	name  string
	value string // placeholder; empty for switches
	help  string
}

func newFlags() *Flags {
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.Usage = func() {}
	return &Flags{set: set, groups: []group{{title: "Options"}}}
}

// Group starts a new group of flags in the help.
func (f *Flags) Group(title string) { f.groups = append(f.groups, group{title: title}) }

func (f *Flags) add(name, value, help string) {
	g := &f.groups[len(f.groups)-1]
	g.options = append(g.options, option{name, value, help})
}

// Bool declares a switch; *p holds the default.
func (f *Flags) Bool(p *bool, name, help string) {
	f.set.BoolVar(p, name, *p, help)
	f.add(name, "", help)
}

// String declares a flag with a text; value is the placeholder in the help.
func (f *Flags) String(p *string, name, value, help string) {
	f.set.StringVar(p, name, *p, help)
	f.add(name, value, help)
}

// Int declares a flag with a whole number.
func (f *Flags) Int(p *int, name, value, help string) {
	f.set.IntVar(p, name, *p, help)
	f.add(name, value, help)
}

// Int64 declares a flag with a whole number.
func (f *Flags) Int64(p *int64, name, value, help string) {
	f.set.Int64Var(p, name, *p, help)
	f.add(name, value, help)
}

// Duration declares a flag with a span of time such as 30s.
func (f *Flags) Duration(p *time.Duration, name, value, help string) {
	f.set.DurationVar(p, name, *p, help)
	f.add(name, value, help)
}

// Strings declares a flag that may be given many times.
func (f *Flags) Strings(p *[]string, name, value, help string) {
	f.Func(name, value, help, func(s string) error { *p = append(*p, s); return nil })
}

// Index declares a flag with a Raft index or version; *p stays nil when it is not given.
func (f *Flags) Index(p **uint64, name, value, help string) {
	f.Func(name, value, help, func(s string) error {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return errors.New("not a whole number of 0 or more")
		}
		*p = &n
		return nil
	})
}

// OptionalBool declares a flag that tells "not given" from true and false.
func (f *Flags) OptionalBool(p **bool, name, help string) {
	f.set.BoolFunc(name, help, func(s string) error {
		b, err := strconv.ParseBool(s)
		if err != nil {
			return errors.New("not true or false")
		}
		*p = &b
		return nil
	})
	f.add(name, "", help)
}

// Func declares a flag that is handed to a function each time it is given.
func (f *Flags) Func(name, value, help string, set func(string) error) {
	f.set.Func(name, help, set)
	f.add(name, value, help)
}

// Ignore declares a flag that is accepted and does nothing, and is not shown.
// A value placeholder makes it take a value.
func (f *Flags) Ignore(name, value string) {
	if value == "" {
		f.set.Bool(name, false, "")
		return
	}
	f.set.String(name, "", "")
}

// Given says whether a flag was on the command line.
func (f *Flags) Given(name string) bool {
	given := false
	f.set.Visit(func(fl *flag.Flag) { given = given || fl.Name == name })
	return given
}

// parse reads flags before, between and after the arguments, up to "--". With
// stop, the first argument ends the flags.
func (f *Flags) parse(words []string, stop bool) (args []string, err error) {
	for len(words) > 0 {
		w := words[0]
		if w == "--" {
			return append(args, words[1:]...), nil
		}
		if len(w) < 2 || w[0] != '-' || isNumber(w) {
			if stop {
				return append(args, words...), nil
			}
			args, words = append(args, w), words[1:]
			continue
		}
		n := 1
		name, _, inline := strings.Cut(strings.TrimLeft(w, "-"), "=")
		if fl := f.set.Lookup(name); fl != nil && !inline && !isSwitch(fl) {
			n = min(2, len(words))
		}
		if err := f.set.Parse(words[:n]); err != nil {
			return nil, f.explain(name, err)
		}
		words = words[n:]
	}
	return args, nil
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func isSwitch(fl *flag.Flag) bool {
	b, ok := fl.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// explain words an error of the flag package.
func (f *Flags) explain(name string, err error) error {
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	if fl := f.set.Lookup(name); fl != nil {
		text := err.Error()
		if strings.HasPrefix(text, "flag needs an argument") {
			return Usagef("-%s needs a value", name)
		}
		if at := strings.LastIndex(text, ": "); at >= 0 {
			text = text[at+2:]
		}
		value, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(err.Error(), "invalid value "), "invalid boolean value "), " for ")
		return Usagef("-%s: %s: %s", name, value, strings.Replace(text, "parse error", "not a value of the right kind", 1))
	}
	var names []string
	f.set.VisitAll(func(fl *flag.Flag) { names = append(names, fl.Name) })
	if near := hclx.Nearest(name, names); near != "" {
		return Usagef("unknown flag -%s; did you mean -%s?", name, near)
	}
	return Usagef("unknown flag -%s", name)
}

// names lists the flags that help shows.
func (f *Flags) names() []string {
	var names []string
	for _, g := range f.groups {
		for _, o := range g.options {
			names = append(names, "-"+o.name)
		}
	}
	return names
}

func (o option) head() string {
	if o.value == "" {
		return "-" + o.name
	}
	return fmt.Sprintf("-%s=%s", o.name, o.value)
}
