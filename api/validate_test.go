package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// valid gives a job without problems and warnings.
func valid(t *testing.T, jobType string) *Job {
	t.Helper()
	j := &Job{}
	src := `{"ID":"a","Type":"` + jobType + `","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"exec"}]}]}`
	if err := json.Unmarshal([]byte(src), j); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestValidJobs(t *testing.T) {
	for _, jobType := range jobTypes {
		j := valid(t, jobType)
		if ps := append(j.Validate(ValidateLimits{}), j.NotBuilt()...); len(ps) > 0 {
			t.Errorf("%s: %v", jobType, ps)
		}
		if w := j.Warnings(); len(w) > 0 {
			t.Errorf("%s: %v", jobType, w)
		}
	}
}

// resolve finds the field that a problem's path names.
func resolve(v reflect.Value, path string) bool {
	for path != "" {
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return false
			}
			v = v.Elem()
		}
		path = strings.TrimPrefix(path, ".")
		if path[0] == '[' {
			key, rest, _ := strings.Cut(path[1:], "]")
			path = rest
			switch v.Kind() {
			case reflect.Slice:
				i, err := strconv.Atoi(key)
				if err != nil || i >= v.Len() {
					return false
				}
				v = v.Index(i)
			case reflect.Map:
				if v = v.MapIndex(reflect.ValueOf(key)); !v.IsValid() {
					return false
				}
			default:
				return false
			}
			continue
		}
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		if v.Kind() != reflect.Struct {
			return false
		}
		if v = v.FieldByName(path[:end]); !v.IsValid() {
			return false
		}
		path = path[end:]
	}
	return true
}

