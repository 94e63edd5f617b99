package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/seraihq/serai/api"
)

// migratePrefix begins the tokens by which nodes ask for the disks of
// allocations: "migrate:<node>:<proof>". The proof is made with the node's
// secret, which never travels.
const migratePrefix = "migrate:"

// MigrateToken proves to who knows a node's secret that the node asks for the
// disk of an allocation, or that it may be given.
func MigrateToken(nodeID string, secret api.Sensitive, allocID string) api.Sensitive {
	h := hmac.New(sha256.New, []byte(secret.Reveal()))
	h.Write([]byte("serai disk of allocation\x00" + allocID))
	return api.Sensitive(migratePrefix + nodeID + ":" + hex.EncodeToString(h.Sum(nil)))
}

// MigrateNode gives the node that a token is said to be of; empty when it is no
// such token.
func MigrateNode(token api.Sensitive) string {
	rest, ok := strings.CutPrefix(token.Reveal(), migratePrefix)
	if !ok {
		return ""
	}
	node, _, _ := strings.Cut(rest, ":")
	return node
}

// MigrateValid says whether a token is the one of the node for the allocation.
func MigrateValid(token api.Sensitive, nodeID string, secret api.Sensitive, allocID string) bool {
	if nodeID == "" || secret == "" {
		return false
	}
	want := MigrateToken(nodeID, secret, allocID)
	return hmac.Equal([]byte(token.Reveal()), []byte(want.Reveal()))
}
