// Package config is the configuration of an agent: what its files, its folders
// and its flags say, merged, checked and with defaults.
//
// Files are HCL or JSON by their content. Names are Nomad's. A key is in one of
// three groups: a field of Agent (whose tag says when it has no effect), a line of accepted.go (Nomad
// knows it, serai does nothing with it yet; it is accepted and reported in
// Agent.Unused), or unknown, which is an error with its place and the nearest
// known name. Blocks that promise a protection that is not built (acl, tls) are
// refused, never ignored. All problems of all files are reported at once.
//
// command/agent runs an agent from it; the CLI's `agent` and `config validate`
// build it. The package reads files and starts nothing.
package config
