// Package logs carries what tasks write to files.
//
// A task's stdout and stderr are FIFOs that the task itself holds open
// read-write. The agent moves what comes out of them into rotated files,
// <task>.stdout.N beside <task>.stderr.N, in the allocation's alloc/logs. It
// uses splice(2): the kernel takes bytes out of the FIFO only as it writes them
// to the file, so an agent that is killed at any moment loses and repeats
// nothing; what stays in the FIFO is read by the next agent, which goes on in
// the newest file.
//
// One goroutine serves one stream and sleeps in the poller while the task is
// silent; no buffer belongs to a stream. All streams of a Collector take turns,
// so that any number of flooding tasks costs at most one core; a flooding task
// waits, it is never cut off. When a file cannot be written (disk full) the
// output is dropped and counted: a task never stands still, and never fails,
// because its logs cannot be kept.
//
// Reading for the logs API is here too (Copy).
package logs
