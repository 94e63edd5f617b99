package config

import (
	"path/filepath"
	"time"
)

// Snapshot has the leader save snapshots by the clock; serai's own. The keys of
// a store come from the environment or a file, never from here.
type Snapshot struct {
	Interval time.Duration `hcl:"interval"` // 0: none are saved
	Retain   int           `hcl:"retain"`   // how many are kept; 0: all
	Path     string        `hcl:"path"`     // directory
	S3       SnapshotS3    `hcl:"s3"`
}

// SnapshotS3 is a bucket of an s3-compatible store.
type SnapshotS3 struct {
	Bucket          string `hcl:"bucket"`
	Region          string `hcl:"region"`
	Endpoint        string `hcl:"endpoint"` // "https://HOST:PORT"; Amazon's when empty
	Prefix          string `hcl:"prefix"`
	CredentialsFile string `hcl:"credentials_file"` // AWS's form; the environment when empty
	PlainHTTP       bool   `hcl:"plain_http"`       // allows an endpoint without TLS
}

func (v *checker) checkSnapshot() {
	s := v.agent.Server.Snapshot
	switch {
	case s == Snapshot{Retain: s.Retain}:
		return
	case s.Interval < time.Second:
		v.add("server.snapshot.interval", "server.snapshot.interval must be at least \"1s\"; an hour is usual")
	case (s.Path == "") == (s.S3 == SnapshotS3{}):
		v.add("server.snapshot", "server.snapshot needs either path or an s3 block")
	case s.Path != "" && !filepath.IsAbs(s.Path):
		v.add("server.snapshot.path", "server.snapshot.path must be an absolute path, not %q", s.Path)
	case s.Path == "" && s.S3.Bucket == "":
		v.add("server.snapshot.s3", "server.snapshot.s3 names no bucket")
	}
	v.within("server.snapshot.retain", s.Retain, 0, 100_000)
}
