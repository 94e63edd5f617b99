package gossip

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hashicorp/memberlist"

	"github.com/seraihq/serai/api"
)

// keySize is that of keys that are made here, in bytes: AES-256.
const keySize = 32

// maxKeys is how many keys a ring may hold.
const maxKeys = 16

// NewKey makes a key of 32 random bytes, in base64.
func NewKey() (api.Sensitive, error) {
	b := make([]byte, keySize)
	if _, err := rand.Read(b); err != nil {
		return "", fmt.Errorf("make a gossip key: %w", err)
	}
	return api.Sensitive(base64.StdEncoding.EncodeToString(b)), nil
}

// ParseKey reads a key. The error does not repeat it.
func ParseKey(text api.Sensitive) ([]byte, error) {
	b, err := base64.StdEncoding.DecodeString(text.Reveal())
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "the gossip key is not base64; make one with `serai operator gossip keyring generate`")
	}
	switch len(b) {
	case 16, 24, 32:
		return b, nil
	}
	return nil, api.Errorf(api.ErrInvalid, "the gossip key has %d bytes, not 16, 24 or 32; make one with `serai operator gossip keyring generate`", len(b))
}

// openKeyring gives the keys of this server, the one that it writes with
// first; nil when it does not encrypt. The file is what the cluster has agreed
// on; the configured key is for a server that has none yet. configured says
// whether that key is among those of the file.
func openKeyring(path string, key api.Sensitive) (ring *memberlist.Keyring, configured bool, err error) {
	keys, err := readKeys(path)
	if err != nil {
		return nil, false, err
	}
	var mine []byte
	if key != "" {
		if mine, err = ParseKey(key); err != nil {
			return nil, false, err
		}
	}
	if len(keys) == 0 {
		if mine == nil {
			return nil, true, nil
		}
		keys = [][]byte{mine}
		if err := writeKeys(path, keys); err != nil {
			return nil, false, err
		}
	}
	for _, k := range keys {
		configured = configured || bytes.Equal(k, mine)
	}
	if ring, err = memberlist.NewKeyring(keys, keys[0]); err != nil {
		return nil, false, fmt.Errorf("gossip keyring: %w", err)
	}
	return ring, configured || mine == nil, nil
}

// readKeys reads a keyring file; a file that is not there has no keys.
func readKeys(path string) ([][]byte, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("gossip keyring: %w", err)
	}
	keys, err := decodeKeys(data)
	if err != nil {
		return nil, fmt.Errorf("gossip keyring %s: %w; put back a good copy, or remove the file to begin with server.encrypt", path, err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		if err := os.Chmod(path, 0o600); err != nil {
			return nil, fmt.Errorf("gossip keyring: others can read it: %w", err)
		}
	}
	return keys, nil
}

func decodeKeys(data []byte) ([][]byte, error) {
	var texts []string
	if err := json.Unmarshal(data, &texts); err != nil {
		return nil, api.Errorf(api.ErrInvalid, "it is no JSON list of keys")
	}
	if len(texts) == 0 || len(texts) > maxKeys {
		return nil, api.Errorf(api.ErrInvalid, "it has %d keys, not 1 to %d", len(texts), maxKeys)
	}
	var keys [][]byte
	for _, t := range texts {
		k, err := ParseKey(api.Sensitive(t))
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// writeKeys replaces the keyring file. Serf writes it again when the cluster
// changes its keys.
func writeKeys(path string, keys [][]byte) error {
	if path == "" {
		return nil
	}
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = base64.StdEncoding.EncodeToString(k)
	}
	data, err := json.MarshalIndent(texts, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".keyring-*") // with mode 0600
	if err != nil {
		return fmt.Errorf("write gossip keyring: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write gossip keyring: %w", err)
	}
	return nil
}
