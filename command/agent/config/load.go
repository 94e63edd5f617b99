package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/seraihq/serai/internal/hclx"
)

// maxFile bounds a configuration file in bytes.
const maxFile = 1 << 20

// Load lays files and folders over c, in order. Of a folder the files whose
// names end in .hcl or .json are read in lexical order; a file that is named
// itself may have any name. All problems of all files come back at once, as
// hclx.Problems.
func (c *Agent) Load(paths ...string) error {
	var problems hclx.Problems
	for _, path := range paths {
		files, err := expand(path)
		if err != nil {
			problems = append(problems, hclx.Problem{File: path, Message: err.Error()})
			continue
		}
		for _, file := range files {
			src, err := readFile(file)
			if err != nil {
				problems = append(problems, hclx.Problem{File: file, Message: err.Error()})
				continue
			}
			problems = append(problems, c.parse(file, src)...)
		}
	}
	return problems.Err()
}

// Parse lays the source of one file over c.
func (c *Agent) Parse(name string, src []byte) error { return c.parse(name, src).Err() }

func (c *Agent) parse(name string, src []byte) hclx.Problems {
	c.Files = append(c.Files, name)
	file, problems := hclx.Parse(name, src, hclx.Limits{Bytes: maxFile})
	if problems.Err() != nil {
		return problems
	}
	tree, more := file.Tree()
	d := &decoder{file: file, agent: c, problems: more}
	d.structure(tree, reflect.ValueOf(c).Elem(), "")
	return d.problems.Sort()
}

// expand gives the files that a path names.
func expand(path string) ([]string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("no such file or folder")
	}
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		name := e.Name()
		hidden := strings.HasPrefix(name, ".") || strings.HasPrefix(name, "#") || strings.HasSuffix(name, "~")
		if !e.IsDir() && !hidden && (strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".json")) {
			files = append(files, filepath.Join(path, name))
		}
	}
	slices.Sort(files)
	return files, nil
}

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("the file has %d bytes; at most %d are allowed", info.Size(), maxFile)
	}
	return os.ReadFile(path)
}