// Each rule: a change of a valid job, and the text that its only problem has.
var rules = []struct {
	jobType string
	change  func(j *Job, g *TaskGroup, t *Task)
	want    string
}{
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.ID = "" }, "job ID must be set"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.ID = strings.Repeat("x", 300) }, "job ID has 300 bytes"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.ID = "a\x00b" }, "must not hold NUL"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.ID = "a/../b" }, `".." as a name`},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.Name = "a\x00" }, "name \"a\\x00\" must not hold NUL"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.Type = "_core" }, "type must be one of"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.Priority = 101 }, "priority must be from 1 to 100, not 101"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.Datacenters = []string{""} }, "datacenters must not hold an empty name"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.TaskGroups = nil }, "group is missing"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.UI = &JobUIConfig{Description: strings.Repeat("x", 1001)} }, "ui.description has 1001 characters"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.UI = &JobUIConfig{Links: []*JobUILink{{URL: "x"}}} }, "ui.link.label must be set"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.Meta = map[string]string{"": "x"} }, "meta must have a key"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.Periodic = &PeriodicConfig{Spec: "* * * * *"} }, "periodic works only in batch"},
	{"batch", func(j *Job, g *TaskGroup, t *Task) { j.Periodic = &PeriodicConfig{Enabled: true} }, "periodic needs cron"},
	{"batch", func(j *Job, g *TaskGroup, t *Task) { j.Periodic = &PeriodicConfig{Spec: "@daily", TimeZone: "Mars"} }, "time_zone \"Mars\" is not known"},
	{"batch", func(j *Job, g *TaskGroup, t *Task) { j.ParameterizedJob = &ParameterizedJobConfig{Payload: "maybe"} }, "parameterized.payload must be one of"},
	{"batch", func(j *Job, g *TaskGroup, t *Task) {
		j.ParameterizedJob = &ParameterizedJobConfig{Payload: "optional", MetaRequired: []string{"a"}, MetaOptional: []string{"a"}}
	}, "which meta_required names too"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { j.Constraints = []*Constraint{{RTarget: "x"}} }, "constraint.attribute must be set"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		j.Constraints = []*Constraint{{LTarget: "a", RTarget: "x", Operand: "~"}}
	}, `constraint.operator "~" is not known`},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		j.Constraints = []*Constraint{{LTarget: "a", RTarget: "x", Operand: "is_set"}}
	}, "constraint.value must be absent"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		j.Constraints = []*Constraint{{LTarget: "a", RTarget: "(", Operand: "regexp"}}
	}, "is not a regular expression"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		j.Constraints = []*Constraint{{LTarget: "a", RTarget: `\pL{1000}`, Operand: "regexp"}}
	}, "pattern repeats too much"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		j.Constraints = []*Constraint{{LTarget: "a", RTarget: "one", Operand: "version"}}
	}, "is not a version constraint"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		j.Constraints = []*Constraint{{Operand: "distinct_property", LTarget: "a", RTarget: "0"}}
	}, "at least 1, not \"0\""},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Constraints = []*Constraint{{Operand: "distinct_hosts"}} }, "not to a task: move it up"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		j.Affinities = []*Affinity{{LTarget: "a", RTarget: "b", Weight: 0}}
	}, "affinity.weight must be from -100 to 100"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Affinities = []*Affinity{{LTarget: "a", Operand: "distinct_hosts", Weight: 1}}
	}, "works only in a constraint"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Spreads = []*Spread{{Attribute: "a", Weight: 1, SpreadTarget: []*SpreadTarget{{"x", 60}, {"y", 50}}}}
	}, "percentages add up to 110"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Spreads = []*Spread{{Attribute: "a", Weight: 1, SpreadTarget: []*SpreadTarget{{"x", 1}, {"x", 1}}}}
	}, `target "x" appears twice`},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Spreads = []*Spread{{Attribute: "a", Weight: 101}} }, "spread.weight must be"},
	{"system", func(j *Job, g *TaskGroup, t *Task) {
		g.Affinities = []*Affinity{{LTarget: "a", RTarget: "b", Weight: 1}}
	}, "affinity has no place in a system job"},
	{"system", func(j *Job, g *TaskGroup, t *Task) { g.Count = 2 }, "count must be 1 or 0 in a system job"},
	{"batch", func(j *Job, g *TaskGroup, t *Task) { g.Update = updateDefaults() }, "update works only in service and system jobs"},
	{"batch", func(j *Job, g *TaskGroup, t *Task) { g.Migrate = migrateDefaults() }, "migrate works only in service jobs"},
	{"system", func(j *Job, g *TaskGroup, t *Task) { g.ReschedulePolicy = &ReschedulePolicy{Unlimited: true} }, "reschedule has no place in a system job"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Update.HealthCheck = "" }, "update.health_check must be set"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Update.HealthyDeadline = g.Update.MinHealthyTime }, "healthy_deadline must be longer"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Update.ProgressDeadline = g.Update.HealthyDeadline }, "progress_deadline must be longer"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Update.AutoPromote = true }, "auto_promote needs canary"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.RestartPolicy.Attempts = 1000 }, "cannot fit 1000 attempts"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.RestartPolicy.Interval = 1 }, "restart.interval must be at least 5s"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.RestartPolicy = &RestartPolicy{Interval: minutes(1), Mode: "delay"}
	}, `must be "fail" when attempts is 0`},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.ReschedulePolicy.Delay = 1 }, "reschedule.delay must be at least 5s"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.ReschedulePolicy.MaxDelay = 1 }, "reschedule.max_delay must be at least"},
	{"batch", func(j *Job, g *TaskGroup, t *Task) { g.ReschedulePolicy.Interval = 1 }, "reschedule.interval must be at least 15s"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Disconnect = &DisconnectStrategy{LostAfter: 1, StopOnClientAfter: 1, Reconcile: "best_score"}
	}, "either lost_after or stop_on_client_after"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Scaling = &ScalingPolicy{} }, "scaling.max must be set"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		least, most := int64(2), int64(4)
		g.Scaling = &ScalingPolicy{Min: &least, Max: &most}
	}, "allows 2 to 4 allocations, but count is 1"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Name = "a b" }, "name must not hold spaces"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Name = "a/b" }, "name must not hold a slash"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Name = strings.Repeat("x", 300) }, "name has 300 bytes"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Count = 50_001 }, "count of all groups together is 50001"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.MaxRunDuration = 5 }, "max_run_duration works only in batch"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.EphemeralDisk.SizeMB = 5 }, "ephemeral_disk.size must be from 10"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.EphemeralDisk.SizeMB = 100 }, "logs may take 100 MB"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Tasks = nil }, "task is missing"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Lifecycle = &TaskLifecycle{Hook: "prestart"} }, "at least one without a lifecycle block"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Networks = []*NetworkResource{{Mode: "x"}} }, "network.mode must be host"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { g.Networks = []*NetworkResource{{Hostname: "a_b"}} }, "is not a DNS name"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Networks = []*NetworkResource{{ReservedPorts: []Port{{Label: "a", Value: 80}, {Label: "b", Value: 80}}}}
	}, "80 is taken by port \"a\""},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Networks = []*NetworkResource{{DynamicPorts: []Port{{Label: "a", To: 70000}}}}
	}, "to must be from -1 to 65535"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Networks = []*NetworkResource{{DynamicPorts: []Port{{Label: "a"}}}}
		t.Resources.Networks = []*NetworkResource{{DynamicPorts: []Port{{Label: "a"}}}}
	}, `port "a" appears twice`},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Networks = []*NetworkResource{{Mode: "bridge", DynamicPorts: []Port{{Label: "a", IgnoreCollision: true}}}}
	}, "works only with network mode host"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Networks = []*NetworkResource{{CNI: &CNIConfig{Args: map[string]string{"a": "b;c"}}}}
	}, "must not hold a semicolon"},
	{"service", network(NetworkResource{Mode: "cni/../../bin/x"}), "must be host, bridge, none or cni/NAME"},
	{"service", network(NetworkResource{Mode: "bridge"}, NetworkResource{Mode: "host"}), "write all ports into one network block"},
	{"service", network(NetworkResource{Mode: "none", DynamicPorts: []Port{{Label: "a"}}}), "loopback alone"},
	{"service", network(NetworkResource{Mode: "bridge", DNS: &DNSConfig{Servers: []string{"dns.example"}}}), `"dns.example" is not an address`},
	{"service", network(NetworkResource{Mode: "bridge", DNS: &DNSConfig{Searches: []string{"a b"}}}), `"a b" is not a DNS name`},
	{"service", network(NetworkResource{Mode: "bridge", DNS: &DNSConfig{Options: []string{"a\nnameserver 1.2.3.4"}}}), "must be one word"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.Resources.Networks = []*NetworkResource{{Mode: "bridge"}}
	}, "write the network block into the group"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Name = "alloc" }, `name must not be "alloc"`},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Name = "..t" }, `must not begin with ".."`},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Driver = "" }, "driver must be set"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.KillTimeout = -1 }, "kill_timeout must not be negative"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.KillTimeout = minutes(11) }, "update.progress_deadline"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Env = map[string]string{"A=B": "x"} }, `must not hold "="`},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Env = map[string]string{"A": "x\x00"} }, "env.A must not hold NUL"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Resources.MemoryMB = 9 }, "resources.memory must be at least 10 MB, not 9"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Resources.MemoryMaxMB = 299 }, "resources.memory_max must be at least memory"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Resources.Cores = 1 }, "resources.cores and cpu exclude each other"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Resources.CPU = 0 }, "resources.cpu must be at least 1 MHz"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Resources.DiskMB = 5 }, "ephemeral_disk { size = 5 }"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Resources.SecretsMB = 400 }, "resources.secrets must be from 0"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.Resources.Devices = []*RequestedDevice{{Name: "a//b", Count: 1}}
	}, "device must be named"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.LogConfig.MaxFiles = 0 }, "logs.max_files must be at least 1"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Templates = []*Template{{DestPath: "x", ChangeMode: "noop"}} }, "template needs source or data"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		one := Template{EmbeddedTmpl: "x", DestPath: "x", ChangeMode: "noop"}
		t.Templates = []*Template{&one, &one}
	}, "is the destination of another template"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.Artifacts = []*TaskArtifact{{GetterSource: "x", GetterMode: "any", RelativeDest: "local/../../../etc"}}
	}, "artifact.destination must lie in the task's directory"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.Artifacts = []*TaskArtifact{{GetterSource: "hg::https://x/y", GetterMode: "any", RelativeDest: "local/"}}
	}, `artifact.source "hg" is not supported: use git`},
	{"service", template(Template{SourcePath: "a", EmbeddedTmpl: "x"}), "source and data"},
	{"service", template(Template{EmbeddedTmpl: "x", DestPath: "local/../../../etc/passwd"}), "must be a file in the task's directory"},
	{"service", template(Template{EmbeddedTmpl: "x", DestPath: "../other/secret"}), "must be a file in the task's directory"},
	{"service", template(Template{EmbeddedTmpl: "x", Perms: "4755"}), "mode from \"0000\" to \"0777\""},
	{"service", template(Template{EmbeddedTmpl: "x", Perms: "rw"}), "mode from \"0000\" to \"0777\""},
	{"service", template(Template{EmbeddedTmpl: "x", Uid: new(-2)}), "template.uid must be from 0"},
	{"service", template(Template{EmbeddedTmpl: "x", Splay: -1}), "template.splay"},
	{"service", template(Template{EmbeddedTmpl: "x", Wait: &WaitConfig{Min: 2, Max: 1}}), "template.wait.max must be at least min"},
	{"service", template(Template{EmbeddedTmpl: "x", Envvars: true, ChangeMode: "signal"}), "would not bring the new environment"},
	{"service", template(Template{EmbeddedTmpl: "x", ChangeMode: "script"}), "needs change_script"},
	{"service", template(Template{EmbeddedTmpl: "{{ if }}"}), "template.data is not a template: template:1: missing value for if"},
	{"service", template(Template{EmbeddedTmpl: `{{ with nomadVar "x" }}{{ end }}`}), `uses the function "nomadVar", which needs variables`},
	{"service", template(Template{EmbeddedTmpl: `{{ define "a" }}{{ if true }}{{ printf "%v" (key "x") }}{{ end }}{{ end }}`}), `uses the function "key", which needs Consul`},
	{"service", template(Template{EmbeddedTmpl: strings.Repeat("{{if 1}}", 10_001)}), "actions, more than"},
	{"service", template(Template{EmbeddedTmpl: strings.Repeat("x", 1<<20+1)}), "larger than 1048576 bytes together"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.VolumeMounts = []*VolumeMount{{Volume: "v", Destination: "/v", PropagationMode: "private"}}
	}, `"v" is not a volume of the group`},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Identities = []*WorkloadIdentity{{Name: "a b"}} }, "identity.name \"a b\" must be"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Identities = []*WorkloadIdentity{{Name: "a"}, {Name: "a"}} }, "identity.name \"a\" appears twice"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Identities = []*WorkloadIdentity{{Name: "default"}} }, "identity.name \"default\" appears twice"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Identities = []*WorkloadIdentity{{Name: "a", TTL: -1}} }, "identity.ttl"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Identities = []*WorkloadIdentity{{Name: "a", TTL: 1000}} }, "identity.ttl 1µs is too short"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.Identities = []*WorkloadIdentity{{Name: "a", ChangeMode: "script"}}
	}, "identity.change_mode"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.Identity = &WorkloadIdentity{Name: "default", ChangeMode: "signal"}
	}, "identity.change_signal goes with"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Identity = &WorkloadIdentity{Name: "default", Filepath: "x"} }, "identity.filepath has no effect"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		t.Identity = &WorkloadIdentity{Name: "default", Audience: []string{""}}
	}, "identity.aud must have"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Identity = &WorkloadIdentity{Name: "default", ServiceName: "s"} }, "identity.service_name is for"},
	{"service", func(j *Job, g *TaskGroup, t *Task) { t.Actions = []*Action{{Name: "x"}} }, "action.command must be set"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Services = []*Service{{Name: "a_b", Provider: "nomad", AddressMode: "auto", OnUpdate: "ignore"}}
	}, "service.name \"a_b\" must be"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Services = []*Service{{Name: "a", Provider: "nomad", AddressMode: "auto", OnUpdate: "ignore", PortLabel: "http"}}
	}, "is not a port of the group"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Services = []*Service{{Name: "a", Provider: "nomad", AddressMode: "auto", OnUpdate: "ignore"}}
		t.Services = []*Service{{Name: "b", Provider: "consul", AddressMode: "auto", OnUpdate: "ignore"}}
	}, "must be the same for all services of a group"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Services = []*Service{{Name: "a", Provider: "nomad", AddressMode: "auto", OnUpdate: "ignore", Checks: []*ServiceCheck{{Type: "grpc", Interval: seconds(1), Timeout: seconds(1)}}}}
	}, "check.type must be one of http, tcp, not \"grpc\""},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		g.Services = []*Service{{Name: "a", Provider: "nomad", AddressMode: "auto", OnUpdate: "ignore", Checks: []*ServiceCheck{{Type: "tcp", Interval: 1, Timeout: seconds(1)}}}}
	}, "check.interval must be at least 1s"},
	{"service", func(j *Job, g *TaskGroup, t *Task) {
		var deep any = "x"
		for range 40 {
			deep = []any{deep}
		}
		t.Config = map[string]any{"a": deep}
	}, "config is nested more than 32 levels deep"},
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.want, func(t *testing.T) {
			j := valid(t, r.jobType)
			r.change(j, j.TaskGroups[0], j.TaskGroups[0].Tasks[0])
			ps := j.Validate(ValidateLimits{})
			if len(ps) != 1 {
				t.Fatalf("%d problems: %v", len(ps), ps)
			}
			if !strings.Contains(ps[0].Text, r.want) {
				t.Errorf("got %s", ps[0].Text)
			}
			if !resolve(reflect.ValueOf(j), ps[0].Path) {
				t.Errorf("path %q names no field", ps[0].Path)
			}
			if !errors.Is(ps.Err(), ErrInvalid) {
				t.Error("kind")
			}
		})
	}
}

