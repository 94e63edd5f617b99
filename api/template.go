package api

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"text/template/parse"
)

// Limits of a template's text: they keep its syntax tree, which is made by
// recursion, small.
const (
	MaxTemplateSize    = 1 << 20
	maxTemplateActions = 10_000
)

// Why functions of the template language do not work.
const (
	needsConsul   = "needs Consul, which serai does not speak: use the task's environment, metadata or files"
	needsVault    = "needs Vault, which serai does not speak: use the task's environment, metadata or files"
	needsServices = "needs services, which are not built yet: use the task's environment, metadata or files, or wait for a version that has them"
	needsVars     = "needs variables, which are not built yet: use the task's environment, metadata or files, or wait for a version that has them"
	needsRoutes   = "reads the node's routes and is not supported: use ${attr.unique.network.ip-address} in the task's env"
)

// missingFunctions are the functions of the language that cannot work here.
var missingFunctions = map[string]string{
	"datacenters": needsConsul, "exportedServices": needsConsul, "key": needsConsul, "keyExists": needsConsul, "keyOrDefault": needsConsul,
	"ls": needsConsul, "safeLs": needsConsul, "tree": needsConsul, "safeTree": needsConsul, "node": needsConsul, "nodes": needsConsul,
	"partitions": needsConsul, "peerings": needsConsul, "service": needsConsul, "services": needsConsul, "connect": needsConsul,
	"caRoots": needsConsul, "caLeaf": needsConsul, "byMeta": needsConsul, "byKey": needsConsul, "byTag": needsConsul, "byPort": needsConsul,
	"explode": needsConsul,
	"secret":  needsVault, "secrets": needsVault, "pkiCert": needsVault,
	"nomadService": needsServices, "nomadServices": needsServices,
	"nomadVar": needsVars, "nomadVarList": needsVars, "nomadVarListSafe": needsVars, "nomadVarExists": needsVars,
	"sockaddr": needsRoutes,
}

// TemplateFunctionMissing says why a function of the template language does not
// work, as the end of a sentence that begins with its name; empty when it is
// not among those that cannot.
func TemplateFunctionMissing(name string) string { return missingFunctions[name] }

// MissingTemplateFunctions lists the functions that TemplateFunctionMissing knows.
func MissingTemplateFunctions() []string { return sortedKeys(missingFunctions) }

// TemplateFunctions parses the text of a template, without executing any of it,
// and gives the names of the functions in it, sorted. Empty delimiters are the
// usual ones.
func TemplateFunctions(text, left, right string) ([]string, error) {
	if left == "" {
		left = "{{"
	}
	if len(text) > MaxTemplateSize {
		return nil, fmt.Errorf("the text of %d bytes is larger than the %d that a template may have", len(text), MaxTemplateSize)
	}
	if n := strings.Count(text, left); n > maxTemplateActions {
		return nil, fmt.Errorf("the text has %d actions, more than the %d that a template may have", n, maxTemplateActions)
	}
	trees := map[string]*parse.Tree{}
	t := parse.New("template")
	t.Mode = parse.SkipFuncCheck
	if _, err := t.Parse(text, left, right, trees); err != nil {
		return nil, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "template: "))
	}
	found := map[string]bool{}
	for _, tree := range trees {
		functionsOf(tree.Root, found)
	}
	return sortedKeys(found), nil
}

// functionsOf notes the functions in a piece of a syntax tree.
func functionsOf(n parse.Node, found map[string]bool) {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return
	}
	branch := func(b *parse.BranchNode) {
		functionsOf(b.Pipe, found)
		functionsOf(b.List, found)
		functionsOf(b.ElseList, found)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		each(n.Nodes, found)
	case *parse.ActionNode:
		functionsOf(n.Pipe, found)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.TemplateNode:
		functionsOf(n.Pipe, found)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			each(c.Args, found)
		}
	case *parse.ChainNode:
		functionsOf(n.Node, found)
	case *parse.IdentifierNode:
		found[n.Ident] = true
	}
}

func each(nodes []parse.Node, found map[string]bool) {
	for _, n := range nodes {
		functionsOf(n, found)
	}
}

// ParsePerms reads the permissions of a file, as in "0644". Bits that make a
// program run as its owner are none.
func ParsePerms(text string) (mode uint32, ok bool) {
	n, err := strconv.ParseUint(text, 8, 32)
	return uint32(n), err == nil && n <= 0o777
}
