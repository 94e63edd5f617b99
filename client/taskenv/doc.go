// Package taskenv makes what a task sees of its surroundings: the environment
// variables NOMAD_… and those of its env block, and the values that stand for
// ${…} in its configuration, services and templates.
//
// Nothing of the agent's own environment comes in here. The package is pure:
// no I/O, no goroutine. The task steps call it before each start.
package taskenv