func TestUsers(t *testing.T) {
	for user, ok := range map[string]bool{
		"": true, "nobody": true, "1000": true, "0:0": true, "www-data:adm": true, "2147483647": true, "${meta.user}": true, `DOMAIN\user`: true, "a.b@c": true,
		"4294967296:0": false, "4294967296": false, "-1": false, "2147483648": false, " 0": false, "0 ": false, "٣": false, "1:2:3": false,
		"a b": false, "a\x00": false, ":0": false, "0:": false, "+1": false, "0:-1": false,
	} {
		j := valid(t, "service")
		j.TaskGroups[0].Tasks[0].User = user
		if ps := j.Validate(ValidateLimits{}); (len(ps) == 0) != ok {
			t.Errorf("user %q: %v", user, ps)
		}
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	j := valid(t, "service")
	j.Priority, j.TaskGroups[0].Count, j.TaskGroups[0].Tasks[0].Driver, j.TaskGroups[0].Tasks[0].Resources.MemoryMB = 0, -1, "", 1
	if ps := j.Validate(ValidateLimits{}); len(ps) != 4 {
		t.Errorf("%d problems: %v", len(ps), ps)
	}
	want := `group "g": task "t": resources.memory must be at least 10 MB, not 1: ask for what the task needs, 64 is a good start`
	if ps := j.Validate(ValidateLimits{}); ps[3].Text != want {
		t.Errorf("got  %s\nwant %s", ps[3].Text, want)
	}
}

func TestLimits(t *testing.T) {
	j := valid(t, "service")
	j.Priority, j.TaskGroups[0].Count = 200, 60_000
	if ps := j.Validate(ValidateLimits{MaxPriority: 300, MaxCount: 100_000}); len(ps) > 0 {
		t.Error(ps)
	}
	j.Priority = 40_000
	if ps := j.Validate(ValidateLimits{MaxPriority: 100_000, MaxCount: 100_000}); len(ps) != 1 {
		t.Error(ps)
	}
}

// network gives a group these networks.
func network(list ...NetworkResource) func(*Job, *TaskGroup, *Task) {
	return func(_ *Job, g *TaskGroup, _ *Task) {
		for i := range list {
			g.Networks = append(g.Networks, &list[i])
		}
	}
}

func TestNetworkWarnings(t *testing.T) {
	for _, c := range []struct {
		network NetworkResource
		driver  string
		want    string
	}{
		{NetworkResource{Hostname: "h"}, "exec", "hostname has no effect: with network mode host"},
		{NetworkResource{Mode: "bridge", Hostname: "h", DNS: &DNSConfig{}}, "exec", ""},
		{NetworkResource{Mode: "bridge", CNI: &CNIConfig{}}, "exec", "cni has no effect"},
		{NetworkResource{Mode: "cni/x", CNI: &CNIConfig{}}, "exec", ""},
		{NetworkResource{Mode: "bridge", DNS: &DNSConfig{Servers: []string{"192.0.2.1"}}}, "raw_exec", `dns has no effect: task "t" sees the files of its node`},
	} {
		j := &Job{TaskGroups: []*TaskGroup{{Name: "g", Networks: []*NetworkResource{&c.network}, Tasks: []*Task{{Name: "t", Driver: c.driver}}}}}
		got := strings.Join(j.Warnings(), "\n")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%+v: %q, want %q", c.network, got, c.want)
		}
	}
}

