package command

import (
	"bytes"
	"context"
	"crypto/x509"
	"os"
	"strings"
	"testing"

	"github.com/seraihq/serai/internal/tlsx"
)

// in runs a command in the folder where the test is.
func in(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = Run(context.Background(), args, strings.NewReader(""), &out, &errs, func(string) string { return "" })
	return code, out.String(), errs.String()
}

func TestTLSCommands(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		args string
		code int
		want string // in the output or the error
	}{
		{"tls cert create -server", 1, "serai tls ca create"},
		{"tls ca create -days 0", 1, "-days"},
		{"tls ca create -domain ../x", 1, "-domain"},
		{"tls ca create -name-constraint -country DE -organization serai", 0, "nomad-agent-ca-key.pem"},
		{"tls ca create", 1, "not overwritten"},
		{"tls ca info", 0, "localhost, serai"},
		{"tls cert create", 1, "one of -server"},
		{"tls cert create -server -client", 1, "one of -server"},
		{"tls cert create -server -region eu -additional-ipaddress 10.0.0.1 -additional-dnsname a.eu.nomad", 0, "eu-server-nomad.pem"},
		{"tls cert create -server -additional-ipaddress x", 1, "no IP address"},
		{"tls cert create -client -domain example", 1, "nomad and serai"},
		{"tls cert create -client", 0, "global-client-nomad.pem"},
		{"tls cert create -cli", 0, "global-cli-nomad.pem"},
		{"tls cert create -cli", 1, "not overwritten"},
		{"tls cert info eu-server-nomad.pem", 0, "server of region eu"},
		{"tls cert info nothing.pem", 1, "nothing.pem"},
	} {
		if code, out, errs := in(t, strings.Fields(c.args)...); code != c.code || !strings.Contains(out+errs, c.want) {
			t.Errorf("%s: %d, %s%s", c.args, code, out, errs)
		}
	}
	ca, err := tlsx.ReadCertificates("nomad-agent-ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(ca[0])
	for _, name := range []string{"eu-server-nomad", "global-client-nomad", "global-cli-nomad"} {
		certs, err := tlsx.ReadCertificates(name + ".pem")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := certs[0].Verify(x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(name + "-key.pem"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	entries, _ := os.ReadDir(".")
	if len(entries) != 8 {
		t.Errorf("%d files: %v", len(entries), entries)
	}
}
