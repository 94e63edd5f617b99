package command

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/cli"
)

// session is one run of a command with the agent it talks to.
type session struct {
	*cli.Invocation
	client *api.Client
}

// open makes the client that the general options and the environment ask for.
func open(inv *cli.Invocation) (*session, error) {
	c := inv.Conn
	config := api.ClientConfig{Address: c.Address, Region: c.Region, Namespace: c.Namespace, Token: api.Sensitive(c.Token)}
	if c.HTTPAuth != "" {
		user, password, _ := strings.Cut(c.HTTPAuth, ":")
		config.HTTPAuth = url.UserPassword(user, password)
	}
	transport, err := newTransport(c)
	if err != nil {
		return nil, err
	}
	config.Transport = transport
	client, err := api.NewClient(config)
	if err != nil {
		return nil, err
	}
	return &session{inv, client}, nil
}

func newTransport(c *cli.Connection) (http.RoundTripper, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.TLSServerName, InsecureSkipVerify: c.TLSSkipVerify}
	if c.CACert != "" || c.CAPath != "" {
		pool, err := authorities(c.CACert, c.CAPath)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	if (c.ClientCert == "") != (c.ClientKey == "") {
		return nil, cli.Usagef("-client-cert and -client-key belong together")
	}
	if c.ClientCert != "" {
		cert, err := tls.LoadX509KeyPair(c.ClientCert, c.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("client certificate %s: %w", c.ClientCert, err)
		}
		config.Certificates = []tls.Certificate{cert}
	}
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
		TLSClientConfig: config, TLSHandshakeTimeout: 10 * time.Second,
	}, nil
}

// authorities reads certificates from a file and from the files of a folder.
func authorities(file, folder string) (*x509.CertPool, error) {
	files := []string{}
	if file != "" {
		files = append(files, file)
	}
	if folder != "" {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("-ca-path: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() {
				files = append(files, filepath.Join(folder, e.Name()))
			}
		}
	}
	pool := x509.NewCertPool()
	for _, f := range files {
		pem, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("certificate authority: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificate authority %s: no certificate in PEM form", f)
		}
	}
	return pool, nil
}

// call runs an operation and drops what is said beside the answer.
func call[Req, Resp any](ctx context.Context, s *session, op api.Op[Req, Resp], req Req) (Resp, error) {
	resp, _, err := api.Call(ctx, s.client, op, &req)
	return resp, err
}