func TestNotBuiltNamesEachBlock(t *testing.T) {
	src := `{"ID":"a","Type":"batch","Multiregion":{},
	 "TaskGroups":[{"Name":"g","Consul":{},"Volumes":{"v":{"Type":"csi","Source":"s"},"w":{"Type":"host","Source":"s","Sticky":true}},
	  "Services":[{"Name":"s","Connect":{}}],
	  "Tasks":[{"Name":"t","Driver":"exec",
	   "VolumeMounts":[{"Volume":"v","Destination":"/v"}],"Secrets":[{"Name":"s","Provider":"p"}],"CSIPluginConfig":{"ID":"x","Type":"node"},
	   "Vault":{},"Consul":{},"Schedule":{},"Resources":{"Cores":1,"NUMA":{"Affinity":"require","Devices":["gpu"]}}}]}]}`
	j := &Job{}
	if err := json.Unmarshal([]byte(src), j); err != nil {
		t.Fatal(err)
	}
	ps := j.NotBuilt()
	text := ps.Error()
	for _, block := range []string{"multiregion", "consul", `volume.v.type "csi"`, "volume.w.sticky",
		"service.connect", "secret", "csi_plugin", "vault", "schedule", "numa.devices"} {
		if !strings.Contains(text, block+" is not supported yet") {
			t.Errorf("%s is not named:\n%s", block, text)
		}
	}
	for _, p := range ps {
		if !resolve(reflect.ValueOf(j), p.Path) {
			t.Errorf("path %q names no field", p.Path)
		}
	}
}

