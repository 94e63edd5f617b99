package docker

import (
	"bytes"
	"errors"
	"time"
)

// stamped splits an entry into its time and its text.
func stamped(entry []byte) (time.Time, []byte, error) {
	stamp, text, ok := bytes.Cut(entry, []byte{' '})
	if !ok {
		return time.Time{}, nil, errors.New("an entry without a time: not the engine's protocol")
	}
	at, err := parseStamp(stamp)
	if err != nil {
		return time.Time{}, nil, errors.New("an entry without a time: not the engine's protocol")
	}
	return at, text, nil
}

// parseStamp reads a time; the engine writes all of them in one form, which is read without looking left and right.
func parseStamp(s []byte) (time.Time, error) {
	const form = "0000-00-00T00:00:00.000000000Z"
	if len(s) != len(form) {
		return time.Parse(time.RFC3339Nano, string(s))
	}
	var n [7]int
	field := 0
	for i := range form {
		switch digit := s[i] - '0'; {
		case form[i] != '0' && s[i] == form[i]:
			field++
		case form[i] == '0' && digit <= 9:
			n[field] = n[field]*10 + int(digit)
		default:
			return time.Parse(time.RFC3339Nano, string(s))
		}
	}
	return time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6], time.UTC), nil
}
