package api

// Warnings names the blocks of a job that are stored and have no effect yet.
func (j *Job) Warnings() []string {
	return nil
}
