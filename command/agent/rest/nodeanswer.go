package rest

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// nodeTypes are what answers of nodes may be. None of them is shown by a browser
// as a page.
var nodeTypes = []string{"application/json", "text/plain", "application/octet-stream", "application/x-tar", "application/gzip"}

// nodeHeaders are the headers that a node's answer may have, beside those of the
// API (X-Nomad-…) and of a WebSocket.
var nodeHeaders = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Content-Disposition", "Transfer-Encoding", "Date", "Vary", "Retry-After", "Connection", "Upgrade",
}

// fromNode makes the answer of a node's agent one that a server can give as its
// own. The machine may be in hands that are not its operator's: what comes from
// it must not lead people elsewhere, set cookies, or run as a page of the server,
// where their token is kept.
func fromNode(resp *http.Response) error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 && resp.StatusCode != http.StatusNotModified {
		return fmt.Errorf("it answers with status %d and leads elsewhere, which agents do not", resp.StatusCode)
	}
	for name := range resp.Header {
		api := strings.HasPrefix(name, "X-Nomad-") || strings.HasPrefix(name, "Sec-Websocket-")
		if !api && !slices.Contains(nodeHeaders, name) {
			resp.Header.Del(name)
		}
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil
	}
	resp.Trailer = nil
	resp.Body = &untrailed{resp.Body, resp}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || !slices.Contains(nodeTypes, kind) || len(resp.Header["Content-Type"]) > 1 {
		resp.Header.Set("Content-Type", "application/octet-stream")
	}
	resp.Header.Set("Content-Security-Policy", "sandbox")
	return nil
}

// untrailed is the body of an answer whose trailers are left out: they are there
// when the body has ended.
type untrailed struct {
	io.ReadCloser
	of *http.Response
}

// Read implements io.Reader.
func (u *untrailed) Read(b []byte) (int, error) {
	n, err := u.ReadCloser.Read(b)
	if err != nil {
		u.of.Trailer = nil
	}
	return n, err
}
