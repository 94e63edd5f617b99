package jobspec

import (
	"encoding/json"
	"sort"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/seraihq/serai/api"
)

// sugarKey is where a name without a field of its own waits for sweeten.
func sugarKey(name string) string { return "\x00" + name }

// take removes what waits under a sugar key.
func take(out map[string]any, name string) (any, bool) {
	node, ok := out[sugarKey(name)]
	delete(out, sugarKey(name))
	return node, ok && node != nil
}

// sweeten turns the short and old forms of job files into the fields of a job.
func (t *treeBuilder) sweeten(out map[string]any, s *spec, path string) {
	switch s.name {
	case "Constraint", "Affinity":
		t.constraint(out, s.name, path)
	case "ScalingPolicy":
		// The label of a task's scaling block is the resource that it scales.
	case "TaskGroup":
		dropDisabled(out)
	case "Task":
		dropDisabled(out)
		scalingTypes(out)
	case "Job":
		dropDisabled(out)
		t.job(out, path)
	}
}

// constraint turns `regexp = "x"` and its like into operator and value.
func (t *treeBuilder) constraint(out map[string]any, name, path string) {
	ops := make([]string, 0, 8)
	for op := range sugarOf(name) {
		ops = append(ops, op)
	}
	sort.Strings(ops)
	for _, op := range ops {
		node, ok := take(out, op)
		if !ok {
			continue
		}
		at := t.positions[join(path, sugarKey(op))]
		out["Operand"] = op
		text, ok := plainText(node)
		if !ok {
			t.addf(at, "%s must be a text", op)
			continue
		}
		switch op {
		case api.ConstraintDistinctHosts:
			out["RTarget"] = text
			t.positions[join(path, "RTarget")] = at
			if text == "false" {
				out["\x00disabled"] = true
			}
		case api.ConstraintDistinctProperty:
			out["LTarget"] = text
			t.positions[join(path, "LTarget")] = at
		case api.ConstraintIsSet, api.ConstraintIsNotSet:
			if text == "false" {
				out["\x00disabled"] = true
			} else if text != "true" {
				out["LTarget"] = text
			}
		default:
			out["RTarget"] = text
			t.positions[join(path, "RTarget")] = at
		}
	}
}

// dropDisabled removes constraints such as `distinct_hosts = false`.
func dropDisabled(out map[string]any) {
	list, ok := out["Constraints"].([]any)
	if !ok {
		return
	}
	kept := list[:0]
	for _, node := range list {
		if c, ok := node.(map[string]any); ok && c["\x00disabled"] == nil {
			kept = append(kept, node)
		}
	}
	out["Constraints"] = kept
}

// scalingTypes gives the scaling blocks of a task their type by their label.
func scalingTypes(out map[string]any) {
	list, _ := out["ScalingPolicies"].([]any)
	for _, node := range list {
		p, ok := node.(map[string]any)
		if !ok {
			continue
		}
		switch p["-"] {
		case "cpu":
			p["Type"] = "vertical_cpu"
		case "mem":
			p["Type"] = "vertical_mem"
		}
		delete(p, "-")
	}
}

// routed says whether the field that a block goes to depends on its content.
func routed(s *spec, kind string) bool {
	return s.name == "NetworkResource" && kind == "port" || s.name == "Task" && kind == "identity"
}

// routedBlock evaluates a block first and then chooses its field.
func (t *treeBuilder) routedBlock(out map[string]any, x expanded, dst slot, path string) {
	outer := t.positions
	t.positions = map[string]hcl.Range{}
	obj := t.item(x, dst, "")
	inner := t.positions
	t.positions = outer
	var target string
	if x.kind == "identity" {
		name, _ := obj["Name"].(string)
		if _, twice := out["Identity"]; !twice && (name == "" || name == "default") {
			target = join(path, "Identity")
			out["Identity"] = obj
		} else {
			target = t.appendItem(out, "Identities", obj, path)
		}
	} else if static, ok := obj["Value"]; ok && static != json.Number("0") && static != "0" {
		target = t.appendItem(out, "ReservedPorts", obj, path)
	} else {
		target = t.appendItem(out, dst.json, obj, path)
	}
	for p, rng := range inner {
		t.positions[join(target, p)] = rng
	}
	t.positions[target] = x.at
}

func (t *treeBuilder) appendItem(out map[string]any, key string, obj map[string]any, path string) string {
	list, _ := out[key].([]any)
	out[key] = append(list, any(obj))
	return join(path, key) + "[" + strconv.Itoa(len(list)) + "]"
}

// loneTask gives a task that stands directly in the job a group of its own name.
func (t *treeBuilder) loneTask(out map[string]any, x expanded, dst slot, path string) {
	groups, _ := out["TaskGroups"].([]any)
	group := join(path, "TaskGroups") + "[" + strconv.Itoa(len(groups)) + "]"
	t.positions[group] = x.at
	task := t.item(x, dst, group+".Tasks[0]")
	out["TaskGroups"] = append(groups, any(map[string]any{"Name": x.labels[0], "Tasks": []any{task}}))
}

// job copies what stands in the job for all of its tasks.
func (t *treeBuilder) job(out map[string]any, path string) {
	for _, name := range []string{"vault_token", "consul_token"} {
		if _, ok := take(out, name); ok {
			t.warnings = append(t.warnings, name+" in the job is ignored: tasks prove who they are with their workload identity")
		}
	}
	vault, hasVault := take(out, "vault")
	secrets, _ := take(out, "secret")
	list, _ := secrets.([]any)
	if !hasVault && len(list) == 0 {
		return
	}
	forEachTask(out, func(task map[string]any, group, index int) {
		at := join(path, "TaskGroups") + "[" + strconv.Itoa(group) + "].Tasks[" + strconv.Itoa(index) + "]"
		if _, own := task["Vault"]; !own && hasVault {
			task["Vault"] = vault
			t.positions[join(at, "Vault")] = t.positions[join(path, sugarKey("vault"))]
		}
		for i, secret := range list {
			own, _ := task["Secrets"].([]any)
			t.positions[join(at, "Secrets")+"["+strconv.Itoa(len(own))+"]"] = t.positions[join(path, sugarKey("secret"))+"["+strconv.Itoa(i)+"]"]
			task["Secrets"] = append(own[:len(own):len(own)], secret)
			t.eval.budget.charge(stepCost)
		}
	})
}

func forEachTask(job map[string]any, f func(task map[string]any, group, index int)) {
	groups, _ := job["TaskGroups"].([]any)
	for i, g := range groups {
		group, _ := g.(map[string]any)
		tasks, _ := group["Tasks"].([]any)
		for k, node := range tasks {
			if task, ok := node.(map[string]any); ok {
				f(task, i, k)
			}
		}
	}
}
