package fetch

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
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/seraihq/serai/internal/pattern"
)

const (
	defaultRegion = "us-east-1"
	maxListing    = 8 << 20 // one page of a listing
	maxPages      = 1000
)

var errNoObject = errors.New("the server answers 404 Not Found")

// awsHost takes the hosts of Amazon's own service apart: [bucket.]s3[.-region].amazonaws.com.
var awsHost = pattern.New(`^(?:(.+)\.)?s3(?:[.-]([a-z0-9-]+))?\.amazonaws\.com(?:\.cn)?$`)

// object is a place in a store: the address of a bucket, and a key in it.
type object struct {
	bucket *url.URL // its path ends without a slash
	key    string
	region string
}

// parseObject finds bucket, key and region in an address. Servers other than
// Amazon's have the bucket in the path.
func parseObject(address string) (object, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return object{}, invalid("the s3 address cannot be read: write it like s3::https://s3.REGION.amazonaws.com/BUCKET/KEY")
	}
	o := object{bucket: &url.URL{Scheme: u.Scheme, Host: u.Host}, key: strings.TrimPrefix(u.Path, "/")}
	name := ""
	if m := awsHost.FindStringSubmatch(u.Hostname()); m != nil {
		name, o.region = m[1], m[2]
	}
	if name == "" {
		var found bool
		name, o.key, found = strings.Cut(o.key, "/")
		if !found || name == "" {
			return object{}, invalid("the s3 address names no bucket and key: write it like s3::https://HOST/BUCKET/KEY")
		}
		o.bucket.Path = "/" + name
	}
	if o.key == "" {
		return object{}, invalid("the s3 address names no key")
	}
	return o, nil
}

// s3 fetches an object, or all those below a prefix.
func (f *fetcher) s3(ctx context.Context) error {
	o, err := parseObject(f.URL)
	if err != nil {
		return err
	}
	if f.Region != "" {
		o.region = f.Region
	}
	file := path.Join(tempDir, "download")
	err = f.object(ctx, o, f.Version, file)
	if errors.Is(err, errNoObject) && f.Mode != ModeFile && f.Version == "" {
		return f.prefix(ctx, o)
	}
	if err != nil {
		return err
	}
	return f.finish(ctx, file)
}

// object downloads one object.
func (f *fetcher) object(ctx context.Context, o object, version, file string) error {
	query := url.Values{}
	if version != "" {
		query.Set("versionId", version)
	}
	var resp *http.Response
	body, stop, err := watchStall(ctx, f.Limits.Stall, func(ctx context.Context) (io.Reader, error) {
		var err error
		if resp, err = f.signed(ctx, o, o.key, query); err != nil {
			return nil, err
		}
		return resp.Body, nil
	})
	if err != nil {
		return err
	}
	defer stop()
	defer resp.Body.Close()
	return f.download(body, resp.ContentLength, file)
}

// signed sends a request that carries the order's signature, if it has keys.
func (f *fetcher) signed(ctx context.Context, o object, key string, query url.Values) (*http.Response, error) {
	u := *o.bucket
	u.Path, u.RawQuery = u.Path+"/"+key, query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, invalid("the s3 address makes no request")
	}
	if f.KeyID != "" {
		region := o.region
		if region == "" {
			region = defaultRegion
		}
		none := sha256.Sum256(nil)
		hash := hex.EncodeToString(none[:])
		req.Header.Set("X-Amz-Content-Sha256", hash)
		keys := aws.Credentials{AccessKeyID: f.KeyID, SecretAccessKey: f.Secret, SessionToken: f.Token}
		signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
		if err := signer.SignHTTP(ctx, keys, req, hash, "s3", region, time.Now()); err != nil {
			return nil, fmt.Errorf("sign the request: %w", err)
		}
	}
	resp, err := f.client(false).Do(req)
	if err != nil {
		return nil, err
	}
	switch {
	case resp.StatusCode == http.StatusOK:
		return resp, nil
	case resp.StatusCode == http.StatusNotFound:
		err = errNoObject
	case resp.StatusCode/100 == 3:
		err = invalid("the server redirects (%s): name the bucket's own region, with the option region and in the address", status(resp))
	default:
		err = fmt.Errorf("the server answers %s%s", status(resp), complaint(resp.Body))
	}
	resp.Body.Close()
	return nil, err
}

// complaint gives the code of a server's error, as ": AccessDenied".
func complaint(body io.Reader) string {
	var e struct{ Code string }
	if xml.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&e) != nil || len(e.Code) > maxRef || !refs.MatchString(e.Code) {
		return ""
	}
	return ": " + e.Code
}

// listing is a page of the objects of a bucket.
type listing struct {
	IsTruncated           bool
	NextContinuationToken string
	Contents              []struct{ Key string }
}

// prefix downloads all objects below a key.
func (f *fetcher) prefix(ctx context.Context, o object) error {
	if f.Checksum != "" {
		return invalid("a checksum is for files, and the address is that of a directory")
	}
	dir := ResultDir
	if f.Subdir != "" {
		dir = path.Join(tempDir, "tree")
	}
	below := strings.TrimSuffix(o.key, "/") + "/"
	query := url.Values{"list-type": {"2"}, "prefix": {below}}
	count := 0
	for range maxPages {
		page, err := f.list(ctx, o, query)
		if err != nil {
			return err
		}
		for _, c := range page.Contents {
			if count++; f.Limits.UnpackFiles > 0 && count > f.Limits.UnpackFiles {
				return tooLarge("the directory has more than %d files, the limit of the agent's configuration (decompression_file_count_limit)", f.Limits.UnpackFiles)
			}
			if err := f.below(ctx, o, c.Key, below, dir); err != nil {
				return err
			}
		}
		if !page.IsTruncated || page.NextContinuationToken == "" {
			break
		}
		query.Set("continuation-token", page.NextContinuationToken)
	}
	if count == 0 {
		return errNoObject
	}
	return f.choose(dir)
}

func (f *fetcher) list(ctx context.Context, o object, query url.Values) (*listing, error) {
	resp, err := f.signed(ctx, o, "", query)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var page listing
	if err := xml.NewDecoder(io.LimitReader(resp.Body, maxListing)).Decode(&page); err != nil {
		return nil, fmt.Errorf("the listing of the bucket cannot be read: %w", err)
	}
	return &page, nil
}

// below downloads one object of a listing, which is the server's word.
func (f *fetcher) below(ctx context.Context, o object, key, prefix, dir string) error {
	name, found := strings.CutPrefix(key, prefix)
	if !found || name == "" || strings.HasSuffix(name, "/") {
		return nil // markers of directories
	}
	if !filepath.IsLocal(name) || strings.Contains(name, `\`) || strings.Count(name, "/") >= maxDepth {
		return denied("the listing has an object %.200q, which lies outside of it", key)
	}
	file := path.Join(dir, name)
	if err := os.MkdirAll(path.Dir(file), 0o755); err != nil {
		return err
	}
	o.key = key
	return f.object(ctx, o, "", file)
}
