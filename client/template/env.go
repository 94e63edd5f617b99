package template

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/hashicorp/go-envparse"
)

// Limits of what a template may put into a task's environment: the kernel hands
// no more than 128 KiB in one variable to a program.
const (
	maxVars     = 4096
	maxVariable = 128<<10 - 1
)

// parseEnv reads the variables of a template with env = true.
func parseEnv(data []byte) (map[string]string, error) {
	vars, err := envparse.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("env: the output is not a list of NAME=value: %w", err)
	}
	if len(vars) > maxVars {
		return nil, fmt.Errorf("env: the output has %d variables, more than %d", len(vars), maxVars)
	}
	for k, v := range vars {
		if strings.IndexByte(v, 0) >= 0 || len(k)+len(v) >= maxVariable {
			return nil, fmt.Errorf("env: the value of %.80q holds a NUL byte or is longer than a program can be given", k)
		}
	}
	return vars, nil
}
