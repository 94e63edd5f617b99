// Package supervise is what drivers that run processes share: from the moment a task's process has been born in its group, this package watches it,
// stops it, kills what is left of it, measures it and finds it again after a restart.
//
// A driver embeds a Set and adds only how a process is started. Goroutines: one per running task, parked in the poller on the task's pidfd, so
// that a task costs no thread.
package supervise
