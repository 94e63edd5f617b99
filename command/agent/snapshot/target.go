package snapshot

import (
	"errors"
	"os"

	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/internal/bucket"
	"github.com/seraihq/serai/server/backup"
)

// Target opens where snapshots are to be kept. holder names this process among
// all that write there; getenv gives the keys of a store that has no
// credentials file.
func Target(c config.Snapshot, holder string, getenv func(string) string) (backup.Target, error) {
	if c.Path != "" {
		return backup.NewDir(c.Path)
	}
	if c.S3.Bucket == "" {
		return nil, errors.New("there is no place for snapshots: name a directory or a bucket")
	}
	b, err := bucket.Open(bucket.Config{
		Bucket: c.S3.Bucket, Region: c.S3.Region, Endpoint: c.S3.Endpoint, PlainHTTP: c.S3.PlainHTTP,
		Keys: bucket.KeysFrom(c.S3.CredentialsFile, getenv),
	})
	if err != nil {
		return nil, err
	}
	return backup.NewObjects(b, c.S3.Prefix, holder)
}

// Scratch is the directory for snapshots that are being made: beside the
// server's state, where it has one.
func Scratch(serverDir string) string {
	if info, err := os.Stat(serverDir); serverDir != "" && err == nil && info.IsDir() {
		return serverDir
	}
	return ""
}
