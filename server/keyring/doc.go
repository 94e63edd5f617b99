// Package keyring signs the identities of tasks with the cluster's root keys,
// and tells what a signed identity says. An identity is a JSON Web Token; the
// public halves of the keys are a JSON Web Key set for others to check it by.
//
// Which key signs follows from the keys' times alone: the youngest whose time
// has come. So a key can be told to the world before it is used, and no loop has
// to switch over.
//
// server/node signs with it for nodes, server/auth finds out with it who asks,
// server/endpoint lets operators make and remove keys. It owns no goroutine. It
// says nothing of whether an allocation still runs: see auth.Resolver.
package keyring
