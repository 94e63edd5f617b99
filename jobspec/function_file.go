package jobspec

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Bounds of the file functions.
const (
	maxFile    = 2 << 20
	maxEntries = 10_000 // that fileset looks at
)

var errNoFiles = errors.New("file functions do not work here: the job file is not evaluated on your machine; run it with the CLI")

// fileFunctions gives the functions that read the file system, which refuse to
// work unless the source allows it. Relative paths start in the base folder.
func fileFunctions(src Source) map[string]function.Function {
	r := fileReader{allowed: src.AllowFS, base: src.BaseDir}
	return map[string]function.Function{
		"file":       textFunc(r.guard(r.text), "path"),
		"filebase64": textFunc(r.guard(r.base64), "path"),
		"abspath":    textFunc(r.guard(r.absolute), "path"),
		"pathexpand": textFunc(r.guard(r.expand), "path"),
		"basename":   textFunc(func(a []string) (string, error) { return filepath.Base(a[0]), nil }, "path"),
		"dirname":    textFunc(func(a []string) (string, error) { return filepath.Dir(a[0]), nil }, "path"),
		"fileexists": r.existsFunc(),
		"fileset":    r.setFunc(),
	}
}

type fileReader struct {
	allowed bool
	base    string
}

func (r fileReader) guard(f func([]string) (string, error)) func([]string) (string, error) {
	return func(a []string) (string, error) {
		if !r.allowed {
			return "", errNoFiles
		}
		return f(a)
	}
}

// resolve gives the path that a job file means.
func (r fileReader) resolve(path string) (string, error) {
	if strings.ContainsRune(path, 0) {
		return "", errors.New("a path must not hold NUL")
	}
	if path == "~" || strings.HasPrefix(path, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		path = filepath.Join(home, path[1:])
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(r.base, path)
	}
	return filepath.Clean(path), nil
}

// read reads a regular file of bounded size; devices and pipes are refused
// before anything could block on them.
func (r fileReader) read(path string) ([]byte, error) {
	name, err := r.resolve(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", quote(path))
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d MiB", quote(path), maxFile>>20)
	}
	return b, nil
}

func (r fileReader) text(a []string) (string, error) {
	b, err := r.read(a[0])
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", fmt.Errorf("%s is not UTF-8 text; use filebase64", quote(a[0]))
	}
	return string(b), nil
}

func (r fileReader) base64(a []string) (string, error) {
	b, err := r.read(a[0])
	return base64.StdEncoding.EncodeToString(b), err
}

func (r fileReader) absolute(a []string) (string, error) {
	name, err := r.resolve(a[0])
	if err != nil {
		return "", err
	}
	return filepath.Abs(name)
}

func (r fileReader) expand(a []string) (string, error) {
	if a[0] != "~" && !strings.HasPrefix(a[0], "~/") {
		return a[0], nil
	}
	return r.resolve(a[0])
}

func (r fileReader) existsFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !r.allowed {
				return cty.UnknownVal(cty.Bool), errNoFiles
			}
			name, err := r.resolve(args[0].AsString())
			if err != nil {
				return cty.UnknownVal(cty.Bool), err
			}
			info, err := os.Stat(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return cty.UnknownVal(cty.Bool), err
			}
			return cty.BoolVal(err == nil && info.Mode().IsRegular()), nil
		},
	})
}

func (r fileReader) setFunc() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			none := cty.UnknownVal(cty.Set(cty.String))
			if !r.allowed {
				return none, errNoFiles
			}
			root, err := r.resolve(args[0].AsString())
			if err != nil {
				return none, err
			}
			names, err := match(root, args[1].AsString())
			if err != nil {
				return none, err
			}
			if len(names) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			vals := make([]cty.Value, len(names))
			for i, name := range names {
				vals[i] = cty.StringVal(name)
			}
			return cty.SetVal(vals), nil
		},
	})
}

// match lists the regular files beneath a folder whose path matches a pattern.
// Besides the signs of filepath.Match, ** stands for any number of folders.
func match(root, pattern string) ([]string, error) {
	if len(pattern) > 1024 {
		return nil, errors.New("the pattern is too long")
	}
	parts := strings.Split(filepath.ToSlash(pattern), "/")
	seen := 0
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxEntries {
			return fmt.Errorf("%s holds more than %d files and folders", quote(root), maxEntries)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		ok, err := matchParts(parts, strings.Split(filepath.ToSlash(rel), "/"), 0)
		if ok {
			out = append(out, filepath.ToSlash(rel))
		}
		return err
	})
	sort.Strings(out)
	return out, err
}

func matchParts(pattern, path []string, stars int) (bool, error) {
	if stars > 4 {
		return false, errors.New("the pattern has more than 4 times **")
	}
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for skip := 0; skip <= len(path); skip++ {
				if ok, err := matchParts(pattern[1:], path[skip:], stars+1); ok || err != nil {
					return ok, err
				}
			}
			return false, nil
		}
		if len(path) == 0 {
			return false, nil
		}
		if ok, err := filepath.Match(pattern[0], path[0]); !ok || err != nil {
			return false, err
		}
		pattern, path = pattern[1:], path[1:]
	}
	return len(path) == 0, nil
}
