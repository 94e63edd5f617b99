package jobspec

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/hclx"
)

// isAPIForm says whether JSON is the API's form of a job rather than the JSON
// syntax of HCL: {"Job": {…}}, or an object with the ID or the groups of a job.
func isAPIForm(data []byte) bool {
	if !hclx.IsJSON(data) {
		return false
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	if _, err := dec.Token(); err != nil {
		return false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return false
		}
		switch key {
		case "Job", "ID", "TaskGroups":
			return true
		case "job":
			return false
		}
		var skipped json.RawMessage
		if err := dec.Decode(&skipped); err != nil {
			return false
		}
	}
	return false
}

// parseAPIForm reads a job in the API's form.
func parseAPIForm(src Source) (*Result, error) {
	file := &hclx.File{Name: src.Name, Source: src.Data, JSON: true}
	body := src.Data
	var wrapped map[string]json.RawMessage
	if err := json.Unmarshal(src.Data, &wrapped); err == nil {
		for _, key := range []string{"Job", "job"} {
			if inner, ok := wrapped[key]; ok && string(inner) != "null" {
				body = inner
				break
			}
		}
	}
	job := &api.Job{}
	if err := json.Unmarshal(body, job); err != nil {
		return nil, invalid(jsonProblems(file, err))
	}
	if job.ID == "" && len(job.TaskGroups) == 0 {
		return nil, invalid(hclx.Problems{{File: src.Name, Message: `the file has no job: write {"Job": {"ID": …}}`}})
	}
	p := &parser{src: src}
	return &Result{Job: job, Submission: p.submission("json"), Positions: map[string]Position{}}, nil
}

// jsonProblems gives an error of the JSON decoder the form of problems.
func jsonProblems(file *hclx.File, err error) hclx.Problems {
	var wrong api.Problems
	if errors.As(err, &wrong) {
		out := make(hclx.Problems, len(wrong))
		for i, w := range wrong {
			out[i] = hclx.Problem{File: file.Name, Message: w.Text}
		}
		return out
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		offset := min(max(int(syntax.Offset)-1, 0), len(file.Source))
		before := string(file.Source[:offset])
		line := strings.Count(before, "\n")
		column := offset - strings.LastIndexByte(before, '\n')
		return hclx.Problems{file.At(hcl.Range{Start: hcl.Pos{Line: line + 1, Column: column, Byte: offset}}, "not JSON: %v", err)}
	}
	return hclx.Problems{{File: file.Name, Message: err.Error()}}
}
