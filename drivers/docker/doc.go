// Package docker is the docker driver: tasks as containers of a Docker Engine, driven through the Engine API. It is the only importer of the
// engine's client library.
//
// The engine keeps the containers, so neither the end of this process nor that of the agent touches a task, and with the engine's live-restore
// its own restart does not either. A task is found again by its container's ID, or by the label serai.task_id when its start was cut short.
// Output is read from the engine's log stream and written to the task's pipes; how far it got is noted beside the task after each write, so that a
// new process goes on where the old one stopped.
//
// What a job may ask of the host is decided by the operator's configuration (volumes, privileges, capabilities, devices, modes, runtimes) before
// the engine hears of it: whoever may talk to the engine is root on its host. Paths that tasks can write to are never given to the engine by name,
// which could mean something else by the time it looks: they are mounted to a place of the driver's own first (stage.go).
//
// Goroutines: two per running task, one that waits for its end and one that reads its output; one per pull; one per Fingerprint, which also
// collects images that no container has used for a while; one that removes containers nobody knows.
package docker
