package taskenv

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seraihq/serai/api"
)

func input() Input {
	task := &api.Task{
		Name: "server",
		Env: map[string]string{
			"PLAIN":     "x",
			"WHERE":     "${node.datacenter}-${NOMAD_ALLOC_INDEX}",
			"odd key-1": "${meta.rack}",
		},
		Meta: map[string]string{"owner": "task", "who-is": "${attr.cpu.arch}"},
	}
	other := &api.Task{Name: "side-car"}
	job := &api.Job{
		ID: "web/periodic-1", Name: "web", ParentID: "web", Namespace: "default",
		Meta:       map[string]string{"owner": "job", "job_key": "j"},
		TaskGroups: []*api.TaskGroup{{Name: "front", Tasks: []*api.Task{task, other}, Meta: map[string]string{"owner": "group", "group_key": "g"}}},
	}
	return Input{
		Region: "global",
		Node: &api.Node{
			ID: "n1", Name: "node-one", Datacenter: "dc1", NodeClass: "big", NodePool: "default", CgroupParent: "/nomad",
			Attributes: map[string]string{"cpu.arch": "amd64"}, Meta: map[string]string{"rack": "r1"},
		},
		Alloc: &api.Allocation{
			ID: "0123456789abcdef", Name: "web.front[7]", JobID: job.ID, Job: job, Namespace: "default", TaskGroup: "front",
			AllocatedResources: &api.AllocatedResources{
				Tasks: map[string]*api.AllocatedTaskResources{
					"server": {
						Cpu:    api.AllocatedCpuResources{CpuShares: 500, ReservedCores: []uint16{3, 0, 1, 2, 7}},
						Memory: api.AllocatedMemoryResources{MemoryMB: 256, MemoryMaxMB: 512},
					},
					"side-car": {Networks: []*api.NetworkResource{{IP: "10.0.0.1", DynamicPorts: []api.Port{{Label: "adm-in", Value: 23}}}}},
				},
				Shared: api.AllocatedSharedResources{Ports: []api.PortMapping{
					{Label: "http", Value: 20001, To: 8080, HostIP: "10.0.0.1"},
					{Label: "db-main", Value: 5432, HostIP: "::1"},
				}},
			},
		},
		Task: task,
		Dirs: Dirs{Alloc: "/a/alloc", Local: "/a/server/local", Secrets: "/a/server/secrets"},
	}
}

