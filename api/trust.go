package api

import "time"

// Authority is a certificate authority of the cluster. Its key is on the
// servers and in no answer.
type Authority struct {
	ID          string // SHA-256 of the certificate, hexadecimal
	Certificate string // PEM
	Cross       string // PEM: its key in a certificate by its predecessor; empty: it has none
	Active      bool   // signs; the others are only trusted
	CreateTime  int64  // Unix nanoseconds
	CreateIndex uint64
	ModifyIndex uint64
}

// IssuedCertificate is a certificate that the cluster has signed.
type IssuedCertificate struct {
	Serial      string // hexadecimal
	Role        string // server, client or cli
	Name        string // of the agent
	Authority   string // ID of who signed it
	Expires     int64  // Unix nanoseconds
	CreateTime  int64  // Unix nanoseconds
	Confirmed   bool   // its holder has shown it since
	Revoked     int64  // Unix nanoseconds; 0: it is good
	CreateIndex uint64
	ModifyIndex uint64
}

// JoinToken is what is known of a token that was used or revoked.
type JoinToken struct {
	ID          string
	Role        string `json:",omitempty"` // client or server; empty: of a token that no server has made
	Uses        int    `json:",omitempty"` // how many may join with it
	Expires     int64  // Unix nanoseconds
	Used        int    // how many have joined with it
	Revoked     bool
	CreateIndex uint64
	ModifyIndex uint64
}

// CAResponse tells whom the cluster trusts and what it has signed.
type CAResponse struct {
	Authorities  []*Authority
	Certificates []*IssuedCertificate
	// Pending names the agents whose certificates are not by the active
	// authority yet, as "server NAME" or "client NAME".
	Pending []string
}

// CARetireRequest ends the trust in all authorities but the active one.
type CARetireRequest struct {
	WriteOptions
	Force bool // also when agents still have certificates of those
}

// CARevokeRequest names certificates that are not to be taken any more: one by
// its serial number, or all that an agent of a name has.
type CARevokeRequest struct {
	WriteOptions
	Serial string
	Name   string
}

// CARevokeResponse tells which certificates were revoked.
type CARevokeResponse struct {
	Revoked []string
	Nodes   []string `json:",omitempty"` // IDs of nodes that were given up with it
}

// CASignRequest asks for a certificate for the command line.
type CASignRequest struct {
	WriteOptions
	CSR  []byte // DER; only its key counts
	Days int    // how long it is valid; 0: 365
}

// CASignResponse is a new certificate.
type CASignResponse struct {
	Certificate string // PEM: with those between it and its authority
	Authorities string // PEM: whom the cluster trusts
	Serial      string
	Expires     time.Time
}

// JoinTokenRequest asks for a token by which agents can join.
type JoinTokenRequest struct {
	WriteOptions
	Role string   // client (the default) or server
	TTL  Duration // 0: 30 minutes
	Uses int      // how many may join with it; 0: one
}

// JoinTokenResponse is a new token.
type JoinTokenResponse struct {
	Token   string // a secret
	ID      string // names it, and is none
	Role    string
	Expires time.Time
	Uses    int
	Servers []string // where to join, host:port
}

// Limits of join tokens.
const (
	JoinTokenTTL    = 30 * time.Minute
	MaxJoinTokenTTL = 7 * 24 * time.Hour
	MaxJoinUses     = 10000
)
