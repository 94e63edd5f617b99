package store

import "bytes"

// PutNetwork keeps what an allocation's network is made of.
func (s *Store) PutNetwork(allocID string, record any) error {
	b := s.Batch()
	b.put(bucketNetworks, allocID, record)
	return b.Write()
}

// DeleteNetwork forgets it.
func (s *Store) DeleteNetwork(allocID string) error {
	b := s.Batch()
	b.delete(bucketNetworks, allocID)
	return b.Write()
}

// Networks gives all that PutNetwork kept, as JSON, by allocation.
func (s *Store) Networks() (map[string][]byte, error) {
	out := map[string][]byte{}
	s.file.RLock()
	defer s.file.RUnlock()
	err := walk(s.db, func(bucket string, key, value []byte) {
		if bucket != bucketNetworks {
			return
		}
		if body, err := open(bucket, string(key), value); err == nil {
			out[string(key)] = bytes.Clone(body)
		}
	})
	return out, wrap(err)
}
