package fetch

import "time"

// Kinds of sources.
const (
	HTTP  = "http"
	Git   = "git"
	S3    = "s3"
	Local = "file" // read from descriptor 3
)

// Modes of an artifact.
const (
	ModeAny  = "any"  // archives are unpacked, other files kept
	ModeFile = "file" // one file
	ModeDir  = "dir"  // a directory
)

// Where the child puts things, in its work directory.
const (
	ResultDir = "out" // what was fetched, and nothing else
	tempDir   = "tmp"
)

// Order is what a child is to fetch.
type Order struct {
	Kind     string
	URL      string // with what belongs to the user and the password; for Local: the name of the file
	Mode     string
	Name     string // of a single file
	Archive  string // how to unpack, one of Formats; empty: not at all
	Checksum string // "type:value", "value" or "file:URL"; empty: none
	Subdir   string // of what was unpacked or cloned; empty: all of it
	Headers  map[string]string
	Insecure bool // servers need no valid certificate

	Ref        string // git
	Depth      int
	SSHKey     string // base64
	KnownHosts string // text: the hosts that the operator knows beside those of the system

	Region  string // s3
	KeyID   string
	Secret  string
	Token   string
	Version string

	Limits Limits
	// Links that lead out of the artifact are kept; else they are an error.
	OutsideLinks bool
}

// Limits bound what a fetch may take; a zero means no limit.
type Limits struct {
	Time        time.Duration // for all of it
	Stall       time.Duration // without a single byte
	Bytes       int64         // downloaded
	UnpackBytes int64
	UnpackFiles int
}

// Answer is what became of an order.
type Answer struct {
	Err   string // empty: it is in ResultDir
	Again bool   // another try may do better
	Kind  string // of the error: "invalid", "denied", "too large" or empty
	File  string // name in ResultDir, when it is a single file
	Bytes int64  // that were downloaded
}
