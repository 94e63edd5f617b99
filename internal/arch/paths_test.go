package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// taskNames are fields, methods and variables that lead to directories in which tasks write: whatever is found there by its name may be another thing at
// the next look.
var taskNames = []string{"TaskDir", "AllocDir", "allocDir", "taskDir", "Local", "Secrets", "Tmp", "Logs", "Alloc", "StdoutPath", "StderrPath"}

// byName are functions that find a file by a path and follow what links lie on the way.
var byName = map[string][]string{
	"os": {"Open", "OpenFile", "OpenRoot", "Create", "CreateTemp", "MkdirTemp", "ReadFile", "WriteFile", "Stat", "Lstat", "Mkdir", "MkdirAll", "Remove", "RemoveAll",
		"Rename", "Chmod", "Chown", "Lchown", "Chtimes", "Symlink", "Link", "ReadDir", "Readlink", "Truncate", "CopyFS", "DirFS"},
	"filepath": {"Walk", "WalkDir", "Glob", "EvalSymlinks"},
	"unix": {"Open", "Openat", "Creat", "Stat", "Lstat", "Mkdir", "Mkfifo", "Mknod", "Mount", "Unmount", "Unlink", "Rmdir", "Rename", "Chmod", "Chown", "Lchown",
		"Symlink", "Link", "Readlink", "Truncate", "Chdir", "Chroot", "Statfs", "Access", "Setxattr", "Getxattr", "Removexattr"},
	"syscall": {"Open", "Mkfifo", "Mount", "Unlink", "Stat", "Chroot"},
}

// opened are the functions that do so all the same, and why they may.
var opened = map[string]string{
	"client/allocs.go clear":                          "looks whether an allocation's directory is there, which no task can rename",
	"client/client.go New":                            "makes the directory of all allocations",
	"client/fingerprint/storage.go storage":           "measures the disk of all allocations",
	"client/gc.go diskFull":                           "measures the disk of all allocations",
	"client/gc.go strays":                             "lists the directory of all allocations, in which no task writes",
	"client/sweep.go Sweep":                           "lists the directory of all allocations, in which no task writes",
	"drivers/docker/position.go openPositions":        "opens the private directory as a root; a container has nothing above it",
	"drivers/docker/rights.go readProfile":            "opens the task's directory as a root; a container has nothing above it",
	"drivers/internal/supervise/leave.go leave":       "opens the allocation's directory as a root; no task writes in it",
	"drivers/internal/supervise/leave.go returned":    "opens the allocation's directory as a root; no task writes in it",
	"drivers/internal/supervise/leave.go forgetEnded": "opens the allocation's directory as a root; no task writes in it",
	"drivers/qemu/confine.go join":                    "goes to the task's directory, which QEMU cannot rename; it is held to it by Landlock",
	"drivers/qemu/open.go openDir":                    "opens the allocation's directory, and from there on beneath",
	"drivers/rawexec/launch.go workDir":               "raw_exec holds no task; whoever starts there is the task's user",
}

// TestTasksFilesAreFoundBeneath: no code of the client and of the drivers hands a path beneath a task's directory to what would follow a task's links. It
// goes through client/files, or through openat2 beneath an open directory.
func TestTasksFilesAreFoundBeneath(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		if s.test || !under(s.dir, "client") && !under(s.dir, "drivers") || under(s.dir, "drivers/drivertest") {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			for _, found := range followed(f.Body) {
				key := s.path + " " + f.Name.Name
				if used[key] = true; opened[key] == "" {
					t.Errorf("%s: %s: a path of a task's is found by its name: use client/files, or openat2 beneath an open directory", key, found)
				}
			}
		}
	}
	for key := range opened {
		if !used[key] {
			t.Errorf("%s is listed and does nothing of the kind", key)
		}
	}
}

// followed are the calls of a function that find a path of a task's by its name. What was assigned from such a path is one.
func followed(body ast.Node) (out []string) {
	tainted := map[string]bool{}
	for range 3 { // through variables of variables
		ast.Inspect(body, func(n ast.Node) bool {
			switch a := n.(type) {
			case *ast.AssignStmt:
				for i, right := range a.Rhs {
					if isPath(right, tainted) {
						taint(a.Lhs, i, len(a.Rhs), tainted)
					}
				}
			case *ast.RangeStmt:
				if isPath(a.X, tainted) {
					taint([]ast.Expr{a.Key, a.Value}, 0, 1, tainted)
				}
			}
			return true
		})
	}
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		f, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := f.X.(*ast.Ident)
		if ok && slices.Contains(byName[pkg.Name], f.Sel.Name) && slices.ContainsFunc(call.Args, func(a ast.Expr) bool { return isPath(a, tainted) }) {
			out = append(out, fmt.Sprintf("%s.%s", pkg.Name, f.Sel.Name))
		}
		return true
	})
	return out
}

func taint(left []ast.Expr, i, of int, tainted map[string]bool) {
	for j, l := range left {
		if name, ok := l.(*ast.Ident); ok && (of == 1 || i == j) && name.Name != "_" && name.Name != "err" {
			tainted[name.Name] = true
		}
	}
}

// isPath is whether an expression is made of a task's path: by a field or variable of such a name, joined, concatenated or listed.
func isPath(e ast.Expr, tainted map[string]bool) bool {
	switch v := e.(type) {
	case *ast.Ident:
		return tainted[v.Name] || slices.Contains(taskNames, v.Name)
	case *ast.SelectorExpr:
		return slices.Contains(taskNames, v.Sel.Name) || isPath(v.X, tainted)
	case *ast.BinaryExpr:
		return isPath(v.X, tainted) || isPath(v.Y, tainted)
	case *ast.ParenExpr:
		return isPath(v.X, tainted)
	case *ast.CompositeLit:
		return slices.ContainsFunc(v.Elts, func(e ast.Expr) bool { return isPath(e, tainted) })
	case *ast.KeyValueExpr:
		return isPath(v.Key, tainted) || isPath(v.Value, tainted)
	case *ast.CallExpr:
		f, ok := v.Fun.(*ast.SelectorExpr)
		if !ok {
			return false
		}
		if f.Sel.Name == "TaskDir" {
			return true
		}
		pkg, ok := f.X.(*ast.Ident)
		return ok && (pkg.Name == "filepath" || pkg.Name == "path" || pkg.Name == "strings") && !strings.HasPrefix(f.Sel.Name, "Base") &&
			slices.ContainsFunc(v.Args, func(a ast.Expr) bool { return isPath(a, tainted) })
	}
	return false
}

// TestTheRuleSees: what the rule is for, in small.
func TestTheRuleSees(t *testing.T) {
	for text, want := range map[string]int{
		`os.Open(task.TaskDir().Local + "/x")`:                                               1,
		`dir := cfg.TaskDir().Secrets; p := filepath.Join(dir, name); os.WriteFile(p, b, 0)`: 1,
		`for _, d := range []string{td.Local, td.Tmp} { unix.Chmod(d, 0) }`:                  1,
		`os.ReadFile(filepath.Join(in.AllocDir, "a", "b"))`:                                  1,
		`root.Open("local/x"); os.Open(cfg.ImageDir)`:                                        0,
		`os.Open(filepath.Join(state, filepath.Base(cfg.AllocDir)))`:                         0,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", "package x\nfunc f() {\n"+text+"\n}", 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := followed(f); len(got) != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
