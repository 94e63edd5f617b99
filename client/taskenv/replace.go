package taskenv

import "strings"

// Replace puts the values for ${…} into a text: ${node.…}, ${attr.…},
// ${meta.…}, variables by name, ${env.NAME} and ${env["NAME"]}. What is not
// known stays as it is, for the task's own shell. Values are not looked at
// again.
func (e *Env) Replace(s string) string {
	open := strings.Index(s, "${")
	if open < 0 {
		return s
	}
	var out strings.Builder
	for open >= 0 {
		end := strings.IndexByte(s[open:], '}')
		if end < 0 {
			break
		}
		out.WriteString(s[:open])
		if v, ok := e.lookup(strings.TrimSpace(s[open+2 : open+end])); ok {
			out.WriteString(v)
		} else {
			out.WriteString(s[open : open+end+1])
		}
		s = s[open+end+1:]
		open = strings.Index(s, "${")
	}
	out.WriteString(s)
	return out.String()
}

func (e *Env) lookup(key string) (string, bool) {
	if v, ok := e.facts[key]; ok {
		return v, true
	}
	if v, ok := e.vars[key]; ok {
		return v, true
	}
	if rest, ok := strings.CutPrefix(key, "env."); ok {
		v, ok := e.vars[rest]
		return v, ok
	}
	for _, namespace := range []string{"env", "meta", "attr"} {
		rest, ok := strings.CutPrefix(key, namespace+`["`)
		if !ok {
			continue
		}
		if rest, ok = strings.CutSuffix(rest, `"]`); !ok {
			continue
		}
		if namespace == "env" {
			v, ok := e.vars[rest]
			return v, ok
		}
		v, ok := e.facts[namespace+"."+rest]
		return v, ok
	}
	return "", false
}

// ReplaceTree gives a copy of a configuration with Replace done to every key
// and every text in it.
func (e *Env) ReplaceTree(m map[string]any) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[e.Replace(k)] = e.replaceAny(v)
	}
	return out
}

func (e *Env) replaceAny(v any) any {
	switch v := v.(type) {
	case string:
		return e.Replace(v)
	case map[string]any:
		return e.ReplaceTree(v)
	case map[string]string:
		out := make(map[string]string, len(v))
		for k, s := range v {
			out[e.Replace(k)] = e.Replace(s)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = e.replaceAny(v[i])
		}
		return out
	case []string:
		out := make([]string, len(v))
		for i := range v {
			out[i] = e.Replace(v[i])
		}
		return out
	case []map[string]any:
		out := make([]map[string]any, len(v))
		for i := range v {
			out[i] = e.ReplaceTree(v[i])
		}
		return out
	}
	return v
}
