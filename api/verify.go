package api

// StateVerification compares the states of the servers at one place in the log.
// Every server of the Raft configuration is in it; one that did not answer has an
// Error.
type StateVerification struct {
	Index   uint64   // of the log entry whose state was compared
	Agree   bool     // all servers answered, and have the same
	Differ  []string // tables that are not the same on all servers that answered
	Servers []ServerTables
}

// ServerTables are the tables of a server, as hashes: 16 hexadecimal digits that
// are the same exactly when the tables are, rows and indexes alike.
type ServerTables struct {
	ID      string
	Name    string
	Address string
	Leader  bool
	Tables  map[string]string `json:",omitempty"` // hash by name
	Error   string            `json:",omitempty"` // why there are none
}
