// Package fleet is the dense index of nodes that makes placement fast: one row
// per node with what it has and what is in use, the answers of constraints as
// bitmaps over the rows, attributes as interned columns, and scores per
// resource shape of which only changed rows are computed again.
//
// A Fleet is filled with Load and kept up to date from the store's change feed
// (NodeUpsert, NodeRemove, AllocChange). A Tx takes room for a plan; what it
// keeps is a Hold, dropped when the plan's allocations arrive by the feed.
//
// It holds no locks and starts no goroutine: the planner owns it. Row numbers
// are valid until the next call that changes nodes. Nothing that a caller can
// see depends on the order in which rows were made.
package fleet
