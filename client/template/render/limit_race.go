//go:build race

package render

// workerData is no limit: the race detector's own memory is beyond any.
const workerData = 1 << 62

// workerEnv has a worker end at once.
var workerEnv = []string{"GORACE=atexit_sleep_ms=0"}
