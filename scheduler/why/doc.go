// Package why tells why jobs and allocations are where they are: what became of
// every node for the next allocation of a group (the funnel), what the best
// nodes score, in one sentence what keeps a job from running as asked, and the
// smallest changes with which the scheduler, asked again, places what it could
// not.
//
// Nothing in it guesses: a node counts as short where the scheduler's own
// selector refuses it, and a suggestion is made only after scheduler.Schedule
// has placed something on edited input. How many times it may be asked is
// bounded by number, not by time.
//
// It is pure like the scheduler: no I/O, no clock, no goroutine. The fleet that
// it is given is edited while it works and is as it was when it returns.
package why
