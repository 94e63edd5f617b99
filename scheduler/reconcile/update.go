package reconcile

import (
	"maps"
	"reflect"

	"github.com/seraihq/serai/api"
)

// updates remembers which versions of a group need their tasks started anew to
// become the current one.
type updates struct {
	job  *api.Job
	seen map[updateKey]bool
}

type updateKey struct {
	old   *api.Job
	group string
}

func (u *updates) destructive(old *api.Job, g *api.TaskGroup) bool {
	k := updateKey{old, g.Name}
	answer, ok := u.seen[k]
	if !ok {
		answer = Destructive(old, u.job, g.Name)
		if u.seen == nil {
			u.seen = map[updateKey]bool{}
		}
		u.seen[k] = answer
	}
	return answer
}

// Destructive says whether allocations of a group have to be replaced to go
// from one version of a job to another: something has changed that a running
// task cannot take over.
func Destructive(old, new *api.Job, group string) bool {
	if old == nil {
		return true
	}
	a, b := old.LookupTaskGroup(group), new.LookupTaskGroup(group)
	if a == nil || b == nil || len(a.Tasks) != len(b.Tasks) {
		return true
	}
	if !equal(a.Networks, b.Networks) || !equal(a.EphemeralDisk, b.EphemeralDisk) ||
		!equal(a.Volumes, b.Volumes) || !equal(a.Consul, b.Consul) || !equal(connects(a.Services), connects(b.Services)) {
		return true
	}
	if !equal(affinities(old, a), affinities(new, b)) || !equal(spreads(old, a), spreads(new, b)) {
		return true
	}
	for _, t := range a.Tasks {
		n := b.LookupTask(t.Name)
		if n == nil || taskDiffers(t, n) || !maps.Equal(meta(old, a, t), meta(new, b, n)) {
			return true
		}
	}
	return false
}

// taskDiffers looks at what is fixed when a task starts. Not in the list:
// constraints, restart policy, kill signal and timeout, shutdown delay, log
// rotation, services, scaling, actions and schedule.
func taskDiffers(a, b *api.Task) bool {
	return a.Driver != b.Driver || a.User != b.User || a.Leader != b.Leader || a.Kind != b.Kind ||
		!equal(a.Config, b.Config) || !maps.Equal(a.Env, b.Env) || !equal(a.Lifecycle, b.Lifecycle) ||
		!equal(a.Artifacts, b.Artifacts) || !equal(a.Templates, b.Templates) ||
		!equal(a.VolumeMounts, b.VolumeMounts) || !equal(a.CSIPluginConfig, b.CSIPluginConfig) ||
		!equal(a.Vault, b.Vault) || !equal(a.Consul, b.Consul) || !equal(a.Secrets, b.Secrets) ||
		!equal(a.Identity, b.Identity) || !equal(a.Identities, b.Identities) ||
		!equal(a.DispatchPayload, b.DispatchPayload) || !equal(a.Affinities, b.Affinities) ||
		!equal(a.Resources, b.Resources) || logsDisabled(a) != logsDisabled(b) || !equal(connects(a.Services), connects(b.Services))
}

func logsDisabled(t *api.Task) bool { return t.LogConfig != nil && t.LogConfig.Disabled }

func connects(services []*api.Service) []*api.ConsulConnect {
	var out []*api.ConsulConnect
	for _, s := range services {
		if s.Connect != nil {
			out = append(out, s.Connect)
		}
	}
	return out
}

func affinities(j *api.Job, g *api.TaskGroup) []*api.Affinity {
	return append(append([]*api.Affinity(nil), j.Affinities...), g.Affinities...)
}

func spreads(j *api.Job, g *api.TaskGroup) []*api.Spread {
	return append(append([]*api.Spread(nil), j.Spreads...), g.Spreads...)
}

// meta is what a task sees of the meta of its job, its group and itself.
func meta(j *api.Job, g *api.TaskGroup, t *api.Task) map[string]string {
	out := map[string]string{}
	maps.Copy(out, j.Meta)
	maps.Copy(out, g.Meta)
	maps.Copy(out, t.Meta)
	return out
}

// equal compares two blocks of a job. Reflection, because this is a diff, asked
// once per version and group: a new field of a block is seen without being
// named here.
func equal[T any](a, b T) bool { return same(reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem()) }

// same is reflect.DeepEqual, except that what is empty equals what is absent.
func same(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() {
		return true
	}
	if a.Type() != b.Type() {
		x, xok := number(a)
		y, yok := number(b)
		return xok && yok && x == y
	}
	switch a.Kind() {
	case reflect.Pointer, reflect.Interface:
		if a.IsNil() || b.IsNil() {
			return a.IsNil() == b.IsNil()
		}
		return same(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		if a.Len() != b.Len() {
			return false
		}
		for _, k := range a.MapKeys() {
			v := b.MapIndex(k)
			if !v.IsValid() || !same(a.MapIndex(k), v) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}

// number reads a value of a driver's config: whether it is held as an integer
// or not depends on the codec through which the job came.
func number(v reflect.Value) (float64, bool) {
	switch {
	case v.CanInt():
		return float64(v.Int()), true
	case v.CanUint():
		return float64(v.Uint()), true
	case v.CanFloat():
		return v.Float(), true
	}
	return 0, false
}
