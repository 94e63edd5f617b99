// Package fetch is the work of a child process: it gets one artifact from where
// its source says into the directory that it was given, and ends.
//
// The parent (client/artifact) starts this very program with the argument Mode.
// Main confines the process (package confine) and then reads an Order from
// standard input, so that no secret is ever in an argument or a file; it answers
// on standard output with one Answer. When standard input ends before that, the
// parent is gone, and the child ends too.
//
// http, https and s3 are fetched with the standard library, git by the git
// program of the host, and archives are unpacked with the standard library, all
// within the limits of the order. Nothing here is trusted by the parent: it
// looks through what was made before it moves it to where a task sees it.
package fetch
