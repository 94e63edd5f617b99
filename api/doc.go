// Package api holds the one set of types of serai: what the CLI sends, Raft
// replicates, the scheduler reads and the UI receives. It also declares the
// endpoint table, and the Go client that is made from it.
//
// A field's JSON name is its Go name. Its HCL name stands in the `hcl` tag:
//
//	`hcl:"count"`        an attribute
//	`hcl:"update,block"` a nested block: pointer = at most one, slice = any
//	                     number, map of structs = keyed by the block's label,
//	                     map of values = the block's body as a free map
//	`hcl:",label"`       the label of the block that the struct describes
//	`hcl:"-"`            set by the server, never by a job file
//
// Values are plain: absent and zero are told apart by decoding over defaults
// (see Job.UnmarshalJSON). Stored objects are complete and immutable: whoever
// wants another value makes a Clone.
//
// The package depends on nearly nothing and owns no goroutine.
package api
