package endpoint

import "github.com/seraihq/serai/api"

// aclGrants tells whoever asks what they may do, also without a token.
func (e *Endpoints) aclGrants(r *Read, _ *api.ListRequest) (*api.ACLGrants, error) {
	if e.ACL == nil {
		return &api.ACLGrants{Management: true, Scopes: []string{}, Namespaces: map[string][]string{}, NodePools: map[string][]string{}}, nil
	}
	var namespaces, pools []string
	for n := range r.Namespaces() {
		namespaces = append(namespaces, n.Name)
	}
	for p := range r.NodePools() {
		pools = append(pools, p.Name)
	}
	return r.token.ACL.Grants(namespaces, pools), nil
}
