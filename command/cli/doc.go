// Package cli is the small layer under serai's command line: a tree of commands
// written out as lists, flags of the standard library with one or two dashes
// before or after the arguments, help, suggestions for mistyped names, shell
// completion, tables, colour, and one way of writing JSON and templates.
//
// It knows nothing about agents: package command defines the commands and turns
// Connection into an API client. It starts no goroutine; a command runs in the
// caller's.
package cli
