// Package auth says who may do what. A policy is parsed (Parse), the policies of
// a token are compiled into one immutable ACL (Compile), and a check of an ACL
// takes no lock and no memory. A Resolver finds the ACL of a secret in the
// state; Check asks an ACL for an operation of the endpoint table.
//
// Within a token's policies the most specific rule decides: an exact name, or
// the glob with the most letters that are no star. Rules for the same name add
// up, and deny among them wins.
//
// Servers use it in package endpoint, before any handler runs, and agents
// without a server in command/agent, with what a server has told them of a
// token. It owns no goroutine.
package auth