func TestWarningsNameWhatTheUserWrote(t *testing.T) {
	src := `{"ID":"a","Update":{"MaxParallel":5},"Migrate":{"MaxParallel":1},"Affinities":[{"LTarget":"a","RTarget":"b"}],
	 "TaskGroups":[{"Name":"g","Scaling":{"Max":3},"Spreads":[{"Attribute":"a"}],"Disconnect":{"LostAfter":"1h"},"ReschedulePolicy":{"Delay":"1m"},
	  "Services":[{"Name":"s"}],"EphemeralDisk":{"Sticky":true},"MaxClientDisconnect":"1h",
	  "Tasks":[{"Name":"t","Driver":"exec","Identity":{"Env":true},"Identities":[{"Name":"vault","File":true}],"Actions":[{"Name":"x","Command":"y"}]}]},
	 {"Name":"h","Update":{"Canary":2,"Stagger":60000000000},"Tasks":[{"Name":"t","Driver":"exec"}]}]}`
	j := &Job{}
	if err := json.Unmarshal([]byte(src), j); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`^group "g": scaling has no effect yet`,
		`^group "g": service "s" `, `^group "g": max_client_disconnect is an old setting`,
		`^group "g": task "t": identity.aud is empty`,
		`^group "h": update.stagger is ignored: it is for system jobs`,
	}
	got := j.Warnings()
	if len(got) != len(want) {
		t.Errorf("%d warnings, want %d:\n%s", len(got), len(want), strings.Join(got, "\n"))
	}
	for i := range min(len(got), len(want)) {
		if !regexp.MustCompile(want[i]).MatchString(got[i]) {
			t.Errorf("warning %d is %s, want %s", i, got[i], want[i])
		}
	}
}

