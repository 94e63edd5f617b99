//go:build !race

package render

// workerData is what a worker may allocate; far more than where its collector
// begins to work hard (GOMEMLIMIT in pool.go).
const workerData = 256 << 20

// workerEnv is what a worker's environment has beside the usual.
var workerEnv []string
