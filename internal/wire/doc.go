// Package wire owns the binary codecs of the servers: CBOR in its
// deterministic form for whole objects (log entries, snapshots), and small
// readers and writers for the hand-written formats of the hot ones.
//
// Nothing else imports the CBOR library. Text for people and tools is JSON,
// which api takes care of.
package wire
