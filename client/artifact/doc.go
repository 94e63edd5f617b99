// Package artifact fetches what a task's artifact blocks name, before the task
// starts.
//
// Servers, archives and repositories may be hostile, and so may the job's
// author. So no byte of theirs is looked at by the agent: each fetch is a child
// process (client/artifact/fetch) that runs as a user of its own and can write
// to one staging directory only (client/artifact/confine). When it has ended the
// agent looks through what it left, gives it an owner, and moves it beneath the
// task's directory without following a link (client/files).
//
// Source understands the forms that sources are written in; Fetcher runs the
// children, a few at a time. The artifact step (client/steps) calls both. The
// package owns no goroutine that outlives a call.
package artifact
