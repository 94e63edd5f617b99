package store

import (
	"encoding/json"
	"fmt"
	"strings"

	bolt "go.etcd.io/bbolt"

	"github.com/seraihq/serai/api"
)

// Saved is all that was kept of one allocation. Runner and Tasks are what the
// allocation's runner wrote, as JSON; nil where it did not.
type Saved struct {
	Alloc  *api.Allocation
	Runner json.RawMessage
	Tasks  map[string]json.RawMessage
}

// Batch collects writes that become visible together.
type Batch struct {
	store *Store
	ops   []op
	err   error
}

// Batch starts a set of writes.
func (s *Store) Batch() *Batch { return &Batch{store: s} }

// Write writes the set. It is empty afterwards.
func (b *Batch) Write() error {
	ops, err := b.ops, b.err
	b.ops, b.err = nil, nil
	if err != nil {
		return err
	}
	return b.store.apply(ops)
}

func (b *Batch) put(bucket, key string, v any) {
	record, err := seal(bucket, key, v)
	if err != nil {
		b.err = err
		return
	}
	b.ops = append(b.ops, op{bucket: bucket, key: key, value: record})
}

func (b *Batch) delete(bucket, key string) {
	b.ops = append(b.ops, op{bucket: bucket, key: key})
}

// jobKey names a version of a job as allocations refer to it.
func jobKey(j *api.Job) string {
	return fmt.Sprintf("%s\x00%s\x00%d\x00%d", j.Namespace, j.ID, j.Version, j.JobModifyIndex)
}

// allocRecord is an allocation without its job, which it shares with others.
type allocRecord struct {
	Job   string
	Alloc *api.Allocation
}

// PutAlloc keeps an allocation as the servers sent it, and its job once for all
// that have the same.
func (b *Batch) PutAlloc(a *api.Allocation) {
	record := allocRecord{Alloc: a}
	if a.Job != nil {
		record.Job = jobKey(a.Job)
		if b.store.refer(a.ID, record.Job, b) {
			b.put(bucketJobs, record.Job, a.Job)
		}
		bare := *a
		bare.Job = nil
		record.Alloc = &bare
	}
	b.put(bucketAllocs, a.ID, record)
}

// DeleteAlloc forgets an allocation and all that belongs to it.
func (b *Batch) DeleteAlloc(id string, tasks []string) {
	b.store.refer(id, "", b)
	b.delete(bucketAllocs, id)
	b.delete(bucketRunners, id)
	for _, task := range tasks {
		b.delete(bucketTasks, id+"/"+task)
	}
}

// PutRunner keeps the state of an allocation's runner.
func (b *Batch) PutRunner(id string, v any) { b.put(bucketRunners, id, v) }

// PutTask keeps the state of a task's runner.
func (b *Batch) PutTask(id, task string, v any) { b.put(bucketTasks, id+"/"+task, v) }

// refer notes which job an allocation has (empty: none any more), deletes the
// one that nobody has any more, and says whether the new one must be written.
func (s *Store) refer(alloc, job string, b *Batch) (isNew bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.jobs[alloc]
	if old == job {
		return false
	}
	if old != "" {
		if s.jobCounts[old]--; s.jobCounts[old] == 0 {
			delete(s.jobCounts, old)
			b.delete(bucketJobs, old)
		}
	}
	if job == "" {
		delete(s.jobs, alloc)
		return false
	}
	s.jobs[alloc] = job
	s.jobCounts[job]++
	return s.jobCounts[job] == 1
}

// Allocs gives all that is kept of allocations. One without its job is dropped.
func (s *Store) Allocs() ([]Saved, error) {
	l := loader{store: s, jobs: map[string]*api.Job{}, byID: map[string]*Saved{}}
	s.file.RLock()
	err := walk(s.db, l.visit)
	s.file.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("client state: %w", err)
	}
	drop := s.Batch()
	out := make([]Saved, 0, len(l.records))
	for _, r := range l.records {
		saved := l.byID[r.Alloc.ID]
		if r.Job != "" {
			r.Alloc.Job = l.jobs[r.Job]
		}
		if r.Alloc.Job == nil {
			s.logger.Warn("an allocation of the client state has lost its job and is dropped", "alloc_id", r.Alloc.ID)
			drop.DeleteAlloc(r.Alloc.ID, keys(saved.Tasks))
			continue
		}
		s.refer(r.Alloc.ID, r.Job, drop)
		saved.Alloc = r.Alloc
		out = append(out, *saved)
	}
	for key := range l.jobs {
		s.mu.Lock()
		unused := s.jobCounts[key] == 0
		s.mu.Unlock()
		if unused {
			drop.delete(bucketJobs, key)
		}
	}
	return out, drop.Write()
}

// loader gathers records of several buckets by allocation.
type loader struct {
	store   *Store
	jobs    map[string]*api.Job
	records []allocRecord
	byID    map[string]*Saved
}

func (l *loader) saved(id string) *Saved {
	s := l.byID[id]
	if s == nil {
		s = &Saved{Tasks: map[string]json.RawMessage{}}
		l.byID[id] = s
	}
	return s
}

func (l *loader) visit(bucket string, key, value []byte) {
	body, err := open(bucket, string(key), value)
	if err != nil {
		return // told and dropped when the file was opened
	}
	switch bucket {
	case bucketJobs:
		j := &api.Job{}
		if err = json.Unmarshal(body, j); err == nil {
			l.jobs[string(key)] = j
		}
	case bucketAllocs:
		var r allocRecord
		if err = json.Unmarshal(body, &r); err == nil && r.Alloc != nil {
			r.Alloc.ID = string(key)
			l.saved(r.Alloc.ID)
			l.records = append(l.records, r)
		}
	case bucketRunners:
		l.saved(string(key)).Runner = append(json.RawMessage(nil), body...)
	case bucketTasks:
		if id, task, ok := strings.Cut(string(key), "/"); ok {
			l.saved(id).Tasks[task] = append(json.RawMessage(nil), body...)
		}
	}
	if err != nil {
		l.store.logger.Warn("a record of the client state cannot be read and is dropped", "bucket", bucket, "key", string(key), "err", err)
	}
}

func keys(m map[string]json.RawMessage) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// get reads one record; false when there is none that can be read.
func (s *Store) get(bucket, key string, v any) (ok bool, err error) {
	s.file.RLock()
	defer s.file.RUnlock()
	defer caught(&err)
	defer faults()()
	err = s.db.View(func(tx *bolt.Tx) error {
		body, err := open(bucket, key, tx.Bucket([]byte(bucket)).Get([]byte(key)))
		if err != nil {
			return nil
		}
		ok = json.Unmarshal(body, v) == nil
		return nil
	})
	return ok, err
}