func TestCompilePattern(t *testing.T) {
	for pattern, ok := range map[string]bool{
		`^v[0-9]+\.\d+$`: true, `a{100}`: true, `(`: false, strings.Repeat("a", 5000): false, `(\pL{500}){2}`: false, `(((a{100}){100}){100})`: false,
	} {
		if _, err := CompilePattern(pattern); (err == nil) != ok {
			t.Errorf("%.40s: %v", pattern, err)
		}
	}
}

func TestJSONBombs(t *testing.T) {
	for name, src := range map[string]string{
		"depth":  `{"ID":"a","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Config":{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}]}]}`,
		"policy": `{"ID":"a","TaskGroups":[{"Name":"g","Scaling":{"Policy":{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}}]}`,
		"deeper": `{"ID":` + strings.Repeat("[", 1_000_000),
		"width":  `{"ID":[` + strings.Repeat("[],", 500_000) + `[]]}`,
		"keys":   `{"Meta":{` + strings.Repeat(`"a":"b",`, 500_000) + `"c":"d"}}`,
	} {
		if err := json.Unmarshal([]byte(src), &Job{}); err == nil {
			t.Errorf("%s was accepted", name)
		} else if len(err.Error()) > 1000 {
			t.Errorf("%s: the message has %d bytes", name, len(err.Error()))
		}
	}
}

