// Package driverset gives the node agent its task drivers: the built-in ones and those found in the plugin directory.
//
// It fingerprints built-in drivers inside the agent, starts a driver's host process with the first task that needs it, finds running
// hosts again after a restart of the agent, starts a dead host anew and hands it its living tasks, and stops a host that has had no task
// for a while. A driver from Get stays valid over all of that: callers never see which process answers.
//
// It does not schedule, restart tasks or read logs. The client's node package calls Run, its task runners call Get. Goroutines: one per
// driver for its fingerprint, one per host process to notice its end; Run joins them all. Hosts and their tasks outlive Run by design.
package driverset
