package bucket

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seraihq/serai/internal/pattern"
)

var (
	// ErrNotFound is the kind of error for an object that is not there.
	ErrNotFound = errors.New("no such object")
	// ErrCondition is the kind of error for a write whose condition does not hold.
	ErrCondition = errors.New("the object was changed by somebody else")
)

// MaxObject is the size that one request can store, in bytes.
const MaxObject = 5 << 30

const (
	maxAnswer = 8 << 20 // of a listing, an error or a small object
	maxPages  = 1000    // of a listing
	noise     = 2 * time.Minute
)

// Config says which bucket, and how to reach it.
type Config struct {
	Bucket   string
	Region   string // "us-east-1" when empty
	Endpoint string // "https://HOST[:PORT]"; Amazon's of the region when empty
	// PlainHTTP allows an endpoint without TLS that is not on this machine.
	PlainHTTP bool
	// Keys gives the credentials of a request; it is asked each time, so that
	// they can be changed while the program runs.
	Keys func() (Keys, error)
}

// Keys sign requests. They are never part of an error or a log.
type Keys struct {
	ID, Secret string
	Session    string // of temporary keys
}

// Bucket is a bucket of a store.
type Bucket struct {
	at     *url.URL // its path ends without a slash
	region string
	keys   func() (Keys, error)
	http   *http.Client
	signer *v4.Signer
}

var (
	bucketName = pattern.New(`^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`)
	regionName = pattern.New(`^[a-z0-9-]{1,40}$`)
	keyName    = pattern.New(`^[A-Za-z0-9._=-]+(/[A-Za-z0-9._=-]+)*$`)
)

// ValidKey says whether a name can be the key of an object here.
func ValidKey(key string) bool {
	return len(key) <= 512 && keyName.MatchString(key) && path.Clean("/"+key) == "/"+key
}

// Open checks the configuration; it sends nothing.
func Open(c Config) (*Bucket, error) {
	if !bucketName.MatchString(c.Bucket) {
		return nil, fmt.Errorf("s3: bucket %q is no name of a bucket: 3 to 63 small letters, digits, dots and dashes", c.Bucket)
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if !regionName.MatchString(c.Region) {
		return nil, fmt.Errorf("s3: region %q is no name of a region", c.Region)
	}
	if c.Endpoint == "" {
		c.Endpoint = "https://s3." + c.Region + ".amazonaws.com"
	}
	u, err := url.Parse(c.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("s3: write the endpoint as https://HOST or https://HOST:PORT, without keys in it")
	case u.Scheme == "http" && !c.PlainHTTP && !onLoopback(u.Hostname()):
		return nil, fmt.Errorf("s3: endpoint http://%s is not encrypted: whoever is on the way reads the snapshots; use https, or allow it with plain_http", u.Host)
	}
	return &Bucket{
		at: &url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/" + c.Bucket}, region: c.Region, keys: c.Keys,
		http: &http.Client{
			// A redirect would carry the object elsewhere, or the signature.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: noise,
				MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute,
			},
		},
		signer: v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }),
	}, nil
}

func onLoopback(host string) bool {
	return host == "localhost" || host == "::1" || strings.HasPrefix(host, "127.")
}

// String names the bucket, without keys.
func (b *Bucket) String() string { return "s3 " + b.at.String() }

// Condition is what must hold for a write; the zero value: nothing.
type Condition struct {
	Absent bool   // the object is not there
	Tag    string // the object has still this tag
}

// Put writes an object, whole or not at all, and gives its tag. digest is the
// SHA-256 of the body.
func (b *Bucket) Put(ctx context.Context, key string, body io.Reader, size int64, digest [32]byte, cond Condition) (tag string, err error) {
	if size > MaxObject {
		return "", fmt.Errorf("s3: put %s: %d bytes are more than the %d that one request can store", key, size, int64(MaxObject))
	}
	header := http.Header{}
	if cond.Absent {
		header.Set("If-None-Match", "*")
	}
	if cond.Tag != "" {
		header.Set("If-Match", cond.Tag)
	}
	resp, err := b.send(ctx, http.MethodPut, key, nil, header, io.NopCloser(body), size, digest)
	if err != nil {
		return "", fmt.Errorf("s3: put %s: %w", key, err)
	}
	resp.Body.Close()
	return resp.Header.Get("ETag"), nil
}

