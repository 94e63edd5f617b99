package rpc

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/tlsx"
)

// Prefix is where the calls between agents are; below it is the name of the call.
const Prefix = "/rpc/"

const (
	pathRegister  = Prefix + "node/register"
	pathHeartbeat = Prefix + "node/heartbeat"
	pathStatus    = Prefix + "server/status"    // between servers
	pathDeadlines = Prefix + "server/deadlines" // from the leader to the others
	pathIndex     = Prefix + "server/index"     // from a server to the leader
	pathBeats     = Prefix + "node/heartbeats"  // from a server to the leader
	pathUpdate    = Prefix + "node/update"
	pathUpdates   = Prefix + "node/updates" // from a server to the leader
	pathSync      = Prefix + "node/sync"
	pathResolve   = Prefix + "acl/resolve"
	pathSign      = Prefix + "identity/sign"
	pathTrust     = Prefix + "trust/sync"
	pathRenew     = Prefix + "trust/renew"
	pathSecrets   = Prefix + "trust/secrets"
	pathCertify   = Prefix + "trust/certify" // from a server to the leader, as the next
	pathShown     = Prefix + "trust/shown"
	pathOffer     = Prefix + "trust/offer"
)

// roles says which certificates may make which calls; a call that is not listed
// is for servers alone.
var roles = map[string][]tlsx.Role{
	pathRegister:  {tlsx.RoleClient, tlsx.RoleServer},
	pathHeartbeat: {tlsx.RoleClient, tlsx.RoleServer},
	pathStatus:    {tlsx.RoleServer},
	pathDeadlines: {tlsx.RoleServer},
	pathIndex:     {tlsx.RoleServer},
	pathBeats:     {tlsx.RoleServer},
	pathUpdate:    {tlsx.RoleClient, tlsx.RoleServer},
	pathUpdates:   {tlsx.RoleServer},
	pathSync:      {tlsx.RoleClient, tlsx.RoleServer},
	pathResolve:   {tlsx.RoleClient, tlsx.RoleServer},
	pathSign:      {tlsx.RoleClient, tlsx.RoleServer},
	pathTrust:     {tlsx.RoleClient, tlsx.RoleServer},
	pathRenew:     {tlsx.RoleClient, tlsx.RoleServer},
	pathSecrets:   {tlsx.RoleServer},
	pathCertify:   {tlsx.RoleServer},
	pathShown:     {tlsx.RoleServer},
	pathOffer:     {tlsx.RoleServer},
}

// Calls lists the paths of the calls between agents.
func Calls() []string { return slices.Sorted(maps.Keys(roles)) }

// Roles gives the certificates that may make a call: that of an agent with a
// server counts as a client's where it may have one.
func Roles(path string) []tlsx.Role {
	if r, ok := roles[path]; ok {
		return r
	}
	return []tlsx.Role{tlsx.RoleServer}
}

// contentType names the codec and its version. No web page can send it
// without asking first.
const contentType = "application/vnd.serai.v1"

// headerKind carries the kind of an error; the body is its text.
const headerKind = "Serai-Error"

const (
	// maxRequest bounds the body of a call and of its answer in bytes.
	maxRequest = 16 << 20
	// maxNode bounds that of a node's description, and maxSmall that of a call
	// which only says who calls.
	maxNode  = 1 << 20
	maxSmall = 16 << 10
	// maxBeats bounds the heartbeats that a server passes on: about 200 bytes for
	// each of 1,000.
	maxBeats = 256 << 10
	// maxFrame bounds a message of a stream: about 100,000 allocations.
	maxFrame = 64 << 20
	// maxErrorText bounds the text of an error.
	maxErrorText = 64 << 10
	// maxUpdates is how many allocations one call updates.
	maxUpdates = 1000
)

// kinds gives the kinds of errors their names on the wire.
var kinds = []struct {
	kind error
	name string
}{
	{api.ErrNotFound, "not-found"},
	{api.ErrInvalid, "invalid"},
	{api.ErrConflict, "conflict"},
	{api.ErrDenied, "denied"},
	{api.ErrTooLarge, "too-large"},
	{api.ErrUnavailable, "unavailable"},
	{api.ErrNotBuilt, "not-built"},
	{api.ErrNoLeader, "no-leader"},
}

// kindName gives the name of an error's kind; empty where it has none.
func kindName(err error) string {
	for _, k := range kinds {
		if errors.Is(err, k.kind) {
			return k.name
		}
	}
	return ""
}

// remoteError makes the error that the other side told.
func remoteError(name, text string) error {
	for _, k := range kinds {
		if k.name == name {
			return api.Errorf(k.kind, "%s", text)
		}
	}
	return errors.New(text)
}

// writeError answers a call with an error.
func writeError(w http.ResponseWriter, err error) {
	w.Header().Set(headerKind, kindName(err))
	http.Error(w, err.Error(), api.Status(err))
}

// Refuse answers a call with an error, for those who stand before the Handler.
func Refuse(w http.ResponseWriter, err error) { writeError(w, err) }

// readError gives the error of an answer that is none.
func readError(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText))
	for len(text) > 0 && text[len(text)-1] == '\n' {
		text = text[:len(text)-1]
	}
	if _, told := resp.Header[http.CanonicalHeaderKey(headerKind)]; !told {
		return api.Errorf(api.ErrUnavailable, "what answers is no serai server: status %d", resp.StatusCode)
	}
	return remoteError(resp.Header.Get(headerKind), string(text))
}

// readAll reads a body up to the limit.
func readAll(r io.Reader, limit int64, what string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", what, err)
	}
	if int64(len(b)) > limit {
		return nil, api.Errorf(api.ErrTooLarge, "%s has more than %d bytes", what, limit)
	}
	return b, nil
}
