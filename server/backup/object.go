package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seraihq/serai/internal/bucket"
)

// lease is how long a writer may work before others take it for dead.
const lease = 15 * time.Minute

// Objects keeps snapshots in a bucket, under a prefix.
type Objects struct {
	bucket *bucket.Bucket
	prefix string // "" or with a slash at its end
	holder string
	now    func() time.Time
	locked atomic.Bool // by this process: the store cannot tell one holder from itself
}

// NewObjects takes a bucket, a prefix and the name under which this process
// holds the lock, which no other process has.
func NewObjects(b *bucket.Bucket, prefix, holder string) (*Objects, error) {
	prefix = strings.Trim(prefix, "/")
	if prefix != "" {
		if !bucket.ValidKey(prefix) {
			return nil, fmt.Errorf("s3: prefix %q: letters, digits, dots, dashes, underscores and slashes only", prefix)
		}
		prefix += "/"
	}
	return &Objects{bucket: b, prefix: prefix, holder: holder, now: time.Now}, nil
}

// String names the bucket and the prefix.
func (o *Objects) String() string { return o.bucket.String() + "/" + o.prefix }

// claim is what the object of the lock holds.
type claim struct {
	Holder string
	Until  time.Time
}

func (o *Objects) lockKey() string { return o.prefix + "serai-snapshot.lock" }

// Lock writes an object on the condition that it is not there, or that it is
// still the one whose time was over, or that an earlier process of this name
// left. Stores that do not know conditions are found out by reading it again:
// there the lock is best effort.
func (o *Objects) Lock(ctx context.Context) (func(), error) {
	if !o.locked.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("lock %s: %w (%s, here)", o, ErrBusy, o.holder)
	}
	mine, err := o.claim(ctx)
	if err != nil {
		o.locked.Store(false)
		return nil, fmt.Errorf("lock %s: %w", o, err)
	}
	return func() {
		defer o.locked.Store(false)
		// Also when the work was given up: the next one need not wait for the lease.
		done, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		// One that took longer than its lease leaves the lock to who has it now.
		if body, _, err := o.bucket.GetBytes(done, o.lockKey()); err == nil && string(body) == mine {
			_ = o.bucket.Delete(done, o.lockKey())
		}
	}, nil
}

// claim writes the object of the lock, and gives what it holds.
func (o *Objects) claim(ctx context.Context) (string, error) {
	body, tag, err := o.bucket.GetBytes(ctx, o.lockKey())
	cond := bucket.Condition{Tag: tag}
	switch {
	case errors.Is(err, bucket.ErrNotFound):
		cond = bucket.Condition{Absent: true}
	case err != nil:
		return "", err
	default:
		var c claim
		// What cannot be read is nobody's claim.
		if json.Unmarshal(body, &c) == nil && c.Holder != o.holder && o.now().Before(c.Until) {
			return "", fmt.Errorf("%w (%s, until %s)", ErrBusy, c.Holder, c.Until.Format(time.RFC3339))
		}
	}
	mine, err := json.Marshal(claim{o.holder, o.now().Add(lease).UTC()})
	if err != nil {
		return "", err
	}
	if _, err := o.bucket.PutBytes(ctx, o.lockKey(), mine, cond); errors.Is(err, bucket.ErrCondition) {
		return "", ErrBusy
	} else if err != nil {
		return "", err
	}
	if body, _, err = o.bucket.GetBytes(ctx, o.lockKey()); err != nil || string(body) != string(mine) {
		return "", errors.Join(ErrBusy, err)
	}
	return string(mine), nil
}

// Names lists what is below the prefix.
func (o *Objects) Names(ctx context.Context) ([]string, error) {
	keys, err := o.bucket.List(ctx, o.prefix)
	if err != nil {
		return nil, err
	}
	for i, k := range keys {
		keys[i] = strings.TrimPrefix(k, o.prefix)
	}
	return keys, nil
}

// Put stores an object in one request.
func (o *Objects) Put(ctx context.Context, name string, content io.ReadSeeker, size int64, digest [32]byte) error {
	_, err := o.bucket.Put(ctx, o.prefix+name, content, size, digest, bucket.Condition{})
	return err
}

// Remove deletes an object.
func (o *Objects) Remove(ctx context.Context, name string) error {
	return o.bucket.Delete(ctx, o.prefix+name)
}
