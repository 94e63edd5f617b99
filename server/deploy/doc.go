// Package deploy sees deployments through on the leader: it judges whether one
// has succeeded or failed, promotes canaries that need nobody's word, has failed
// allocations placed anew, and asks the scheduler to go on when something has
// become healthy.
//
// Judge is a pure function of the deployment's row, its job, its allocations
// and the time. The Watcher around it follows the change feed and writes the
// verdicts, those of many deployments in one command. It keeps nothing that it
// could not read from the store: a new leader judges every deployment that goes
// on, and goes on where the one before it was. What a verdict was about may have
// changed by the time that it is applied; then it is void and judged again.
//
// The scheduler begins deployments, and ends those that a newer version of their
// job replaces; the numbers in a deployment's row are kept by package state. The
// package owns the goroutine of Run.
package deploy
