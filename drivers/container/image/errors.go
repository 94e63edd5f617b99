package image

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Kinds of errors. Compare with errors.Is.
var (
	// ErrInvalid: the reference or the request cannot be right as it is written.
	ErrInvalid = errors.New("invalid image request")
	// ErrNotFound: there is no such image where it was looked for.
	ErrNotFound = errors.New("image not found")
	// ErrDenied: the registry does not let us have it, or the store's configuration does not.
	ErrDenied = errors.New("access denied")
	// ErrPlatform: there is no variant of the image for this platform.
	ErrPlatform = errors.New("image is not for this platform")
	// ErrCorrupt: bytes are not those that their digest or size promises.
	ErrCorrupt = errors.New("image content does not match its digest")
	// ErrTooLarge: the image is beyond the store's limits.
	ErrTooLarge = errors.New("image is too large")
	// ErrHostile: a layer has something in it that cannot be unpacked safely.
	ErrHostile = errors.New("layer cannot be unpacked safely")
	// ErrNoSpace: the node's disk is full.
	ErrNoSpace = errors.New("no space left for images")
	// ErrStalled: the registry stopped sending.
	ErrStalled = errors.New("registry stopped sending")
	// ErrUnavailable: the registry could not be reached, or failed.
	ErrUnavailable = errors.New("registry is unavailable")
)

// Recoverable is whether err, from Acquire, may go away by itself.
func Recoverable(err error) bool {
	for _, kind := range []error{ErrNoSpace, ErrStalled, ErrUnavailable, context.DeadlineExceeded} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// kind marks err as one of the kinds above, keeping its own chain too.
func kind(kind, err error) error {
	if err == nil || errors.Is(err, kind) {
		return err
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// diskKind marks what the system says about a full disk.
func diskKind(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return kind(ErrNoSpace, err)
	}
	return err
}