// PutBytes is Put for a small object.
func (b *Bucket) PutBytes(ctx context.Context, key string, body []byte, cond Condition) (tag string, err error) {
	return b.Put(ctx, key, strings.NewReader(string(body)), int64(len(body)), sha256.Sum256(body), cond)
}

// GetBytes reads a small object and its tag.
func (b *Bucket) GetBytes(ctx context.Context, key string) (body []byte, tag string, err error) {
	resp, err := b.send(ctx, http.MethodGet, key, nil, nil, nil, 0, sha256.Sum256(nil))
	if err != nil {
		return nil, "", fmt.Errorf("s3: get %s: %w", key, err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, "", fmt.Errorf("s3: get %s: %w", key, err)
	}
	return body, resp.Header.Get("ETag"), nil
}

// Delete removes an object; one that is not there is no error.
func (b *Bucket) Delete(ctx context.Context, key string) error {
	resp, err := b.send(ctx, http.MethodDelete, key, nil, nil, nil, 0, sha256.Sum256(nil))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("s3: delete %s: %w", key, err)
	}
	resp.Body.Close()
	return nil
}

// page is one page of a listing.
type page struct {
	IsTruncated           bool
	NextContinuationToken string
	Contents              []struct{ Key string }
}

// List gives the keys that begin with prefix, in their order.
func (b *Bucket) List(ctx context.Context, prefix string) ([]string, error) {
	var out []string
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	for range maxPages {
		p, err := b.page(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("s3: list %q: %w", prefix, err)
		}
		for _, c := range p.Contents {
			if strings.HasPrefix(c.Key, prefix) && ValidKey(c.Key) {
				out = append(out, c.Key)
			}
		}
		if !p.IsTruncated || p.NextContinuationToken == "" {
			return out, nil
		}
		query.Set("continuation-token", p.NextContinuationToken)
	}
	return nil, fmt.Errorf("s3: list %q: more than %d pages; give the snapshots a prefix of their own", prefix, maxPages)
}

func (b *Bucket) page(ctx context.Context, query url.Values) (*page, error) {
	resp, err := b.send(ctx, http.MethodGet, "", query, nil, nil, 0, sha256.Sum256(nil))
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var p page
	if err := xml.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&p); err != nil {
		return nil, fmt.Errorf("the listing cannot be read: %w", err)
	}
	return &p, nil
}

// send signs and sends a request; an answer that is no success is an error.
func (b *Bucket) send(ctx context.Context, method, key string, query url.Values, header http.Header, body io.ReadCloser, size int64, digest [32]byte) (*http.Response, error) {
	if key != "" && !ValidKey(key) {
		return nil, fmt.Errorf("%q is no key of this program", key)
	}
	u := *b.at
	if key != "" {
		u.Path += "/" + key
	}
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if size > 0 {
		req.ContentLength = size
	}
	for k, v := range header {
		req.Header[k] = v
	}
	keys, err := b.keys()
	if err != nil {
		return nil, err
	}
	hash := hex.EncodeToString(digest[:])
	req.Header.Set("X-Amz-Content-Sha256", hash)
	creds := aws.Credentials{AccessKeyID: keys.ID, SecretAccessKey: keys.Secret, SessionToken: keys.Session}
	if err := b.signer.SignHTTP(ctx, creds, req, hash, "s3", b.region, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	resp, err := b.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // the address may hold a token of the listing
		}
		return nil, fmt.Errorf("%s: %w", b.at.Host, err)
	}
	if resp.StatusCode/100 == 2 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, refusal(resp)
}

// refusal is the error of an answer that is no success.
func refusal(resp *http.Response) error {
	var e struct{ Code string }
	code := ""
	if xml.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&e) == nil && errorCode.MatchString(e.Code) {
		code = ": " + e.Code
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		if e.Code != "NoSuchBucket" {
			return ErrNotFound
		}
		return errors.New("the store has no such bucket: make it first")
	case http.StatusPreconditionFailed, http.StatusConflict:
		return ErrCondition
	case http.StatusForbidden, http.StatusUnauthorized:
		return fmt.Errorf("the store refuses the keys%s; look at their rights (s3:PutObject, s3:GetObject, s3:ListBucket, s3:DeleteObject) and at the clock", code)
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return fmt.Errorf("the store sends elsewhere%s: name the bucket's own region", code)
	}
	return fmt.Errorf("the store answers %s%s", strconv.Itoa(resp.StatusCode), code)
}

var errorCode = pattern.New(`^[A-Za-z0-9.]{1,64}$`)
