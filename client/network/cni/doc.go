// Package cni calls the network plugins of the Container Network Interface that
// an operator has put on a node. It is the one importer of its library.
//
// Plugins are programs of the operator's; they run as the agent does, and see
// nothing of its environment but where programs are.
package cni
