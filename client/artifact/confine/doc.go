// Package confine takes from a process what it does not need to do one piece
// of work with input that nobody can trust.
//
// Enter is called by a process that was started for that work, and replaces it
// by the same program anew, which then has: a user of its own that owns nothing
// else, no capabilities and no way to gain any; a root directory made for it, in
// which programs and certificates can be read and one directory can be written;
// the same once more by Landlock, where the kernel has it; a filter of system
// calls; limits on memory, files and processes. The network is the host's, for
// fetching is the work.
//
// The user, the root and the filter each hold without the others. An agent that
// is not root has Landlock, the filter and the limits.
//
// The child processes of client/artifact call it. It owns no goroutine.
package confine
