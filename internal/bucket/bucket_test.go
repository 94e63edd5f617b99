package bucket

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seraihq/serai/internal/bucket/fake"
)

func open(t *testing.T, s *fake.Store, keys Keys) *Bucket {
	t.Helper()
	s.Bucket, s.Region, s.ID, s.Secret = "backups", "eu-north-1", "AKID", "SENTINEL/secret+key"
	server := fake.Start(s)
	t.Cleanup(server.Close)
	if keys.ID == "" {
		keys = Keys{ID: s.ID, Secret: s.Secret}
	}
	b, err := Open(Config{Bucket: s.Bucket, Region: s.Region, Endpoint: server.URL, Keys: func() (Keys, error) { return keys, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestObjects(t *testing.T) {
	s := &fake.Store{PageSize: 3}
	b := open(t, s, Keys{})
	ctx := context.Background()
	for i := range 8 {
		if _, err := b.PutBytes(ctx, fmt.Sprintf("a/b/%d.snap", i), []byte(fmt.Sprint(i)), Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.PutBytes(ctx, "other", []byte("x"), Condition{}); err != nil {
		t.Fatal(err)
	}
	keys, err := b.List(ctx, "a/b/")
	if err != nil || len(keys) != 8 || keys[7] != "a/b/7.snap" {
		t.Errorf("%v %v", keys, err)
	}
	body, tag, err := b.GetBytes(ctx, "a/b/4.snap")
	if err != nil || string(body) != "4" || tag == "" {
		t.Errorf("%q %q %v", body, tag, err)
	}
	if err := b.Delete(ctx, "a/b/4.snap"); err != nil {
		t.Error(err)
	}
	if _, _, err := b.GetBytes(ctx, "a/b/4.snap"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a deleted object: %v", err)
	}
	if refused := s.Refused(); len(refused) > 0 {
		t.Errorf("wrong signatures: %v", refused)
	}
}

func TestConditions(t *testing.T) {
	b := open(t, &fake.Store{}, Keys{})
	ctx := context.Background()
	tag, err := b.PutBytes(ctx, "lock", []byte("one"), Condition{Absent: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.PutBytes(ctx, "lock", []byte("two"), Condition{Absent: true}); !errors.Is(err, ErrCondition) {
		t.Errorf("a second object: %v", err)
	}
	if _, err := b.PutBytes(ctx, "lock", []byte("two"), Condition{Tag: tag}); err != nil {
		t.Error(err)
	}
	if _, err := b.PutBytes(ctx, "lock", []byte("three"), Condition{Tag: tag}); !errors.Is(err, ErrCondition) {
		t.Errorf("an old tag: %v", err)
	}
}

// TestErrorsHoldNoSecret: whatever the store answers, keys stay out of errors.
func TestErrorsHoldNoSecret(t *testing.T) {
	for status, want := range map[int]string{403: "refuses the keys", 301: "own region", 500: "answers 500", 404: "no such object"} {
		s := &fake.Store{Fail: func(*http.Request) (int, string) { return status, "Code" }}
		b := open(t, s, Keys{})
		_, _, err := b.GetBytes(context.Background(), "x")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "SENTINEL") || strings.Contains(err.Error(), "AKID") {
			t.Errorf("%d: %v", status, err)
		}
	}
	b := open(t, &fake.Store{}, Keys{ID: "AKID", Secret: "SENTINEL wrong"})
	if _, err := b.PutBytes(context.Background(), "x", nil, Condition{}); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") || strings.Contains(err.Error(), "SENTINEL") {
		t.Errorf("a wrong key: %v", err)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{
		{Bucket: "a"}, {Bucket: "a/b"}, {Bucket: "UPPER"}, {Bucket: "abc", Region: "x/y"}, {Bucket: "abc", Endpoint: "s3.example.com"},
		{Bucket: "abc", Endpoint: "https://SENTINEL:SENTINEL@x"}, {Bucket: "abc", Endpoint: "https://x/path"}, {Bucket: "abc", Endpoint: "http://10.0.0.1:9000"},
	} {
		if _, err := Open(c); err == nil || strings.Contains(err.Error(), "SENTINEL") {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range []Config{{Bucket: "abc"}, {Bucket: "a.b-c", Endpoint: "https://minio.example.com:9000"}, {Bucket: "abc", Endpoint: "http://10.0.0.1", PlainHTTP: true}} {
		if _, err := Open(c); err != nil {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for key, want := range map[string]bool{"a/b.snap": true, "": false, "/a": false, "a//b": false, "a b": false, "a?b": false, "a/../b": false} {
		if ValidKey(key) != want {
			t.Errorf("key %q: %v", key, !want)
		}
	}
}

func TestKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keys")
	write := func(text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("[other]\naws_access_key_id = no\n# aws_secret_access_key = no\n[default]\naws_access_key_id=A\naws_secret_access_key = S=x\n", 0o600)
	k, err := KeysFrom(file, os.Getenv)()
	if err != nil || k != (Keys{ID: "A", Secret: "S=x"}) {
		t.Errorf("%+v %v", k, err)
	}
	write("[default]\naws_access_key_id=A\naws_secret_access_key=SENTINEL\n", 0o644)
	if _, err := KeysFrom(file, os.Getenv)(); err == nil || !strings.Contains(err.Error(), "chmod 600") || strings.Contains(err.Error(), "SENTINEL") {
		t.Errorf("a file for everybody: %v", err)
	}
	if _, err := KeysFrom("", func(string) string { return "" })(); err == nil || !strings.Contains(err.Error(), "AWS_ACCESS_KEY_ID") {
		t.Errorf("no keys: %v", err)
	}
}

func FuzzKeysFile(f *testing.F) {
	f.Add([]byte("[default]\naws_access_key_id=A\naws_secret_access_key=B\n"))
	file := filepath.Join(f.TempDir(), "keys")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := readKeys(file); err == nil && (k.ID == "" || k.Secret == "") {
			t.Errorf("%+v", k)
		}
	})
}
