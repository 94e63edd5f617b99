package version

import "strconv"

// Servers of different builds work in one cluster as long as they share a
// protocol version: a single integer that grows by one when a command, a field
// of one or a table is added that an older build does not know. The cluster
// stays at the highest version that all of its servers know, and writes nothing
// newer.

// The range of this build, by the linker; only tests of upgrades set them.
var protocolMin, protocolMax = "", ""

const (
	oldestProtocol = 1
	newestProtocol = 1
)

// ProtocolMin is the oldest protocol version of a cluster that this build can
// be part of.
func ProtocolMin() int { return number(protocolMin, oldestProtocol) }

// ProtocolMax is the newest protocol version that this build knows.
func ProtocolMax() int { return number(protocolMax, newestProtocol) }

func number(text string, otherwise int) int {
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return otherwise
}
