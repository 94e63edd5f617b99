// Package command is serai's command line: one file per command or small group
// of commands, over the layer in command/cli and the Go client in api.
//
// Main runs it. tree.go lists every command; nothing registers itself. Verbs,
// flags, columns and exit codes are the ones that users of Nomad know. Commands
// whose function is not built are refused by name (refused.go), never silently
// accepted. Apart from `agent`, which hands over to command/agent, the commands
// only talk to an agent's HTTP API.
package command
