// Package hostroot describes containers made of the host's own files, for the drivers exec and java: what the operator and the job may say about
// them, and the contain.Spec that follows. It starts nothing and holds no state.
package hostroot
