package command

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/command/agent/snapshot"
	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/logx"
)

func snapshotAgent() *cli.Command {
	var (
		c    = config.Default().Server.Snapshot
		once bool
		log  = "INFO"
	)
	return &cli.Command{
		Name: "agent", Synopsis: "Save snapshots by the clock", Usage: "[options] [<configuration>...]", Max: -1,
		Help: `Saves a snapshot of the servers' state every -interval to a directory or to a bucket of an s3-compatible store, and keeps the newest -retain of them. Any number of these agents may run: one of them writes. The leader does the same by itself when its configuration has server { snapshot { … } }; files with such a block can be given here too, and options go over them.

A snapshot is read to its end before it is kept, and appears whole or not at all. Keys of a store come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or from a file with mode 0600 in the form of the AWS tools. One directory or bucket can serve several clusters: names begin with their IDs.

  serai operator snapshot agent -interval 1h -retain 48 -path /var/backups/serai
  serai operator snapshot agent -once -s3-bucket backups -s3-region eu-north-1`,
		Define: func(f *cli.Flags) {
			f.Duration(&c.Interval, "interval", "<duration>", "Time between two snapshots. Default 1h.")
			f.Int(&c.Retain, "retain", "<n>", "How many snapshots of the cluster are kept, 0 for all. Default 30.")
			f.String(&c.Path, "path", "<path>", "Directory for the snapshots.")
			f.String(&c.S3.Bucket, "s3-bucket", "<name>", "Bucket for the snapshots.")
			f.String(&c.S3.Region, "s3-region", "<region>", "Region of the bucket. Default us-east-1.")
			f.String(&c.S3.Endpoint, "s3-endpoint", "<url>", "Address of the store, https://HOST:PORT. Default Amazon's.")
			f.String(&c.S3.Prefix, "s3-prefix", "<path>", "What the names of the objects begin with.")
			f.String(&c.S3.CredentialsFile, "s3-credentials-file", "<path>", "File with the keys of the store.")
			f.Bool(&c.S3.PlainHTTP, "s3-plain-http", "Allow a store without TLS on another machine.")
			f.Bool(&once, "once", "Save one snapshot now, and end.")
			f.String(&log, "log-level", "<level>", "DEBUG, INFO, WARN or ERROR. Default INFO.")
		},
		Run: func(ctx context.Context, inv *cli.Invocation) error {
			settings, err := snapshotSettings(inv, c)
			if err != nil {
				return err
			}
			s, err := open(inv)
			if err != nil {
				return err
			}
			level, ok := logx.ParseLevel(log)
			if !ok {
				return cli.Usagef("-log-level: %q is no level: DEBUG, INFO, WARN or ERROR", log)
			}
			host, _ := os.Hostname()
			name, err := snapshot.RunAgent(ctx, snapshot.Agent{
				Config: settings, Host: host, Getenv: os.Getenv, Once: once,
				Logger: slog.New(logx.Handler(inv.Stderr, logx.Options{Level: level})),
				Save:   func(ctx context.Context, w io.Writer) error { return fetchSnapshot(ctx, s, w) },
			})
			if err == nil && name != "" {
				inv.Printf("Saved %s", name)
			}
			return err
		},
	}
}

// snapshotSettings lays the options over the configuration files.
func snapshotSettings(inv *cli.Invocation, given config.Snapshot) (config.Snapshot, error) {
	c := config.Default()
	c.Server.Enabled, c.DataDir = true, os.TempDir() // what an agent needs and this one does not
	if len(inv.Args) > 0 {
		if err := c.Load(inv.Args...); err != nil {
			return c.Server.Snapshot, fmt.Errorf("the configuration cannot be used:\n\n%w", err)
		}
	}
	s := &c.Server.Snapshot
	for name, take := range map[string]func(){
		"interval": func() { s.Interval = given.Interval }, "retain": func() { s.Retain = given.Retain }, "path": func() { s.Path = given.Path },
		"s3-bucket": func() { s.S3.Bucket = given.S3.Bucket }, "s3-region": func() { s.S3.Region = given.S3.Region },
		"s3-endpoint": func() { s.S3.Endpoint = given.S3.Endpoint }, "s3-prefix": func() { s.S3.Prefix = given.S3.Prefix },
		"s3-credentials-file": func() { s.S3.CredentialsFile = given.S3.CredentialsFile }, "s3-plain-http": func() { s.S3.PlainHTTP = given.S3.PlainHTTP },
	} {
		if inv.Flags.Given(name) {
			take()
		}
	}
	if s.Interval == 0 {
		s.Interval = time.Hour
	}
	if s.Path != "" {
		path, err := filepath.Abs(s.Path)
		if err != nil {
			return *s, err
		}
		s.Path = path
	}
	switch {
	case s.Interval < time.Second:
		return *s, cli.Usagef("-interval must be at least 1s")
	case s.Retain < 0:
		return *s, cli.Usagef("-retain must not be negative")
	case (s.Path == "") == (s.S3.Bucket == ""):
		return *s, cli.Usagef("say where the snapshots go: either -path or -s3-bucket")
	}
	return *s, nil
}

// fetchSnapshot has the servers save a snapshot, and checks that all of it came.
func fetchSnapshot(ctx context.Context, s *session, w io.Writer) error {
	body, header, err := api.Open(ctx, s.client, api.SnapshotSave, &api.ListRequest{})
	if err != nil {
		return err
	}
	defer body.Close()
	digest := sha256.New()
	if _, err := io.Copy(io.MultiWriter(w, digest), body); err != nil {
		return fmt.Errorf("read the snapshot from the agent: %w", err)
	}
	want, ok := strings.CutPrefix(header.Get("Digest"), "sha-256=")
	if got := base64.StdEncoding.EncodeToString(digest.Sum(nil)); ok && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 0 {
		return errors.New("the snapshot was changed on its way from the agent; try again")
	}
	return nil
}
