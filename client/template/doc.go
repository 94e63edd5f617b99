// Package template writes the files of a task's template blocks and does what a
// change of them asks for: nothing, a signal, a script in the task, a restart.
//
// One Manager serves one task. First renders all before the first start; Run
// then follows the files that the templates have read, by looking at them twice
// a second, and renders again what has changed. Again is called before a further
// start. What was written is known by its digest, which outlives the agent: a
// Manager that comes after finds its files as they were and disturbs nobody.
//
// The text of a template is executed elsewhere (package render), files are opened
// beneath the task's directory and the allocation's shared one (client/files), and
// the task is reached through Control.
//
// The set-up step (client/steps) is the only caller. A Manager owns one goroutine
// while there is something to follow.
package template
