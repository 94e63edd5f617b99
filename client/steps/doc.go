// Package steps sets up what an allocation and its tasks need before a driver
// is asked to start anything, and takes it down again.
//
// One step is one file: it goes Up, gives a result that is kept under its name,
// and comes Down with that result. A Sequence runs a written list of them in
// order, each with a deadline, and undoes them in reverse. Up must be
// repeatable: after a restart of the agent a step that stood is put up again,
// and finds In.Restored set.
//
// A step may have more to it: a Renewer is called before each further start, an
// Environment adds variables, and a Releaser gives back what belongs to the agent.
//
// Places for what is not built yet (services) are entries in ForAlloc and
// ForTask; jobs that need them are refused when they are submitted.
//
// The runners of allocations and tasks call it. It owns no goroutine, but for
// those that follow the files of templates (client/template), renew identities
// (client/identity) and answer on the sockets of tasks.
package steps
