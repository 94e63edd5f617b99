package api

import (
	"strings"
	"testing"
)

func TestTemplatesOfJobs(t *testing.T) {
	for name, c := range map[string]struct {
		keys [2][]string
		file string
		want string
	}{
		"good":          {[2][]string{{"a"}, {"b", "c"}}, "in/p.json", ""},
		"twice":         {[2][]string{{"a", "b", "a"}, nil}, "p", `parameterized.meta_required names "a" twice`},
		"empty":         {[2][]string{nil, {""}}, "p", "parameterized.meta_optional must not hold a key that is empty"},
		"up":            {[2][]string{}, "a/../../p", `dispatch_payload.file "a/../../p" must name a file beneath`},
		"the directory": {[2][]string{}, "./", "must name a file beneath"},
		"a directory":   {[2][]string{}, "a/", "must name a file beneath"},
	} {
		j := &Job{Type: JobTypeBatch, ParameterizedJob: &ParameterizedJobConfig{Payload: "optional", MetaRequired: c.keys[0], MetaOptional: c.keys[1]},
			TaskGroups: []*TaskGroup{{Name: "g", Tasks: []*Task{{Name: "t", DispatchPayload: &DispatchPayloadConfig{File: c.file}}}}}}
		v := &validator{job: j}
		v.parameterized(spot{}.field("ParameterizedJob", "parameterized"), j.ParameterizedJob)
		v.payloadFiles(spot{})
		text := ""
		for _, p := range v.problems {
			text += p.Text + "\n"
		}
		if c.want == "" && text != "" || !strings.Contains(text, c.want) {
			t.Errorf("%s: got %q", name, text)
		}
	}
}
