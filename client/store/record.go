package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/debug"

	bolt "go.etcd.io/bbolt"
)

// A record is a version, a CRC-32C and JSON. The checksum is over the record's
// place (bucket and key) too, so that a value under another's key is damage.
const (
	recordVersion = 1
	recordHead    = 5
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errDamaged = errors.New("the file is damaged")
	errRecord  = errors.New("the record is damaged")
)

// seal writes a value as a record.
func seal(bucket, key string, v any) ([]byte, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("client state: %w", err)
	}
	out := make([]byte, recordHead, recordHead+len(body))
	out[0] = recordVersion
	binary.BigEndian.PutUint32(out[1:], checksum(bucket, key, body))
	return append(out, body...), nil
}

// open gives a record's JSON.
func open(bucket, key string, record []byte) ([]byte, error) {
	if len(record) < recordHead || record[0] != recordVersion {
		return nil, errRecord
	}
	body := record[recordHead:]
	if checksum(bucket, key, body) != binary.BigEndian.Uint32(record[1:]) {
		return nil, errRecord
	}
	return body, nil
}

func checksum(bucket, key string, body []byte) uint32 {
	sum := crc32.Update(0, castagnoli, []byte(bucket))
	sum = crc32.Update(sum, castagnoli, []byte(key))
	return crc32.Update(sum, castagnoli, body)
}

// caught turns a panic, also one for a page that is not there (the file was cut
// off under its mapping), into errDamaged. It must be deferred directly.
func caught(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v", errDamaged, p)
	}
}

// closeQuietly closes a file that is damaged, on its own goroutine's risk only.
func closeQuietly(db *bolt.DB) {
	if db == nil {
		return
	}
	var err error
	defer caught(&err)
	_ = db.Close()
}

// faults makes a missing page a panic rather than the end of the process, for
// the calling goroutine, until the returned function is called.
func faults() func() {
	old := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(old) }
}
