package render

import (
	"fmt"
	"path"
	"slices"
	"text/template"

	consul "github.com/hashicorp/consul-template/template"

	"github.com/seraihq/serai/api"
)

// never are functions that no configuration of an agent can allow: they run
// programs and write files as the agent.
var never = map[string]string{
	"plugin":      "it runs a program as the agent: run it in a task and read what it wrote with file",
	"writeToFile": "it writes files as the agent: use another template block",
}

// execute renders one text. fetch reads a file that the text asks for.
func execute(req *request, fetch func(path string) (string, error)) (output []byte, err error) {
	text := string(req.Text)
	if err := check(text, req); err != nil || text == "" {
		return nil, err
	}
	t, err := consul.NewTemplate(&consul.NewTemplateInput{
		Contents: text, LeftDelim: req.Left, RightDelim: req.Right, ErrMissingKey: req.MissingKey,
		ExtFuncMap: functions(req.Env, fetch), FunctionDenylist: req.Denied,
	})
	if err != nil {
		return nil, err
	}
	result, err := t.Execute(&consul.ExecuteInput{Brain: consul.NewBrain()})
	if err != nil {
		return nil, err
	}
	if len(result.Output) > MaxOutput {
		return nil, fmt.Errorf("the output of %d bytes is larger than the %d that a template may make", len(result.Output), MaxOutput)
	}
	return result.Output, nil
}

// check refuses a text that names functions which will not work, before any of
// it is executed.
func check(text string, req *request) error {
	names, err := api.TemplateFunctions(text, req.Left, req.Right)
	if err != nil {
		return err
	}
	for _, name := range names {
		if why := api.TemplateFunctionMissing(name); why != "" {
			return fmt.Errorf("function %q %s", name, why)
		}
		if why := never[name]; why != "" {
			return fmt.Errorf("function %q is not allowed: %s", name, why)
		}
		if slices.ContainsFunc(req.Denied, func(pattern string) bool { return matches(pattern, name) }) {
			return fmt.Errorf("function %q is disabled by client.template.function_denylist in the agent's configuration", name)
		}
	}
	return nil
}

// matches says whether a name fits a pattern with stars.
func matches(pattern, name string) bool {
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// functions are those that differ from the library's: what reads the process's
// surroundings reads the task's instead, and what needs a network is refused
// even where its name does not stand in the text.
func functions(env map[string]string, fetch func(string) (string, error)) template.FuncMap {
	m := template.FuncMap{
		"env": func(name string) string { return env[name] },
		"mustEnv": func(name string) (string, error) {
			if env[name] == "" {
				return "", fmt.Errorf("the task's environment variable %q is empty or not set", name)
			}
			return env[name], nil
		},
		"envOrDefault": func(name, fallback string) string {
			if v, ok := env[name]; ok {
				return v
			}
			return fallback
		},
		"file": func(name string) (string, error) {
			if name == "" {
				return "", nil
			}
			return fetch(name)
		},
	}
	refused := func(why string) func(...any) (string, error) {
		return func(...any) (string, error) { return "", fmt.Errorf("the function %s", why) }
	}
	for _, name := range api.MissingTemplateFunctions() {
		m[name] = refused(api.TemplateFunctionMissing(name))
	}
	for name, why := range never {
		m[name] = refused("is not allowed: " + why)
	}
	return m
}
