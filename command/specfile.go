package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"reflect"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/hclx"
)

// Small specifications (namespaces, node pools) need no expressions: their files
// are read as plain values and decoded by the api types' own tags.

// readPlain reads a file of plain values, HCL or JSON.
func readPlain(ctx context.Context, inv *cli.Invocation, path string) (*hclx.File, hclx.Value, error) {
	data, err := readSource(ctx, inv.Stdin, "file", path)
	if err != nil {
		return nil, hclx.Value{}, err
	}
	file, problems := hclx.Parse(path, data, hclx.Limits{})
	if err := problems.Err(); err != nil {
		return nil, hclx.Value{}, err
	}
	tree, problems := file.Tree()
	return file, tree, problems.Err()
}

// decodePlain decodes the members of an object into a struct of package api by
// its hcl tags. Unknown names are problems with the nearest known one.
func decodePlain(file *hclx.File, v hclx.Value, dst any) error {
	object, problems := plainObject(file, v, reflect.TypeOf(dst).Elem())
	if err := problems.Sort().Err(); err != nil {
		return err
	}
	text, err := json.Marshal(object)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, dst); err != nil {
		return fmt.Errorf("%s: %w", file.Name, err)
	}
	return nil
}

// plainObject gives an object in the JSON form of a struct type.
func plainObject(file *hclx.File, v hclx.Value, t reflect.Type) (map[string]any, hclx.Problems) {
	out := map[string]any{}
	var problems hclx.Problems
	for _, e := range v.Entries {
		f, ok := fieldNamed(t, e.Name)
		if !ok {
			p := file.At(e.Range, "unknown key %q", e.Name)
			p.Suggest = hclx.Nearest(e.Name, hclNames(t))
			problems = append(problems, p)
			continue
		}
		ft := f.Type
		if ft.Kind() == reflect.Pointer {
			ft = ft.Elem()
		}
		if ft.Kind() == reflect.Struct && e.Value.Kind == hclx.Object {
			inner, more := plainObject(file, e.Value, ft)
			out[f.Name] = inner
			problems = append(problems, more...)
			continue
		}
		out[f.Name] = e.Value.Plain()
	}
	return out, problems
}

func fieldNamed(t reflect.Type, name string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if f := t.Field(i); hclName(f) == name {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func hclName(f reflect.StructField) string {
	name, _, _ := bytes.Cut([]byte(f.Tag.Get("hcl")), []byte(","))
	if string(name) == "-" {
		return ""
	}
	return string(name)
}

func hclNames(t reflect.Type) []string {
	var names []string
	for i := range t.NumField() {
		if name := hclName(t.Field(i)); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func namespaceApply() *cli.Command {
	var (
		description, quota *string
		asJSON             bool
	)
	text := func(p **string) func(string) error { return func(s string) error { *p = &s; return nil } }
	return &cli.Command{
		Name: "apply", Synopsis: "Create or change a namespace", Usage: "[options] <name or path>", Min: 1, Max: 1,
		Help: `Creates or changes a namespace: by its name and the flags, or from a file in HCL or JSON. "-" reads standard input.`,
		Define: func(f *cli.Flags) {
			f.Func("description", "<text>", "What the namespace is for.", text(&description))
			f.Func("quota", "<name>", "Quota of the namespace.", text(&quota))
			f.Bool(&asJSON, "json", "The file is JSON. Files are recognised by their content; the flag is accepted.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			s, err := open(inv)
			if err != nil {
				return err
			}
			ns := &api.Namespace{}
			if _, err := os.Stat(inv.Args[0]); err == nil || inv.Args[0] == "-" {
				file, tree, err := readPlain(ctx, inv, inv.Args[0])
				if err != nil {
					return err
				}
				if err := decodePlain(file, tree, ns); err != nil {
					return err
				}
			} else {
				if old, err := call(ctx, s, api.NamespaceRead, api.NameRequest{Name: inv.Args[0]}); err == nil {
					ns = old
				}
				ns.Name = inv.Args[0]
			}
			if description != nil {
				ns.Description = *description
			}
			if quota != nil {
				ns.Quota = *quota
			}
			if _, err := call(ctx, s, api.NamespaceUpsert, api.NamespaceUpsertRequest{Object: ns}); err != nil {
				return err
			}
			inv.Printf("Successfully applied namespace %q!", ns.Name)
			return nil
		},
	}
}

func nodePoolApply() *cli.Command {
	var asJSON bool
	return &cli.Command{
		Name: "apply", Synopsis: "Create or change a node pool", Usage: "[options] <path>", Min: 1, Max: 1,
		Help: `Creates or changes the node pools in a file. "-" reads standard input; "node pool init" writes an example.`,
		Define: func(f *cli.Flags) {
			f.Bool(&asJSON, "json", "The file is JSON. Files are recognised by their content; the flag is accepted.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			file, tree, err := readPlain(ctx, inv, inv.Args[0])
			if err != nil {
				return err
			}
			pools, err := decodePools(file, tree)
			if err != nil {
				return err
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			for _, pool := range pools {
				if _, err := call(ctx, s, api.NodePoolUpsert, api.NodePoolUpsertRequest{Pool: pool}); err != nil {
					return err
				}
				inv.Printf("Successfully applied node pool %q!", pool.Name)
			}
			return nil
		},
	}
}

// decodePools reads `node_pool "name" { … }` blocks, or one pool in its JSON form.
func decodePools(file *hclx.File, tree hclx.Value) ([]*api.NodePool, error) {
	if file.JSON {
		pool := &api.NodePool{}
		if err := json.Unmarshal(file.Source, pool); err != nil {
			return nil, fmt.Errorf("%s: %w", file.Name, err)
		}
		return []*api.NodePool{pool}, nil
	}
	var pools []*api.NodePool
	for _, e := range tree.Entries {
		if e.Name != "node_pool" || len(e.Labels) != 1 {
			return nil, hclx.Problems{file.At(e.Range, "expected: node_pool \"<name>\" { … }")}
		}
		pool := &api.NodePool{}
		if err := decodePlain(file, e.Value, pool); err != nil {
			return nil, err
		}
		pool.Name = e.Labels[0]
		pools = append(pools, pool)
	}
	if len(pools) == 0 {
		return nil, fmt.Errorf("%s: there is no node_pool block in it", file.Name)
	}
	return pools, nil
}

const examplePool = `node_pool "example" {
  description = "Machines for a purpose"

  # Free information about the pool.
  # meta {
  #   environment = "test"
  #   owner       = "sre"
  # }

  # Override the cluster's scheduler configuration for this pool.
  # scheduler_config {
  #   scheduler_algorithm             = "spread"
  #   memory_oversubscription_enabled = true
  # }
}
`

func nodePoolInit() *cli.Command {
	var (
		out   = "pool.nomad.hcl"
		quiet bool
	)
	return &cli.Command{
		Name: "init", Synopsis: "Write an example of a node pool", Usage: "[options]", Offline: true,
		Define: func(f *cli.Flags) {
			f.String(&out, "out", "<path>", "File to write; \"-\" writes to standard output.")
			f.Bool(&quiet, "quiet", "Do not tell the name of the file.")
		},
		Run: func(_ context.Context, inv *cli.Invocation) error {
			if out == "-" {
				inv.Printf("%s", examplePool)
				return nil
			}
			return writeNew(inv, out, examplePool, quiet, "node pool")
		},
	}
}
