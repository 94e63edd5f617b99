package steps

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/drivers"
)

// able is a driver that only says what it can do.
type able struct {
	drivers.Driver
	info drivers.Info
}

func (a able) Info() drivers.Info { return a.info }

// makes is one that makes namespaces.
type makes struct {
	able
	drivers.Networker
}

func (m makes) Info() drivers.Info { return m.info }

func findDriver(_ context.Context, name string) (drivers.Driver, error) {
	a := able{info: drivers.Info{Name: name, Abilities: drivers.Abilities{NetworkModes: []drivers.NetworkMode{drivers.NetworkHost, drivers.NetworkGroup}}}}
	switch name {
	case "alone":
		a.info.Abilities.NetworkModes = nil
	case "engine", "engine2":
		a.info.Abilities.MustCreateNetwork = true
		return makes{able: a}, nil
	case "absent":
		return nil, drivers.ErrUnknownDriver
	}
	return a, nil
}

func podInput(n *api.NetworkResource, names ...string) *In {
	g := &api.TaskGroup{Name: "g", Networks: []*api.NetworkResource{n}}
	for _, d := range names {
		g.Tasks = append(g.Tasks, &api.Task{Name: "t-" + d, Driver: d})
	}
	return &In{
		Node:   &api.Node{ID: "n", Attributes: map[string]string{}, Meta: map[string]string{"dns": "192.0.2.7", "evil": "evil"}},
		Logger: slog.New(slog.DiscardHandler),
		Alloc: &api.Allocation{
			ID: "0e7a9f3c-0000-4000-8000-000000000001", Name: "j.g[3]", JobID: "j", TaskGroup: "g", Namespace: "default",
			Job: &api.Job{ID: "j", Name: "j", TaskGroups: []*api.TaskGroup{g}},
			AllocatedResources: &api.AllocatedResources{Shared: api.AllocatedSharedResources{Ports: []api.PortMapping{
				{Label: "a", Value: 20000, To: 80, HostIP: "192.0.2.10"}, {Label: "b", Value: 20001, HostIP: "::ffff:192.0.2.10"},
			}}},
		},
	}
}

func TestNetworkRequest(t *testing.T) {
	n := &Network{Driver: findDriver, Region: "global"}
	in := podInput(&api.NetworkResource{Mode: "cni/lab", Hostname: "web-${NOMAD_ALLOC_INDEX}", DNS: &api.DNSConfig{Servers: []string{"${meta.dns}"}},
		CNI: &api.CNIConfig{Args: map[string]string{"KEY": "${NOMAD_JOB_ID}"}}}, "exec", "engine", "engine")
	req, dns, err := n.request(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if req.Hostname != "web-3" || req.Driver != "engine" || req.Mode != "cni/lab" || req.CNIArgs["KEY"] != "j" || req.CNIArgs["NOMAD_REGION"] != "global" {
		t.Errorf("%+v", req)
	}
	if len(req.Ports) != 2 || req.Ports[0].Inside != 80 || req.Ports[1].Inside != 20001 || !req.Ports[1].HostIP.Is4() {
		t.Errorf("%+v", req.Ports)
	}
	if dns == nil || dns.Servers[0] != "192.0.2.7" {
		t.Errorf("%+v", dns)
	}
	plain, _, err := n.request(t.Context(), podInput(&api.NetworkResource{Mode: "bridge"}, "exec"))
	if err != nil || plain.Hostname != "alloc-0e7a9f3c" || plain.Driver != "" || plain.CNIArgs != nil {
		t.Errorf("%+v %v", plain, err)
	}
}

func TestNetworkRequestThatCannotBe(t *testing.T) {
	n := &Network{Driver: findDriver}
	noAddress := podInput(&api.NetworkResource{Mode: "bridge"}, "exec")
	noAddress.Alloc.AllocatedResources.Shared.Ports[0].HostIP = ""
	for want, in := range map[string]*In{
		`task "t-alone": driver "alone" cannot join`: podInput(&api.NetworkResource{Mode: "bridge"}, "exec", "alone"),
		`"engine" and "engine2" both`:                podInput(&api.NetworkResource{Mode: "bridge"}, "engine", "engine2"),
		`task "t-absent"`:                            podInput(&api.NetworkResource{Mode: "bridge"}, "absent"),
		"is not a DNS name":                          podInput(&api.NetworkResource{Mode: "bridge", Hostname: "${meta.dns}\nx"}, "exec"),
		`port "a": its host network has no address`:  noAddress,
		`server "evil" is not an address`:            podInput(&api.NetworkResource{Mode: "bridge", DNS: &api.DNSConfig{Servers: []string{"${meta.evil}"}}}, "exec"),
		"is not one word":                            podInput(&api.NetworkResource{Mode: "bridge", DNS: &api.DNSConfig{Options: []string{"a\nnameserver 1.1.1.1"}}}, "exec"),
		"asks for no network of its own":             podInput(&api.NetworkResource{Mode: "host"}, "exec"),
	} {
		if _, _, err := n.request(t.Context(), in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
