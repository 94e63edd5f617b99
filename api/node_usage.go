package api

// Amounts is what allocations take of a node, as the scheduler counts it: tasks
// that never run at the same time share.
type Amounts struct {
	CPU      int64   // MHz
	MemoryMB int64   // MiB
	DiskMB   int64   // MiB
	Devices  float64 // instances; a share of one counts as its part
}

// NodeUsage is what all allocations of a node take of it, those of namespaces
// that the caller may not read as well.
type NodeUsage struct {
	NodeID string
	Count  int // of allocations
	Amounts
	// Allocations are those that the caller may read, where they are asked for.
	Allocations []*AllocationUsage `json:",omitempty"`
}

// AllocationUsage is what an allocation takes of its node: what a map of
// 50,000 needs, and no more.
type AllocationUsage struct {
	ID        string
	Namespace string
	JobID     string
	TaskGroup string
	Amounts
}
