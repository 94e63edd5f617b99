package command

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/hclx"
)

const hintNoAgent = "Is the agent running? Start one with \"serai agent -dev\", or point to another with -address or SERAI_ADDR."

// explain words an error for people and says what to do next.
func explain(err error) (text, hint string) {
	text = err.Error()
	var response *api.ResponseError
	var problems hclx.Problems
	switch {
	case errors.Is(err, context.Canceled):
		return "interrupted", ""
	case errors.As(err, &problems):
		return withSnippets(text, problems), ""
	case errors.As(err, &response):
		return text, explainResponse(response)
	case errors.Is(err, api.ErrUnavailable):
		return explainConnection(err)
	}
	return text, ""
}

// withSnippets adds the offending lines of the files to a list of problems.
func withSnippets(text string, problems hclx.Problems) string {
	list := problems.Error()
	if !strings.Contains(text, list) {
		return text
	}
	var b strings.Builder
	for i, p := range problems {
		if i > 0 {
			b.WriteString("\n")
		}
		b.WriteString(p.Error() + "\n" + p.Snippet())
	}
	return strings.Replace(text, list, strings.TrimRight(b.String(), "\n"), 1)
}

// explainConnection words why no agent was reached.
func explainConnection(err error) (text, hint string) {
	var call *url.Error
	var dns *net.DNSError
	var stranger x509.UnknownAuthorityError
	address := "the address"
	if errors.As(err, &call) {
		if u, perr := url.Parse(call.URL); perr == nil {
			address = u.Scheme + "://" + u.Host
		}
	}
	switch {
	case errors.As(err, &dns):
		return fmt.Sprintf("there is no host %q", dns.Name), "Check the address: -address, SERAI_ADDR or NOMAD_ADDR."
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("no agent answers at %s: connection refused", address), hintNoAgent
	case errors.Is(err, syscall.ENOENT):
		return "no agent answers: the socket does not exist", hintNoAgent
	case errors.As(err, &stranger):
		return fmt.Sprintf("the agent at %s shows a certificate that is not trusted: %v", address, stranger), "Name the authority of its cluster with -ca-cert, SERAI_CACERT or NOMAD_CACERT."
	case call != nil && call.Timeout():
		return fmt.Sprintf("no agent answers at %s: it took too long", address), hintNoAgent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return fmt.Sprintf("the agent at %s ended the connection without an answer", address), "Has it just stopped, or does it speak TLS (https://)?"
	case call != nil:
		return fmt.Sprintf("no agent answers at %s: %v", address, call.Err), hintNoAgent
	}
	return err.Error(), hintNoAgent
}

// explainResponse says what to do about an error that the agent answers.
func explainResponse(err *api.ResponseError) string {
	switch {
	case !errors.Is(err, api.ErrDenied), strings.HasPrefix(err.Op, "FS."): // a path outside an allocation is denied to everyone
		return ""
	case strings.HasPrefix(err.Op, "CA."), strings.HasPrefix(err.Op, "JoinToken."): // those that change trust want more than a token
		return "Ask a server, with a management token (-token) and a certificate of the command line (-client-cert, -client-key): \". /etc/serai/cli.env\" on the first machine sets them."
	}
	return "Give a token that may do this with -token or SERAI_TOKEN."
}
