package api

import (
	"net/http"
	"reflect"
)

// Kind says what an operation does, and so how a server treats it.
type Kind int

const (
	// Read is a pure function of a view: it may block for an index, be stale,
	// be paged and filtered.
	Read Kind = iota
	// Write changes the cluster's state through the Raft log.
	Write
	// OnAgent is answered by the agent that is asked, from what it is and has.
	OnAgent
	// OnNode is answered by the client agent that runs the allocation or is the
	// node that the request names.
	OnNode
	// Lookup is a read that takes a body: neither blocking nor paged.
	Lookup
)

// NamespaceSource says where an operation's namespace comes from.
type NamespaceSource int

const (
	// NamespaceNone: the operation is about no namespace.
	NamespaceNone NamespaceSource = iota
	// NamespaceQuery: the query parameter, "default" when absent.
	NamespaceQuery
	// NamespaceObject: the namespace of the object that the path names by a
	// UUID (an allocation, an evaluation, a deployment).
	NamespaceObject
	// NamespacePath: the namespace that the path names.
	NamespacePath
)

// Endpoint declares one operation: everything that the HTTP API, the calls
// between agents, the Go client and authorisation need to know of it.
//
// Capability says what a token must be allowed to do: "submit-job" is a
// capability in the operation's namespaces, "node:read" one of a scope. "a & b"
// needs both, "a | b" one of them (& binds closer). "management" is for
// management tokens alone, "token" for every valid token, "any" for who may do
// anything at all in the namespace. Empty: everybody may,
// without a token. "filter x" refuses nobody, and shows only those objects for
// which the token has x.
type Endpoint struct {
	Name       string // Object.Verb
	Method     string // PUT also accepts POST
	Path       string // net/http pattern: /v1/job/{id}/summary
	Kind       Kind
	Capability string // see below
	Namespace  NamespaceSource
	Stream     bool // the response is not one JSON value
	Request    reflect.Type
	Response   reflect.Type
}

// Lists says whether the operation is about all objects of a kind, so that the
// namespace "*" stands for all that the token may see.
func (e *Endpoint) Lists() bool {
	return e.Response.Kind() == reflect.Slice || e.Response == reflect.TypeFor[CountResponse]() && e.Kind == Read
}

// Op is an endpoint with the types of its request and response.
type Op[Req, Resp any] struct{ *Endpoint }

// Raw is the response type of operations whose response is not one JSON value.
type Raw struct{}

// None is the response type of operations that answer nothing but success.
type None struct{}

// QueryOptions are understood by every read.
type QueryOptions struct {
	Region    string   `query:"region" json:"-"`
	Namespace string   `query:"namespace" json:"-"` // "*" in lists: all
	Index     uint64   `query:"index" json:"-"`     // answer when the state is newer; 0 = at once
	Wait      Duration `query:"wait" json:"-"`      // longest time to wait for Index
	Stale     bool     `query:"stale" json:"-"`     // any server may answer
	// Consistent has the leader make sure that it still leads; it beats Stale.
	Consistent bool   `query:"consistent" json:"-"`
	Prefix     string `query:"prefix" json:"-"`
	Filter     string `query:"filter" json:"-"` // go-bexpr on the full objects
	PerPage    int    `query:"per_page" json:"-"`
	NextToken  string `query:"next_token" json:"-"`
	Reverse    bool   `query:"reverse" json:"-"`
}

// WriteOptions are understood by every write.
type WriteOptions struct {
	Region           string `query:"region" json:"-"`
	Namespace        string `query:"namespace" json:"-"`
	IdempotencyToken string `query:"idempotency_token" json:"-"`
}

// Options gives the options that a read's request embeds.
func (q *QueryOptions) Options() *QueryOptions { return q }

// Writing gives the options that a write's request embeds.
func (w *WriteOptions) Writing() *WriteOptions { return w }

// Meta is what a response says beside its body.
type Meta struct {
	Index       uint64   // X-Nomad-Index
	LastContact Duration // X-Nomad-LastContact
	KnownLeader bool     // X-Nomad-KnownLeader
	NextToken   string   // X-Nomad-NextToken
	RequestTime Duration // how long the call took; set by the client
}

func op[Req, Resp any](kind Kind, name, method, path, capability string, ns NamespaceSource) Op[Req, Resp] {
	resp := reflect.TypeFor[Resp]()
	return Op[Req, Resp]{&Endpoint{
		Name: name, Method: method, Path: path, Kind: kind, Capability: capability, Namespace: ns,
		Stream:  resp == reflect.TypeFor[Raw](),
		Request: reflect.TypeFor[Req](), Response: resp,
	}}
}

func read[Req, Resp any](name, path, capability string, ns NamespaceSource) Op[Req, Resp] {
	return op[Req, Resp](Read, name, http.MethodGet, path, capability, ns)
}

func write[Req, Resp any](name, method, path, capability string, ns NamespaceSource) Op[Req, Resp] {
	return op[Req, Resp](Write, name, method, path, capability, ns)
}

func agent[Req, Resp any](name, method, path, capability string) Op[Req, Resp] {
	return op[Req, Resp](OnAgent, name, method, path, capability, NamespaceNone)
}

func node[Req, Resp any](name, method, path, capability string, ns NamespaceSource) Op[Req, Resp] {
	return op[Req, Resp](OnNode, name, method, path, capability, ns)
}

func search[Req, Resp any](name, path, capability string) Op[Req, Resp] {
	return op[Req, Resp](Lookup, name, http.MethodPut, path, capability, NamespaceQuery)
}
