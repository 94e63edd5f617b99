// Package tlsx is how agents prove to each other who they are: mutual TLS, and
// one port for several protocols.
//
// Keys holds an agent's certificate and the authorities it trusts, and takes
// over new ones while connections are open. Peer is who a certificate says that
// the other side is: its role (server, client, people's tools), region and
// node. Listening makes the configuration of a listener, Dialer connects to
// other agents; both look at the chain, the role and the revocations, on every
// connection, and neither resumes sessions.
//
// The protocol of a connection is agreed by ALPN. Without TLS, which is for
// loopback alone, it is told by a short preamble (Preamble); a connection
// without one speaks HTTP.
//
// The package makes no certificates: see internal/pki. It starts no goroutines.
package tlsx
