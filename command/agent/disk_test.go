package agent

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// A node whose disk is asked for cannot send this agent elsewhere.
func TestDisksComeFromWhereTheyAreAskedFor(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was followed") }))
	defer elsewhere.Close()
	node := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer node.Close()
	resp, err := diskClient.Get(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect {
		t.Error(resp.Status)
	}
}