func TestMap(t *testing.T) {
	want := map[string]string{
		"NOMAD_ALLOC_ID": "0123456789abcdef", "NOMAD_SHORT_ALLOC_ID": "01234567",
		"NOMAD_ALLOC_NAME": "web.front[7]", "NOMAD_ALLOC_INDEX": "7",
		"NOMAD_TASK_NAME": "server", "NOMAD_GROUP_NAME": "front",
		"NOMAD_UNIX_ADDR": "unix:///a/server/secrets/api.sock",
		"NOMAD_JOB_ID":    "web/periodic-1", "NOMAD_JOB_NAME": "web", "NOMAD_JOB_PARENT_ID": "web",
		"NOMAD_NAMESPACE": "default", "NOMAD_REGION": "global", "NOMAD_DC": "dc1", "NOMAD_PARENT_CGROUP": "/nomad",
		"NOMAD_ALLOC_DIR": "/a/alloc", "NOMAD_TASK_DIR": "/a/server/local", "NOMAD_SECRETS_DIR": "/a/server/secrets",
		"NOMAD_CPU_LIMIT": "500", "NOMAD_CPU_CORES": "0-3,7", "NOMAD_MEMORY_LIMIT": "256", "NOMAD_MEMORY_MAX_LIMIT": "512",
		"NOMAD_IP_http": "10.0.0.1", "NOMAD_PORT_http": "8080", "NOMAD_ADDR_http": "10.0.0.1:20001",
		"NOMAD_HOST_IP_http": "10.0.0.1", "NOMAD_HOST_PORT_http": "20001", "NOMAD_HOST_ADDR_http": "10.0.0.1:20001",
		"NOMAD_IP_db_main": "::1", "NOMAD_PORT_db_main": "5432", "NOMAD_ADDR_db_main": "[::1]:5432",
		"NOMAD_HOST_IP_db_main": "::1", "NOMAD_HOST_PORT_db_main": "5432", "NOMAD_HOST_ADDR_db_main": "[::1]:5432",
		"NOMAD_ALLOC_INTERFACE_http": "eth0", "NOMAD_ALLOC_IP_http": "172.26.64.5", "NOMAD_ALLOC_PORT_http": "8080", "NOMAD_ALLOC_ADDR_http": "172.26.64.5:8080",
		"NOMAD_ALLOC_INTERFACE_db_main": "eth0", "NOMAD_ALLOC_IP_db_main": "172.26.64.5", "NOMAD_ALLOC_PORT_db_main": "5432", "NOMAD_ALLOC_ADDR_db_main": "172.26.64.5:5432",
		"NOMAD_IP_side_car_adm_in": "10.0.0.1", "NOMAD_PORT_side_car_adm_in": "23", "NOMAD_ADDR_side_car_adm_in": "10.0.0.1:23",
		"NOMAD_META_owner": "task", "NOMAD_META_OWNER": "task", "NOMAD_META_job_key": "j", "NOMAD_META_JOB_KEY": "j",
		"NOMAD_META_group_key": "g", "NOMAD_META_GROUP_KEY": "g", "NOMAD_META_who_is": "amd64", "NOMAD_META_WHO_IS": "amd64",
		"PLAIN": "x", "WHERE": "dc1-7", "odd_key_1": "r1", "ADDED": "1",
	}
	in := input()
	in.Network = &api.AllocNetworkStatus{InterfaceName: "eth0", Address: "172.26.64.5"}
	in.Extra = map[string]string{"ADDED": "1"}
	if diff := cmp.Diff(want, New(in).Map()); diff != "" {
		t.Error(diff)
	}
}

func TestAll(t *testing.T) {
	in := input()
	all := New(in).All()
	for name, want := range map[string]string{"NOMAD_TASK_NAME": "server", "node.datacenter": in.Node.Datacenter, "node.region": in.Region, "node.unique.id": in.Node.ID} {
		if got, there := all[name]; !there || got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for k, v := range in.Node.Attributes {
		if all["attr."+k] != v {
			t.Errorf("attr.%s is %q, want %q", k, all["attr."+k], v)
		}
	}
}

func TestReplace(t *testing.T) {
	e := New(input())
	for in, want := range map[string]string{
		"plain":                              "plain",
		"${node.unique.id}/${attr.cpu.arch}": "n1/amd64",
		"${meta.rack}${meta.none}":           "r1${meta.none}",
		`${env["PLAIN"]} ${env.PLAIN}`:       "x x",
		`${meta["rack"]}`:                    "r1",
		"${NOMAD_PORT_http} ${PLAIN}":        "8080 x",
		"${HOME} $HOME ${":                   "${HOME} $HOME ${",
		"${ NOMAD_JOB_NAME }":                "web",
		"a${}b":                              "a${}b",
	} {
		if got := e.Replace(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestReplaceTree(t *testing.T) {
	in := map[string]any{
		"command": "${NOMAD_TASK_DIR}/run",
		"args":    []any{"-p", "${NOMAD_PORT_http}", 3},
		"list":    []string{"${PLAIN}"},
		"mount":   []map[string]any{{"source": "${meta.rack}"}},
		"labels":  map[string]any{"${PLAIN}": true},
	}
	want := map[string]any{
		"command": "/a/server/local/run",
		"args":    []any{"-p", "8080", 3},
		"list":    []string{"x"},
		"mount":   []map[string]any{{"source": "r1"}},
		"labels":  map[string]any{"x": true},
	}
	got := New(input()).ReplaceTree(in)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if in["command"] != "${NOMAD_TASK_DIR}/run" {
		t.Error("the configuration itself was changed")
	}
}

func TestIndex(t *testing.T) {
	for name, want := range map[string]int{"a.b[0]": 0, "a.b[12]": 12, "a.b": -1, "a[x]": -1, "a[1": -1} {
		if got := Index(name); got != want {
			t.Errorf("%q: %d, want %d", name, got, want)
		}
	}
}
