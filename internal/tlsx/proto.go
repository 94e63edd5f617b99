package tlsx

import (
	"fmt"
	"net"
)

// Protocols that a connection between agents can speak, as named in ALPN.
const (
	ProtoHTTP1 = "http/1.1"
	ProtoHTTP2 = "h2"
	ProtoRaft  = "serai-raft" // between servers alone
	ProtoJoin  = "serai-join" // HTTP/1.1 with callers that have no certificate yet
)

// PreambleStart is the first byte of a preamble. No HTTP request begins with it.
const PreambleStart = 0x00

// MaxProto is how long the name of a protocol may be.
const MaxProto = 32

// Preamble is what a connection without TLS begins with to speak a protocol
// other than HTTP: a zero byte, the name, and a newline.
func Preamble(proto string) []byte { return append(append([]byte{PreambleStart}, proto...), '\n') }

// IsHTTP says whether a protocol is HTTP, which has no preamble.
func IsHTTP(proto string) bool { return proto == "" || proto == ProtoHTTP1 || proto == ProtoHTTP2 }

// Loopback says whether only this machine reaches an address, host:port or host.
func Loopback(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func notAgreed(address, want, got string) error {
	if got == "" {
		got = "none"
	}
	return fmt.Errorf("%s does not speak %s (it agreed on %s); is it the RPC port of a serai agent?", address, want, got)
}
