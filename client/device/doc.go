// Package device offers devices that the operator has declared in the agent's
// configuration, and gives tasks those that they were granted: the variables
// that name them, and the device nodes to open.
//
// It knows nothing of any vendor: what a device is called, which device nodes
// belong to it and which variable its libraries read is written down by the
// operator. The client and the set-up of tasks call it; it owns no goroutine.
package device
