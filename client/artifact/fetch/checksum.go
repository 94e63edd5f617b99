package fetch

import (
	"bufio"
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/seraihq/serai/internal/pattern"
)

// maxSums bounds a file of checksums.
const maxSums = 1 << 20

var sums = map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New}

// sumOfLength tells the type of a checksum by its length in bytes.
var sumOfLength = map[int]string{md5.Size: "md5", sha1.Size: "sha1", sha256.Size: "sha256", sha512.Size: "sha512"}

// Sum is a checksum.
type Sum struct {
	Type  string
	Value []byte
}

// ParseSum reads "sha256:…" and a bare value, whose length tells its type.
func ParseSum(text string) (Sum, bool) {
	kind, value, found := strings.Cut(strings.TrimSpace(text), ":")
	if !found {
		kind, value = "", kind
	}
	raw, err := hex.DecodeString(strings.TrimSpace(value))
	if err != nil {
		return Sum{}, false
	}
	byLength := sumOfLength[len(raw)]
	kind = strings.ToLower(strings.TrimSpace(kind))
	if byLength == "" || kind != "" && kind != byLength {
		return Sum{}, false
	}
	return Sum{byLength, raw}, true
}

// verify compares a file with the checksum of the order.
func (f *fetcher) verify(ctx context.Context, file string) error {
	if f.Checksum == "" {
		return nil
	}
	want, err := f.sum(ctx)
	if err != nil {
		return err
	}
	from, err := os.Open(file)
	if err != nil {
		return err
	}
	defer from.Close()
	h := sums[want.Type]()
	if _, err := io.Copy(h, from); err != nil {
		return err
	}
	if got := h.Sum(nil); subtle.ConstantTimeCompare(got, want.Value) != 1 {
		return &mismatch{want, got}
	}
	return nil
}

// mismatch may go away: a mirror can be caught between two versions.
type mismatch struct {
	want Sum
	got  []byte
}

func (m *mismatch) Error() string {
	return "its " + m.want.Type + " checksum is " + hex.EncodeToString(m.got) + " and should be " + hex.EncodeToString(m.want.Value)
}

func (f *fetcher) sum(ctx context.Context) (Sum, error) {
	address, isFile := strings.CutPrefix(f.Checksum, "file:")
	if !isFile {
		s, ok := ParseSum(f.Checksum)
		if !ok {
			return s, invalid("checksum %.100q: write it like \"sha256:…\" with md5, sha1, sha256 or sha512 in hexadecimal, or \"file:URL\"", f.Checksum)
		}
		return s, nil
	}
	address, err := f.resolve(address)
	if err != nil {
		return Sum{}, err
	}
	file := path.Join(tempDir, "sums")
	side := &fetcher{Order: &Order{URL: address, Insecure: f.Insecure, Limits: f.Limits}, left: maxSums}
	side.Limits.Bytes = maxSums
	if sameHost(f.URL, address) {
		side.Headers = f.Headers
	}
	if err := side.get(ctx, address, file); err != nil {
		return Sum{}, err
	}
	text, err := os.Open(file)
	if err != nil {
		return Sum{}, err
	}
	defer text.Close()
	u, err := url.Parse(f.URL)
	if err != nil {
		return Sum{}, invalid("the address cannot be read")
	}
	return findSum(text, path.Base(u.Path))
}

func sameHost(a, b string) bool {
	x, err1 := url.Parse(a)
	y, err2 := url.Parse(b)
	return err1 == nil && err2 == nil && x.Scheme == y.Scheme && x.Host == y.Host
}

var bsdSum = pattern.New(`^(MD5|SHA1|SHA256|SHA512) \((.+)\) = ([0-9a-fA-F]+)$`)

// findSum looks a file up in the output of sha256sum and its like, also in the
// form of the BSDs; a file of one bare value is for whatever there is.
func findSum(r io.Reader, name string) (Sum, error) {
	var bare []Sum
	lines := bufio.NewScanner(io.LimitReader(r, maxSums))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if m := bsdSum.FindStringSubmatch(line); m != nil {
			if s, ok := ParseSum(m[1] + ":" + m[3]); ok && path.Base(m[2]) == name {
				return s, nil
			}
			continue
		}
		value, of, _ := strings.Cut(line, " ")
		s, ok := ParseSum(value)
		if !ok {
			continue
		}
		of = strings.TrimPrefix(strings.TrimSpace(of), "*")
		if of == "" {
			bare = append(bare, s)
		} else if path.Base(of) == name {
			return s, nil
		}
	}
	if err := lines.Err(); err != nil {
		return Sum{}, invalid("the file of checksums cannot be read: %v", err)
	}
	if len(bare) == 1 {
		return bare[0], nil
	}
	return Sum{}, invalid("the file of checksums has none for %q", name)
}
