// Package trust signs the certificates of a cluster's agents: for those that
// join with a token, for those whose certificate ends, and for all when the
// authority changes. It keeps what is revoked from being taken.
//
// Whom the cluster trusts, what it has signed and which tokens were used is in
// the replicated state; the keys of authorities are in one file of mode 0600 on
// each server (tls.ca_key_file) and nowhere else. A server without that file
// signs nothing.
//
// command/agent calls it for other agents, server/endpoint for people. Run owns
// one goroutine's work: it hands revocations to the agent's keys.
package trust
