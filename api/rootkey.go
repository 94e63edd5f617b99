package api

// States of root keys.
const (
	RootKeyActive       = "active"       // signs
	RootKeyInactive     = "inactive"     // has signed; what it signed is still good
	RootKeyPrepublished = "prepublished" // will sign from its PublishTime on
)

// Algorithms of the signatures of root keys, as JSON Web Signatures name them.
const (
	SignatureEdDSA = "EdDSA"
	SignatureRS256 = "RS256"
)

// RootKey signs the identities of tasks. Its private half is on servers alone:
// no answer has it.
type RootKey struct {
	KeyID       string
	Algorithm   string    // SignatureEdDSA or SignatureRS256
	Private     Sensitive // PKCS #8, in base64
	CreateTime  int64     // Unix nanoseconds
	PublishTime int64     // Unix nanoseconds: from when on it signs
	CreateIndex uint64
	ModifyIndex uint64
}

// RootKeyMeta is what people are told of a root key.
type RootKeyMeta struct {
	KeyID       string
	Algorithm   string
	CreateTime  int64 // Unix nanoseconds
	CreateIndex uint64
	ModifyIndex uint64
	State       string
	PublishTime int64 // Unix nanoseconds
}

// RootKeyRotateRequest makes a new root key.
type RootKeyRotateRequest struct {
	WriteOptions
	// Full would have everything encrypted anew; root keys encrypt nothing yet, so
	// there is nothing more to do.
	Full bool `query:"full" json:"-"`
	// Algorithm is that of signatures; empty: as the servers are configured.
	Algorithm   string `query:"algo" json:"-"`
	PublishTime int64  `query:"publish_time" json:"-"` // Unix nanoseconds; 0: at once
}

// RootKeyRotateResponse answers a RootKeyRotateRequest.
type RootKeyRotateResponse struct {
	Key   *RootKeyMeta
	Index uint64
}

// RootKeyDeleteRequest removes a root key. Force does it although tasks that
// run have identities that it signed.
type RootKeyDeleteRequest struct {
	WriteOptions
	ID    string `path:"id" json:"-"`
	Force bool   `query:"force" json:"-"`
}

// Workload is the task that a signed identity is of.
type Workload struct {
	Namespace    string
	JobID        string // of the parent, where a parent started the job
	Group        string
	Task         string
	AllocationID string
	Identity     string // name of the identity block
	Expires      int64  // Unix seconds; 0: with the allocation
}

// IdentitySignRequest is a node asking for the identities of a task of its own.
type IdentitySignRequest struct {
	NodeID       string
	SecretID     Sensitive // of the node
	AllocationID string
	Task         string
	Names        []string // of identity blocks of the task
}

// IdentitySignResponse answers an IdentitySignRequest.
type IdentitySignResponse struct {
	Identities []*SignedIdentity
}

// SignedIdentity is a JSON Web Token that says who a task is.
type SignedIdentity struct {
	Name    string
	Token   Sensitive
	Expires int64 // Unix seconds; 0: with the allocation
}
