package endpoint

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/auth"
	"github.com/seraihq/serai/server/state"
)

// Limits bound what requests may ask for.
type Limits struct {
	JobMaxPriority     int
	JobMaxCount        int // allocations of one job
	JobMaxSourceSize   int64
	JobTrackedVersions int
	SearchFuzzy        bool
	SearchLimitQuery   int // matches per context
	SearchLimitResults int // matches in all
	SearchMinTerm      int // shortest text of a fuzzy search
}

// Config is what New needs.
type Config struct {
	Store  *state.Store
	Log    Log
	Logger *slog.Logger
	Region string
	Limits Limits
	// Drivers checks task configurations against the drivers' schemas.
	Drivers DriverCheck
	// Collect frees what is dead; see package gc.
	Collect func(ctx context.Context) error
	// ACL finds out who asks; nil where access control is off.
	ACL    *auth.Resolver
	Tokens TokenLimits
	// BootstrapReset gives the index that the operator has put aside to make
	// another first token; 0 when there is none.
	BootstrapReset func() uint64
	// Trust signs certificates; see package trust.
	Trust Trust
	// Signature is the algorithm of new root keys; empty: api.SignatureEdDSA.
	Signature string
	Now       func() time.Time
}

// DriverCheck finds what is wrong with the config of a task for a driver that
// is built in; known is false for other drivers.
type DriverCheck func(driver string, config map[string]any) (known bool, err error)

// Endpoints answers operations. It is safe for concurrent use.
type Endpoints struct {
	Config
	table map[*api.Endpoint]handler
	dry   *dryFleet
}

type handler func(ctx context.Context, req any) (any, api.Meta, error)

// New makes the endpoints of a server.
func New(c Config) *Endpoints {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Signature = cmp.Or(c.Signature, api.SignatureEdDSA)
	e := &Endpoints{Config: c, table: map[*api.Endpoint]handler{}, dry: &dryFleet{store: c.Store}}
	e.jobs()
	e.children()
	e.allocations()
	e.evaluations()
	e.nodes()
	e.nodePools()
	e.namespaces()
	e.deployments()
	e.scaling()
	e.whys()
	e.search()
	e.operator()
	e.acl()
	e.trust()
	e.rootKeys()
	return e
}

// Answers says whether the operation is answered here.
func (e *Endpoints) Answers(op *api.Endpoint) bool {
	_, ok := e.table[op]
	return ok
}

// Handle runs an operation. req points to the operation's request type; the
// response is of its response type.
func (e *Endpoints) Handle(ctx context.Context, op *api.Endpoint, req any) (any, api.Meta, error) {
	h, ok := e.table[op]
	if !ok {
		return nil, api.Meta{}, fmt.Errorf("%w: %s is not answered by a server", api.ErrNotBuilt, op.Name)
	}
	return h(ctx, req)
}

// readRequest is the request of any read.
type readRequest interface{ Options() *api.QueryOptions }

// writeRequest is the request of any write.
type writeRequest interface{ Writing() *api.WriteOptions }

// region refuses requests that are for another region.
func (e *Endpoints) region(asked string) error {
	if asked == "" || asked == e.Region {
		return nil
	}
	return fmt.Errorf("No path to region %q; this is region %q", asked, e.Region) //nolint:staticcheck // the text is part of the API
}
