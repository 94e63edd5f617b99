package auth

import (
	"strings"

	"github.com/seraihq/serai/api"
)

// Subject is what an operation is about, as far as a check has to know.
type Subject struct {
	Token      bool     // the caller has a valid token of some kind
	Namespaces []string // all of them; "*" for those that the token may see
	Pool       string   // node pool
	// Object says that the namespace is that of an object which the path names
	// by its ID; Namespaces is empty where there is none with the ID.
	Object bool
}

// Check says whether an operation of the table is allowed. A refusal is of kind
// ErrDenied, and says what is missing. It tells of an object in a namespace that
// is out of reach nothing that it does not tell of one that does not exist.
func (a *ACL) Check(op *api.Endpoint, s *Subject) error {
	needs := op.Needs()
	if a.management || needs.Filtered || len(needs.AnyOf) == 0 {
		return nil
	}
	for _, all := range needs.AnyOf {
		if a.hasAll(op, all, s) {
			return nil
		}
	}
	return denied(needs.AnyOf, s)
}

func (a *ACL) hasAll(op *api.Endpoint, all []api.Capability, s *Subject) bool {
	for _, c := range all {
		if !a.has(op, c, s) {
			return false
		}
	}
	return true
}

func (a *ACL) has(op *api.Endpoint, c api.Capability, s *Subject) bool {
	switch {
	case a.management:
		return true
	case c.Scope == "node_pool":
		return a.NodePool(s.Pool, c.Name)
	case c.Scope != "":
		return a.Scope(c.Scope, c.Name)
	case c.Name == api.CapabilityManagement:
		return false
	case c.Name == api.CapabilityToken:
		return s.Token
	}
	if s.Object && len(s.Namespaces) == 0 {
		return a.EveryNamespace(c.Name)
	}
	for _, ns := range s.Namespaces {
		switch {
		case ns == api.AllNamespaces && op.Lists(): // filtered
		case ns == api.AllNamespaces && a.AnyNamespace(c.Name): // refused for another reason
		case !a.In(ns, c.Name):
			return false
		}
	}
	return true
}

// In is Namespace, which also knows the capability "any".
func (a *ACL) In(namespace, capability string) bool {
	if capability == api.CapabilityAny {
		return a.AnyInNamespace(namespace)
	}
	return a.Namespace(namespace, capability)
}

// Sees says whether an operation's capabilities are granted in a namespace: what
// lists of several namespaces are filtered by.
func (a *ACL) Sees(op *api.Endpoint, namespace string) bool {
	if a.management {
		return true
	}
	needs := op.Needs()
	s := Subject{Token: true, Namespaces: []string{namespace}}
	for _, all := range needs.AnyOf {
		ok := true
		for _, c := range all {
			ok = ok && (c.Scope != "" || a.has(op, c, &s))
		}
		if ok {
			return true
		}
	}
	return len(needs.AnyOf) == 0
}

// denied says what is missing. The beginning is what clients of Nomad look for.
func denied(anyOf [][]api.Capability, s *Subject) error {
	if len(anyOf) == 1 && anyOf[0][0].Scope == "" {
		switch anyOf[0][0].Name {
		case api.CapabilityManagement:
			return Denied("a management token")
		case api.CapabilityToken:
			return Denied("a token")
		}
	}
	var alternatives []string
	inNamespace, inPool := false, false
	for _, all := range anyOf {
		var names []string
		for _, c := range all {
			names = append(names, "`"+c.String()+"`")
			inNamespace = inNamespace || c.Scope == ""
			inPool = inPool || c.Scope == "node_pool"
		}
		alternatives = append(alternatives, strings.Join(names, " and "))
	}
	what := strings.Join(alternatives, " or ")
	switch {
	case inNamespace && s.Object:
		what += " in the namespace of what the ID names, if there is such a thing"
	case inNamespace && len(s.Namespaces) > 1:
		what += " in each of the namespaces `" + strings.Join(s.Namespaces, "`, `") + "`"
	case inNamespace && len(s.Namespaces) == 1:
		what += " in namespace `" + s.Namespaces[0] + "`"
	}
	if inPool && s.Pool != "" {
		what += " for node pool `" + s.Pool + "`"
	}
	return Denied(what)
}

// Denied makes the error of a refusal that says what is needed.
func Denied(needs string) error {
	return api.Errorf(api.ErrDenied, "Permission denied: needs %s", needs)
}

// SubjectOf tells what a request is about. object finds the namespace of the
// object with an ID, of the kind that the operation is about. req points to the
// request.
func SubjectOf(op *api.Endpoint, req any, token *Identity, object func(id string) (namespace string, ok bool)) *Subject {
	s := &Subject{Token: token.Token != nil || token.Workload != nil, Pool: poolOf(op, req)}
	switch op.Namespace {
	case api.NamespaceQuery:
		asked := AskedNamespace(req)
		s.Namespaces = []string{asked}
		if named, ok := req.(api.Namespaced); ok {
			s.Namespaces = named.Namespaces(asked)
		}
	case api.NamespacePath:
		s.Namespaces = []string{api.PathValue(req, "name")}
	case api.NamespaceObject:
		s.Object = true
		if namespace, ok := object(api.PathValue(req, "id")); ok {
			s.Namespaces = []string{namespace}
		}
	}
	return s
}

// AskedNamespace gives the namespace of a request's query, "default" when it
// names none. req points to the request.
func AskedNamespace(req any) string {
	namespace := ""
	switch r := req.(type) {
	case interface{ Options() *api.QueryOptions }:
		namespace = r.Options().Namespace
	case interface{ Writing() *api.WriteOptions }:
		namespace = r.Writing().Namespace
	}
	if namespace == "" {
		return api.DefaultNamespace
	}
	return namespace
}

// poolOf gives the node pool that a request is about.
func poolOf(op *api.Endpoint, req any) string {
	if up, ok := req.(*api.NodePoolUpsertRequest); ok {
		if up.Pool == nil {
			return ""
		}
		return up.Pool.Name
	}
	if strings.HasPrefix(op.Path, "/v1/node/pool/") {
		return api.PathValue(req, "name")
	}
	return ""
}