// template puts one template into a task, complete but for what it says.
func template(t Template) func(*Job, *TaskGroup, *Task) {
	return func(_ *Job, _ *TaskGroup, task *Task) {
		one := t
		if one.DestPath == "" {
			one.DestPath = "local/x"
		}
		if one.ChangeMode == "" {
			one.ChangeMode = "noop"
		}
		task.Templates = []*Template{&one}
	}
}

// A template's functions are found wherever they stand.
func TestTemplateFunctions(t *testing.T) {
	text := `{{ a }}{{ if b }}{{ c | d }}{{ else if e }}{{ else }}{{ range $i, $x := f (g h) }}{{ $x.y }}{{ end }}{{ end }}` +
		`{{ with i }}{{ (j).k }}{{ end }}{{ define "l" }}{{ m .n }}{{ end }}{{ template "l" (o) }}{{/* p */}}`
	got, err := TemplateFunctions(text, "", "")
	if want := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "m", "o"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v %v, want %v", got, err, want)
	}
	if got, err := TemplateFunctions(`{{ a }}[[ b ]]`, "[[", "]]"); err != nil || !slices.Equal(got, []string{"b"}) {
		t.Errorf("with other delimiters: %v %v", got, err)
	}
}

func FuzzTemplateFunctions(f *testing.F) {
	f.Add(`{{ a | b "c" }}{{ range d }}{{ end }}`, "{{", "}}")
	f.Add(`{{{{{{ ((((`, "", "")
	f.Fuzz(func(t *testing.T, text, left, right string) {
		_, _ = TemplateFunctions(text, left, right)
	})
}
