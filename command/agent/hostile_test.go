package agent

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// sendRaw writes bytes to an agent's API and reads all that it answers, until it
// closes the connection or as many answers as expected are there.
func sendRaw(t *testing.T, address, text string, answers int) (statuses []int, closed bool) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		return nil, true
	}
	in := bufio.NewReader(c)
	for len(statuses) < answers {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return statuses, true
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		statuses = append(statuses, resp.StatusCode)
	}
	return statuses, false
}

// TestHostileRequests sends what proxies and servers have understood in two ways:
// two lengths, two hosts, upgrades that fail and are followed by more. Nothing is
// taken for a request that was not checked by itself.
func TestHostileRequests(t *testing.T) {
	w := protected(t)
	at := strings.TrimPrefix(w.server, "http://")
	host := "Host: " + at + "\r\n"
	hidden := "GET /v1/jobs HTTP/1.1\r\n" + host + "X-Nomad-Token: " + bootSecret + "\r\n\r\n"
	for name, text := range map[string]string{
		"two lengths":                         "POST /v1/search HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello" + hidden,
		"a length that is no number":          "POST /v1/search HTTP/1.1\r\n" + host + "Content-Length: +5\r\n\r\nhello" + hidden,
		"a negative length":                   "POST /v1/search HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n" + hidden,
		"an unknown encoding":                 "POST /v1/search HTTP/1.1\r\n" + host + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + hidden,
		"encodings on top of each other":      "POST /v1/search HTTP/1.1\r\n" + host + "Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n" + hidden,
		"two hosts":                           "GET /v1/jobs HTTP/1.1\r\n" + host + "Host: evil\r\n\r\n" + hidden,
		"no host":                             "GET /v1/jobs HTTP/1.1\r\n\r\n" + hidden,
		"a host that is not this one's":       "GET /v1/status/leader HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
		"a space before the colon":            "GET /v1/jobs HTTP/1.1\r\n" + host + "Content-Length : 5\r\n\r\nhello" + hidden,
		"a line that is folded":               "GET /v1/jobs HTTP/1.1\r\n" + host + "X-A: b\r\n  c\r\nTransfer-Encoding:\r\n chunked\r\n\r\n" + hidden,
		"a bad chunk":                         "POST /v1/search HTTP/1.1\r\n" + host + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n" + hidden,
		"a null byte":                         "GET /v1/jobs\x00 HTTP/1.1\r\n" + host + "\r\n" + hidden,
		"the beginning of HTTP/2":             "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + hidden,
		"an upgrade to HTTP/2 in the clear":   "GET /v1/jobs HTTP/1.1\r\n" + host + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
		"a method to override":                "GET /v1/jobs HTTP/1.1\r\n" + host + "X-HTTP-Method-Override: DELETE\r\nConnection: close\r\n\r\n",
		"an address to go to":                 "GET http://169.254.169.254/latest HTTP/1.1\r\nHost: 169.254.169.254\r\nConnection: close\r\n\r\n",
		"a tunnel":                            "CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:22\r\n\r\n",
		"an exec with a wrong token, upgrade": "GET /v1/client/allocation/00000000-0000-0000-0000-000000000000/exec?task=t&command=%5B%22sh%22%5D HTTP/1.1\r\n" + host + "X-Nomad-Token: wrong\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
	} {
		statuses, _ := sendRaw(t, at, text, 1)
		if len(statuses) > 0 && statuses[0] < 400 {
			t.Errorf("%s: answered with %d", name, statuses)
		}
	}
	// What follows a session that was refused, on the same connection, is looked
	// at by itself.
	refused := "GET /v1/client/allocation/00000000-0000-0000-0000-000000000000/exec?task=t HTTP/1.1\r\n" + host + "X-Nomad-Token: " + bootSecret + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\n\r\n"
	next := "GET /v1/agent/self HTTP/1.1\r\n" + host + "\r\n"
	if statuses, closed := sendRaw(t, at, refused+next, 2); !closed && (len(statuses) != 2 || statuses[1] != http.StatusForbidden) {
		t.Errorf("a request without a token behind one that had it: %d", statuses)
	}
}

// TestOddPaths asks for what needs a token by other ways of writing its path. No
// way leads around the check, and none to another answer with the right token.
func TestOddPaths(t *testing.T) {
	w := protected(t)
	at := strings.TrimPrefix(w.server, "http://")
	for _, path := range []string{
		"/v1//jobs", "//v1/jobs", "/v1/./jobs", "/v1/x/../jobs", "/v1/%6aobs", "/v1%2fjobs", "/v1/jobs/", "/v1/jobs;x=y", "/v1/jobs%00", "/V1/jobs", "/v1/Jobs", "/v1/jobs.",
		"/ui/../v1/jobs", "/ui/..%2fv1/jobs", "/ui/%2e%2e/v1/jobs", "/v1/status/../jobs", "/v1/status/leader/../../jobs", "/v1/acl/token/onetime/../../tokens", "/v1/acl/bootstrap/../tokens",
		"/v1/status/leader%2f..%2f..%2facl%2ftokens", "/rpc/../v1/jobs", "/debug/pprof/../../v1/jobs", "/v1/jobs%252f", "/v1/acl%5ctokens", "/v1/agent/health/../self",
	} {
		for _, secret := range []string{"", "00000000-dead-4bad-8bad-000000000001"} {
			text := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nX-Nomad-Token: %s\r\nConnection: close\r\n\r\n", path, at, secret)
			if statuses, _ := sendRaw(t, at, text, 1); len(statuses) == 1 && statuses[0] < 300 && !strings.HasPrefix(path, "/ui/") {
				t.Errorf("%s without a token: %d", path, statuses[0])
			}
		}
	}
}
