package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/rpc"
	"github.com/seraihq/serai/internal/tlsx"
)

// ways makes a way to the servers for each of n nodes, with a certificate of its
// own, as it would have been given when it joined. They begin at different
// servers.
func (t *trio) ways(n int) ([]*rpc.Client, error) {
	first := t.members[0]
	authority, err := pki.LoadAuthority(first.ca(), filepath.Join(filepath.Dir(first.ca()), "ca-key.pem"))
	if err != nil {
		return nil, err
	}
	bundle := filepath.Join(t.dir, "client.pem")
	defer os.Remove(bundle)
	shared := rpc.NewClient(nil, &tlsx.Dialer{})
	var out []*rpc.Client
	for i := range n {
		keys, err := issue(authority, first.ca(), bundle, fmt.Sprintf("node-%05d", i))
		if err != nil {
			return nil, fmt.Errorf("certificate of node %d: %w", i, err)
		}
		var list []string
		for k := range t.members {
			list = append(list, t.members[(i+k)%len(t.members)].rpc())
		}
		out = append(out, shared.ShareWith(list, &tlsx.Dialer{Keys: keys, Region: "global"}))
	}
	return out, nil
}

// issue makes the keys of a client; bundle is a file that may be overwritten.
func issue(a *pki.Authority, ca, bundle, name string) (*tlsx.Keys, error) {
	key, err := pki.NewKey()
	if err != nil {
		return nil, err
	}
	cert, err := a.Issue(pki.Request{Public: key.Public(), Role: tlsx.RoleClient, Region: "global", Node: name, Life: 24 * time.Hour})
	if err != nil {
		return nil, err
	}
	text, err := pki.Bundle(string(pki.CertificatesPEM(cert)), key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(bundle, text, 0o600); err != nil {
		return nil, err
	}
	return tlsx.Open(tlsx.Options{Files: tlsx.Files{CA: ca, Cert: bundle, Key: bundle}})
}
