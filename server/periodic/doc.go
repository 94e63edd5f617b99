// Package periodic starts the runs of periodic jobs when they are due.
//
// Loop is derived from the store alone: the jobs say when runs are due, and the
// record of each job's last launch says which have been started. A run and its
// record are one command under the time at which the run was due
// (fsm.PeriodicStart), so a run happens once over restarts, changes of the
// leader and clocks that jump.
//
// A new leader makes up for at most one run of a job, the last that was missed.
// While a server leads, a run that is late, because the log was busy or the
// clock jumped, is started as long as it is not later than a minute; of those
// that are later only the last is.
//
// Run owns one goroutine, the caller's.
package periodic
