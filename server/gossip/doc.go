// Package gossip is how servers find each other and notice who is gone: it is
// the only importer of hashicorp/serf and memberlist, and the rest of the tree
// sees Gossip and Server, small types of our own.
//
// What a server says of itself travels in tags (Server). A member is admitted
// only when both sides agree that they belong together: region, cluster,
// protocol, names and clocks (admit.go). What is refused is logged on both
// sides and leaves nothing behind.
//
// Gossip is hearsay. Nobody becomes a member of Raft by it: package server asks
// the server itself first.
//
// Open starts serf's goroutines and one of our own; Close joins them. Server
// (the package above) is the only caller.
package gossip
