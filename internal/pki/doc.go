// Package pki makes certificates: authorities, certificates that they sign, and
// the tokens by which new agents get theirs.
//
// It holds no state and opens no connections; files are read and written by
// functions that say so. Servers (server/trust) sign with it, the commands tls,
// init and join use it on their own. Keys are ECDSA on P-256.
package pki
