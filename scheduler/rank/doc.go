// Package rank orders the nodes that can take an allocation. Every scorer that
// applies to a node gives a score; the node's final score is their mean. Every
// feasible node is looked at, and of equal nodes the order of the fleet
// decides, so that the same input always picks the same node.
//
// A Selector serves one group of one evaluation. Large counts take one pass
// over the nodes and a heap, not a pass each.
package rank
