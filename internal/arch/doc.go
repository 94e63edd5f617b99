// Package arch holds the rules of the house as tests: who may import whom, and
// which words a package may not be called by. It has no code of its own.
package arch
