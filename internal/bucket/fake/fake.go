// Package fake is an s3-compatible store in memory, for tests: one bucket,
// requests with AWS's signature version 4 that it works out by itself, writes
// with conditions, listings in pages. It is no part of the program.
package fake

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Store is the fake. Its fields are set before the first request.
type Store struct {
	Bucket, Region string
	ID, Secret     string
	PageSize       int
	// Unconditional makes it ignore conditions, as old stores do.
	Unconditional bool
	// Fail, when it is not nil, may answer a request in the store's place.
	Fail func(r *http.Request) (status int, code string)

	mu      sync.Mutex
	objects map[string][]byte
	writes  int
	refused []string
}

// Start serves the store on loopback; the address is that of the server.
func Start(s *Store) *httptest.Server {
	s.objects = map[string][]byte{}
	if s.PageSize == 0 {
		s.PageSize = 1000
	}
	return httptest.NewServer(s)
}

// Objects gives the keys that are there, in their order.
func (s *Store) Objects() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []string{}
	for k := range s.objects {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Object gives an object.
func (s *Store) Object(key string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.objects[key])
}

// Set writes an object as another client would.
func (s *Store) Set(key string, body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[key] = body
}

// Refused tells which requests had a wrong signature.
func (s *Store) Refused() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.refused)
}

// ServeHTTP answers as S3 does.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, 400, "IncompleteBody")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Fail != nil {
		if status, code := s.Fail(r); status != 0 {
			refuse(w, status, code)
			return
		}
	}
	if why := s.signature(r, body); why != "" {
		s.refused = append(s.refused, r.Method+" "+r.URL.String()+": "+why)
		refuse(w, 403, "SignatureDoesNotMatch")
		return
	}
	key, ok := strings.CutPrefix(r.URL.Path, "/"+s.Bucket)
	if !ok || key != "" && key[0] != '/' {
		refuse(w, 404, "NoSuchBucket")
		return
	}
	s.answer(w, r, strings.TrimPrefix(key, "/"), body)
}

func (s *Store) answer(w http.ResponseWriter, r *http.Request, key string, body []byte) {
	old, there := s.objects[key]
	switch {
	case key == "" && r.Method == http.MethodGet:
		s.list(w, r)
	case r.Method == http.MethodPut:
		if !s.Unconditional && (r.Header.Get("If-None-Match") == "*" && there || r.Header.Get("If-Match") != "" && (!there || r.Header.Get("If-Match") != tag(old))) {
			refuse(w, 412, "PreconditionFailed")
			return
		}
		s.objects[key] = body
		s.writes++
		w.Header().Set("ETag", tag(body))
	case r.Method == http.MethodGet && there:
		w.Header().Set("ETag", tag(old))
		_, _ = w.Write(old)
	case r.Method == http.MethodDelete:
		delete(s.objects, key)
		w.WriteHeader(204)
	default:
		refuse(w, 404, "NoSuchKey")
	}
}

func (s *Store) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	var keys []string
	for k := range s.objects {
		if strings.HasPrefix(k, q.Get("prefix")) && k > q.Get("continuation-token") {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	type content struct{ Key string }
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []content
	}
	if len(keys) > s.PageSize {
		keys = keys[:s.PageSize]
		page.IsTruncated, page.NextContinuationToken = true, keys[len(keys)-1]
	}
	for _, k := range keys {
		page.Contents = append(page.Contents, content{k})
	}
	_ = xml.NewEncoder(w).Encode(page)
}

func tag(body []byte) string {
	sum := sha256.Sum256(body)
	return strconv.Quote(hex.EncodeToString(sum[:16]))
}

func refuse(w http.ResponseWriter, status int, code string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", code)
}

// signature works out the signature of a request (AWS, "Signature Version 4
// signing process") and says what is wrong with the one it has; "" for nothing.
func (s *Store) signature(r *http.Request, body []byte) string {
	fields := map[string]string{}
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return "no signature"
	}
	for part := range strings.SplitSeq(auth, ",") {
		k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[k] = v
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 15*time.Minute {
		return "date"
	}
	sum := sha256.Sum256(body)
	digest := hex.EncodeToString(sum[:])
	if r.Header.Get("X-Amz-Content-Sha256") != digest {
		return "digest of the body"
	}
	scope := strings.Join([]string{at.Format("20060102"), s.Region, "s3", "aws4_request"}, "/")
	if fields["Credential"] != s.ID+"/"+scope {
		return "credential " + fields["Credential"]
	}
	names := strings.Split(fields["SignedHeaders"], ";")
	if !slices.Contains(names, "host") || !slices.Contains(names, "x-amz-date") || !slices.Contains(names, "x-amz-content-sha256") {
		return "headers " + fields["SignedHeaders"]
	}
	var headers strings.Builder
	for _, n := range names {
		v := r.Header.Get(n)
		switch n {
		case "host":
			v = r.Host
		case "content-length":
			v = strconv.FormatInt(r.ContentLength, 10)
		}
		headers.WriteString(n + ":" + strings.TrimSpace(v) + "\n")
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"), headers.String(), fields["SignedHeaders"], digest}, "\n")
	hash := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(hash[:])}, "\n")
	key := []byte("AWS4" + s.Secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = mac(key, part)
	}
	if want := hex.EncodeToString(mac(key, text)); fields["Signature"] != want {
		return "signature"
	}
	return ""
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
