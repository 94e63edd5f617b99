// Package feasible turns what a group demands of a node (constraints, drivers,
// networks, datacenters, node pool) into filters over a fleet, each with the
// reason that is shown when it rules a node out.
//
// Answers depend on the demand and on the node alone, so that the fleet keeps
// them. What depends on where other allocations are (distinct_hosts,
// distinct_property) is in Distinct.
package feasible
