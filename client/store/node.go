package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/seraihq/serai/internal/pattern"
)

// Identity is what a node proves itself with. It is kept in two small files of
// its own, so that it outlives a damaged state file.
type Identity struct {
	ID       string
	SecretID string
}

const (
	idFile     = "client-id"
	secretFile = "secret-id"
	keyMeta    = "meta"
	keyContact = "contact"
	keyServers = "servers"
)

var uuidForm = pattern.New(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// Identity gives the node's identity, made when there is none yet.
func (s *Store) Identity() (Identity, error) {
	id, err := s.identityFile(idFile)
	if err != nil {
		return Identity{}, err
	}
	secret, err := s.identityFile(secretFile)
	return Identity{ID: id, SecretID: secret}, err
}

func (s *Store) identityFile(name string) (string, error) {
	path := filepath.Join(s.dir, name)
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("node identity: %w", err)
	}
	if id := strings.TrimSpace(string(b)); uuidForm.MatchString(id) {
		return id, nil
	}
	if err == nil {
		s.logger.Warn("the node's identity cannot be read: a new one is made", "path", path)
	}
	id := uuid.NewString()
	return id, writeFile(path, id+"\n")
}

// writeFile replaces a file so that it survives the end of the machine.
func writeFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("node identity: %w", err)
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return fmt.Errorf("node identity: %w", err)
	}
	return nil
}

// PutMeta keeps the node's dynamic metadata; nil values are unset on purpose.
func (s *Store) PutMeta(meta map[string]*string) error {
	b := s.Batch()
	b.put(bucketNode, keyMeta, meta)
	if err := b.Write(); err != nil {
		return err
	}
	return s.Sync()
}

// Meta gives the node's dynamic metadata.
func (s *Store) Meta() (map[string]*string, error) {
	meta := map[string]*string{}
	_, err := s.get(bucketNode, keyMeta, &meta)
	return meta, err
}

// Contact is when the servers were last heard of: Up since the machine was
// started for the time named Boot, and by the clock on the wall.
type Contact struct {
	Boot string
	Up   time.Duration
	Wall time.Time
}

// PutContact keeps when the servers were last heard of.
func (s *Store) PutContact(c Contact) error {
	b := s.Batch()
	b.put(bucketNode, keyContact, c)
	return b.Write()
}

// Contact gives what PutContact kept; zero when there is nothing.
func (s *Store) Contact() (Contact, error) {
	var c Contact
	_, err := s.get(bucketNode, keyContact, &c)
	return c, err
}

// Servers are what a client was told of its servers, host:port, and those of the
// configuration that it had then.
type Servers struct {
	Configured []string
	Told       []string
}

// PutServers keeps them.
func (s *Store) PutServers(servers Servers) error {
	b := s.Batch()
	b.put(bucketNode, keyServers, servers)
	return b.Write()
}

// Servers gives what PutServers kept; nothing when there is nothing.
func (s *Store) Servers() (Servers, error) {
	var servers Servers
	_, err := s.get(bucketNode, keyServers, &servers)
	return servers, err
}

// SaveDriver keeps a driver's reattach data, replacing what was there; empty
// data deletes it.
func (s *Store) SaveDriver(name string, data []byte) error {
	b := s.Batch()
	if len(data) == 0 {
		b.delete(bucketDrivers, name)
	} else {
		b.put(bucketDrivers, name, data)
	}
	return b.Write()
}

// Drivers lists the drivers that SaveDriver kept something of.
func (s *Store) Drivers() ([]string, error) {
	var names []string
	s.file.RLock()
	defer s.file.RUnlock()
	err := walk(s.db, func(bucket string, key, _ []byte) {
		if bucket == bucketDrivers {
			names = append(names, string(key))
		}
	})
	return names, wrap(err)
}

// LoadDriver gives a driver's reattach data, or nothing.
func (s *Store) LoadDriver(name string) ([]byte, error) {
	var data []byte
	_, err := s.get(bucketDrivers, name, &data)
	return data, err
}
