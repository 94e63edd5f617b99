package fetch

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"time"
)

// Bounds of a conversation with a server that may be hostile.
const (
	maxRedirects   = 10
	maxHeaderBytes = 256 << 10
	connectTime    = 30 * time.Second
	answerTime     = 2 * time.Minute // until the head of an answer is there
)

// client makes an HTTP client that follows redirects to http and https only,
// and takes the job's own headers to no other host than the first.
func (f *fetcher) client(redirect bool) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connectTime}).DialContext,
			TLSClientConfig:        &tls.Config{InsecureSkipVerify: f.Insecure, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    connectTime,
			ResponseHeaderTimeout:  answerTime,
			MaxResponseHeaderBytes: maxHeaderBytes,
			DisableCompression:     true, // the checksum is of what lies on the server
			DisableKeepAlives:      true,
		},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if !redirect {
				return http.ErrUseLastResponse
			}
			return f.follow(req, via)
		},
	}
}

func (f *fetcher) follow(req *http.Request, via []*http.Request) error {
	was := via[0].URL
	switch {
	case len(via) >= maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case req.URL.Scheme != "http" && req.URL.Scheme != "https":
		return denied("the server redirects to a %q address, which is not followed", req.URL.Scheme)
	case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http":
		return denied("the server redirects from https to http, which is not followed")
	}
	if req.URL.Host != was.Host || req.URL.Scheme != was.Scheme {
		for name := range f.Headers {
			req.Header.Del(name)
		}
		req.Header.Del("Authorization")
		req.Host = ""
	}
	req.Header.Del("Referer") // it would tell the query
	return nil
}

func (f *fetcher) http(ctx context.Context) error {
	file := path.Join(tempDir, "download")
	if err := f.get(ctx, f.URL, file); err != nil {
		return err
	}
	return f.finish(ctx, file)
}

// get downloads an address into a file.
func (f *fetcher) get(ctx context.Context, address, file string) error {
	var resp *http.Response
	body, stop, err := watchStall(ctx, f.Limits.Stall, func(ctx context.Context) (io.Reader, error) {
		var err error
		if resp, err = f.request(ctx, address); err != nil {
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

// request asks for an address, and gives an answer that is good.
func (f *fetcher) request(ctx context.Context, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, invalid("the address makes no request")
	}
	req.Header.Set("User-Agent", "serai")
	for name, value := range f.Headers {
		req.Header.Set(name, value)
		if http.CanonicalHeaderKey(name) == "Host" {
			req.Host = value
		}
	}
	if u := req.URL.User; u != nil && req.Header.Get("Authorization") == "" {
		password, _ := u.Password()
		req.SetBasicAuth(u.Username(), password)
	}
	req.URL.User = nil
	resp, err := f.client(true).Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the server answers %s", status(resp))
	}
	return resp, nil
}

func status(resp *http.Response) string {
	text := http.StatusText(resp.StatusCode)
	if text == "" {
		return fmt.Sprint(resp.StatusCode)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, text)
}

// local takes the file that the parent has opened.
func (f *fetcher) local(ctx context.Context) error {
	from := os.NewFile(3, f.URL)
	defer from.Close()
	st, err := from.Stat()
	if err != nil {
		return err
	}
	file := path.Join(tempDir, "download")
	if err := f.download(from, st.Size(), file); err != nil {
		return err
	}
	return f.finish(ctx, file)
}

// resolve gives an address that may be relative to that of the artifact.
func (f *fetcher) resolve(address string) (string, error) {
	base, err := url.Parse(f.URL)
	if err != nil {
		return "", invalid("the address cannot be read")
	}
	u, err := base.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return "", invalid("checksum: \"file:\" must be followed by an http or https address")
	}
	return u.String(), nil
}
