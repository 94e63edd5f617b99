package gossip

import (
	"encoding/base64"
	"fmt"

	"github.com/hashicorp/serf/serf"

	"github.com/seraihq/serai/api"
)

// ListKeys asks all servers for their keys.
func (g *Gossip) ListKeys() (*api.KeyringResponse, error) {
	return g.keys("list the gossip keys", func(k *serf.KeyManager) (*serf.KeyResponse, error) { return k.ListKeys() })
}

// InstallKey gives all servers a further key.
func (g *Gossip) InstallKey(key api.Sensitive) (*api.KeyringResponse, error) {
	if _, err := ParseKey(key); err != nil {
		return nil, err
	}
	return g.keys("install a gossip key", func(k *serf.KeyManager) (*serf.KeyResponse, error) { return k.InstallKey(key.Reveal()) })
}

// UseKey has all servers write with a key that they have.
func (g *Gossip) UseKey(key api.Sensitive) (*api.KeyringResponse, error) {
	if _, err := ParseKey(key); err != nil {
		return nil, err
	}
	return g.keys("use a gossip key", func(k *serf.KeyManager) (*serf.KeyResponse, error) { return k.UseKey(key.Reveal()) })
}

// RemoveKey takes a key from all servers that they do not write with.
func (g *Gossip) RemoveKey(key api.Sensitive) (*api.KeyringResponse, error) {
	if _, err := ParseKey(key); err != nil {
		return nil, err
	}
	return g.keys("remove a gossip key", func(k *serf.KeyManager) (*serf.KeyResponse, error) { return k.RemoveKey(key.Reveal()) })
}

// Key gives the key that this server writes with, in base64; empty: it does not encrypt.
func (g *Gossip) Key() api.Sensitive {
	if g.ring == nil {
		return ""
	}
	return api.Sensitive(base64.StdEncoding.EncodeToString(g.ring.GetPrimaryKey()))
}

func (g *Gossip) keys(what string, do func(*serf.KeyManager) (*serf.KeyResponse, error)) (*api.KeyringResponse, error) {
	if g.ring == nil {
		return nil, api.Errorf(api.ErrInvalid, "%s: gossip is not encrypted; make a key with `serai operator gossip keyring generate`, set it as server { encrypt } of all servers and restart them", what)
	}
	r, err := do(g.serf.KeyManager())
	out := &api.KeyringResponse{}
	if r != nil {
		out.Messages, out.Keys, out.PrimaryKeys, out.NumNodes = r.Messages, r.Keys, r.PrimaryKeys, r.NumNodes
	}
	if err == nil {
		return out, nil
	}
	detail := ""
	for name, text := range out.Messages {
		detail += fmt.Sprintf("; %s: %s", name, text)
	}
	return nil, api.Errorf(api.ErrUnavailable, "%s: %v%s", what, err, detail)
}
