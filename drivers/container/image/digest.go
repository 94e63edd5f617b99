package image

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"
)

// digest is the SHA-256 of something, in lower-case hex. It is made by
// parseDigest or by hashing only, so that it is safe as a file name.
type digest string

// parseDigest reads "sha256:…". Other algorithms are refused: nothing in the
// field uses them for images.
func parseDigest(s string) (digest, error) {
	h, ok := strings.CutPrefix(s, "sha256:")
	if !ok {
		return "", fmt.Errorf("digest %.100q: only sha256 is supported: %w", s, ErrCorrupt)
	}
	if len(h) != sha256.Size*2 || strings.Trim(h, "0123456789abcdef") != "" {
		return "", fmt.Errorf("digest %.100q is not sha256: and 64 lower-case hexadecimal digits: %w", s, ErrCorrupt)
	}
	return digest(h), nil
}

func digestOf(b []byte) digest {
	sum := sha256.Sum256(b)
	return digest(hex.EncodeToString(sum[:]))
}

func (d digest) String() string {
	if d == "" {
		return ""
	}
	return "sha256:" + string(d)
}

// checkedReader passes bytes on and fails at their end when they were not those
// that digest and size promise. size -1 is unknown; more than limit never pass.
type checkedReader struct {
	r     io.Reader
	what  string
	want  digest
	size  int64
	limit int64
	n     int64
	hash  hash.Hash
}

func checked(r io.Reader, what string, want digest, size, limit int64) *checkedReader {
	return &checkedReader{r: r, what: what, want: want, size: size, limit: limit, hash: sha256.New()}
}

func (c *checkedReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.hash.Write(p[:n])
	switch {
	case c.n > c.limit:
		return 0, fmt.Errorf("%s %s is larger than the limit of %d bytes: %w", c.what, c.want, c.limit, ErrTooLarge)
	case c.size >= 0 && c.n > c.size:
		return 0, fmt.Errorf("%s %s is larger than the %d bytes that its manifest tells: %w", c.what, c.want, c.size, ErrCorrupt)
	case err == io.EOF:
		return n, c.verdict()
	}
	return n, err
}

// verdict is io.EOF when all is right.
func (c *checkedReader) verdict() error {
	if c.size >= 0 && c.n != c.size {
		return fmt.Errorf("%s %s ends after %d of %d bytes: %w", c.what, c.want, c.n, c.size, ErrCorrupt)
	}
	if got := digest(hex.EncodeToString(c.hash.Sum(nil))); got != c.want {
		return fmt.Errorf("%s is %s, expected %s: %w", c.what, got, c.want, ErrCorrupt)
	}
	return io.EOF
}

// drain reads what is left, so that the end is checked.
func drain(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}
