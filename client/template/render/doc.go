// Package render turns the text of a template and what it may see into the text
// of a file. Texts come from job authors and are not trusted, so the work is done
// in worker processes of the same binary that can compute and nothing else: a
// system call filter leaves them their memory, their threads and two pipes, and
// their memory and time are bounded. A file that a template asks for is read by
// the agent, which decides what it may be.
//
// Pool is the agent's side: it starts workers when there is work, gives each one
// render at a time, kills what takes too long, and lets idle ones end. Main is
// the worker's side, a hidden mode of the binary. The language is
// consul-template's own package, behind this door.
//
// client/template is the only caller. A Pool owns one goroutine for each worker.
package render
