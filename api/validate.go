package api

// ValidateLimits are the bounds that an operator sets. The zero value of a
// field means its default.
type ValidateLimits struct {
	MaxPriority int // default 100
	MaxCount    int // of all groups of a job together; default 50000
}

// Validate checks a complete job and gives every problem at once.
func (j *Job) Validate(limits ValidateLimits) Problems {
	return nil
}

// NotBuilt names the blocks of a job without which it could not do its work
// and which do not exist yet.
func (j *Job) NotBuilt() Problems {
	return nil
}
