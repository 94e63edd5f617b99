// Package network gives allocations a network of their own: a network namespace
// that the tasks of a group share, and what connects it with the world.
//
// With mode "bridge" a namespace hangs with a veth pair on a bridge of the node,
// has addresses of the bridge's subnet, and is reached from outside through the
// ports that the job asks for. What filters and translates packets stands in two
// nftables tables of the bridge's name, which are replaced as one from what is
// wanted. With "none" the namespace has its loopback alone; with "cni/NAME"
// plugins of the operator connect it (package client/network/cni).
//
// What every pod (the namespace of one allocation) was given is written to the
// client's state before anything is made. A pod that stands is compared with that
// record every few seconds and mended; what is there and recorded nowhere is
// removed. Whatever is not named like one of ours, or does not hang on our
// bridge, is left alone.
//
// The client makes one Manager. The step of an allocation calls Up and Down, its
// tasks' runners call Stand before each start. The Manager owns the goroutine of
// Run, and no other.
package network
