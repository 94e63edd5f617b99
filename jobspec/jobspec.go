// Package jobspec turns job files into jobs: HCL2 or its JSON syntax with
// variables, locals, functions and dynamic blocks, and the API's JSON form.
//
// Expressions are evaluated within limits on steps and sizes, so that no file
// of any content takes more than a second or 64 MiB. The result is a tree in
// the shape of the job's JSON, with the place of each value, which api decodes
// over the defaults: there is one decode path for files and for the API.
//
// The CLI and the endpoint that parses jobs use it. It keeps no state and
// starts no goroutine. Files are read only when AllowFS is set.
package jobspec

import (
	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/hclx"
)

// Source is a job file with what it needs to be evaluated.
type Source struct {
	Name     string            // for messages
	Data     []byte            // HCL or JSON
	VarFiles []VarFile         // from lowest to highest precedence
	VarFlags map[string]string // values of -var
	Env      []string          // "NAME=value": SERAI_VAR_x and NOMAD_VAR_x give variables
	AllowFS  bool              // file functions work
	BaseDir  string            // relative paths of file functions start here
	Strict   bool              // refuse values for variables that are not declared
	JSON     bool              // Data is the API's JSON form, {"Job": {…}} or the job itself
	MaxBytes int               // size limit of Data; 0 = 1 MiB
}

// VarFile is the content of a variable file.
type VarFile struct {
	Name string
	Data []byte // HCL or JSON
}

// Position is a place in a file.
type Position struct {
	File   string
	Line   int // from 1
	Column int // from 1

	offset int // in bytes
}

// Result is a parsed job.
type Result struct {
	Job        *api.Job
	Submission *api.JobSubmission
	Warnings   []string            // of parsing; api.Job.Warnings gives those of the job
	Positions  map[string]Position // field path in the job's JSON form → place

	file *hclx.File // nil for the API's form
}
