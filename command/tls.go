package command

import (
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/seraihq/serai/command/cli"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
)

func tlsGroup() *cli.Command {
	return group("tls", "Make certificates by hand",
		group("ca", "Make and show a certificate authority", tlsCACreate(), tlsInfo("nomad-agent-ca.pem", "Show a certificate authority")),
		group("cert", "Make and show certificates", tlsCertCreate(), tlsInfo("", "Show a certificate")))
}

const day = 24 * time.Hour

func tlsCACreate() *cli.Command {
	var country, locality, organization, unit, postal, province, street string
	var o pki.AuthorityOptions
	days := 1825
	return &cli.Command{
		Name: "create", Synopsis: "Make a certificate authority", Usage: "[options]", Offline: true,
		Help: `Makes an authority that signs the certificates of a cluster, in the folder where it is called: its certificate, <domain>-agent-ca.pem, and its key, <domain>-agent-ca-key.pem. Whoever has the key can act as any agent. Nothing is overwritten.`,
		Define: func(f *cli.Flags) {
			o.Domain = "nomad"
			f.String(&o.Subject.CommonName, "common-name", "<name>", "Common name. Default a name with a random number.")
			f.String(&country, "country", "<code>", "Country.")
			f.Int(&days, "days", "<n>", "How long the authority is valid. Default 1825.")
			f.String(&o.Domain, "domain", "<domain>", "Beginning of the files' names, and with -name-constraint the domain that the authority may sign for. Default nomad.")
			f.Strings(&o.Extra, "additional-domain", "<domain>", "A further domain for -name-constraint. May be given many times.")
			f.String(&locality, "locality", "<place>", "Locality.")
			f.Bool(&o.Limit, "name-constraint", "Sign only names under -domain, -additional-domain and localhost.")
			f.String(&organization, "organization", "<name>", "Organization.")
			f.String(&unit, "organizational-unit", "<name>", "Organizational unit.")
			f.String(&postal, "postal-code", "<code>", "Postal code.")
			f.String(&province, "province", "<name>", "Province.")
			f.String(&street, "street-address", "<address>", "Street address.")
		},
		Run: func(_ context.Context, inv *cli.Invocation) error {
			if days < 1 {
				return cli.Usagef("-days must be at least 1")
			}
			if err := fileNamePart("domain", o.Domain); err != nil {
				return err
			}
			o.Life = time.Duration(days) * day
			name := o.Subject.CommonName
			o.Subject = pkix.Name{CommonName: name, Country: listOf(country), Locality: listOf(locality), Organization: listOf(organization),
				OrganizationalUnit: listOf(unit), PostalCode: listOf(postal), Province: listOf(province), StreetAddress: listOf(street)}
			if o.Limit && o.Domain != "serai" {
				o.Extra = append(o.Extra, "serai") // every certificate carries both names of its role
			}
			if o.Limit && o.Domain != "nomad" {
				o.Extra = append(o.Extra, "nomad")
			}
			a, err := pki.NewAuthority(o)
			if err != nil {
				return err
			}
			key, err := pki.KeyPEM(a.Key)
			if err != nil {
				return err
			}
			return writePair(inv, o.Domain+"-agent-ca", "CA certificate", pki.CertificatesPEM(a.Cert), key)
		},
	}
}

// listOf gives a list of one text, or none.
func listOf(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// fileNamePart refuses what would lead a file elsewhere.
func fileNamePart(flag, text string) error {
	if text == "" || strings.HasPrefix(text, ".") || strings.ContainsAny(text, "/\\ \x00") {
		return cli.Usagef("-%s: %q cannot begin the name of a file", flag, text)
	}
	return nil
}

// writePair writes a certificate and its key, both or none.
func writePair(inv *cli.Invocation, base, what string, cert, key []byte) error {
	for _, name := range []string{base + ".pem", base + "-key.pem"} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%s is there already and is not overwritten; move it away first", name)
		}
	}
	if err := pki.WriteNew(base+"-key.pem", key); err != nil {
		return err
	}
	if err := pki.WriteNew(base+".pem", cert); err != nil {
		return errors.Join(err, os.Remove(base+"-key.pem"))
	}
	inv.Printf("==> %s saved to: %s", what, base+".pem")
	inv.Printf("==> %s key saved to: %s", what, base+"-key.pem")
	return nil
}

// certOrder is what `tls cert create` was told.
type certOrder struct {
	ca, key, domain, region string
	days                    int
	server, client, cli     bool
	names, addresses        []string
}

func tlsCertCreate() *cli.Command {
	o := certOrder{days: 365}
	return &cli.Command{
		Name: "create", Synopsis: "Make a certificate for a server, a client or the command line", Usage: "-server|-client|-cli [options]", Offline: true,
		Help: `Makes a certificate that the authority signs, in the folder where it is called: <region>-server-<domain>.pem and <region>-server-<domain>-key.pem, or -client- and -cli-. The name in it (server.<region>.nomad) is what lets its holder act as a server. Nothing is overwritten.

  serai tls ca create
  serai tls cert create -server -additional-ipaddress 10.0.0.1
  serai tls cert create -client
  serai tls cert create -cli`,
		Define: func(f *cli.Flags) {
			f.Bool(&o.server, "server", "For a server.")
			f.Bool(&o.client, "client", "For a client.")
			f.Bool(&o.cli, "cli", "For the command line and other tools.")
			f.String(&o.ca, "ca", "<path>", "Certificate of the authority. Default <domain>-agent-ca.pem.")
			f.String(&o.key, "key", "<path>", "Key of the authority. Default <domain>-agent-ca-key.pem.")
			f.Int(&o.days, "days", "<n>", "How long the certificate is valid. Default 365.")
			f.String(&o.domain, "domain", "<domain>", "nomad or serai: in the names of the files. Default nomad.")
			f.String(&o.region, "region", "<region>", "Region of the agent. Default global.")
			f.String(&o.region, "cluster-region", "<region>", "The same as -region.")
			f.Strings(&o.names, "additional-dnsname", "<name>", "A further DNS name. May be given many times.")
			f.Strings(&o.addresses, "additional-ipaddress", "<address>", "An IP address at which the agent is reached. May be given many times.")
		},
		Run: func(_ context.Context, inv *cli.Invocation) error { return o.run(inv) },
	}
}

func (o *certOrder) role() (tlsx.Role, error) {
	var roles []tlsx.Role
	for role, on := range map[tlsx.Role]bool{tlsx.RoleServer: o.server, tlsx.RoleClient: o.client, tlsx.RoleCLI: o.cli} {
		if on {
			roles = append(roles, role)
		}
	}
	if len(roles) != 1 {
		return "", cli.Usagef("give one of -server, -client and -cli")
	}
	return roles[0], nil
}

func (o *certOrder) run(inv *cli.Invocation) error {
	role, err := o.role()
	if err != nil {
		return err
	}
	if o.domain == "" {
		o.domain = "nomad"
	}
	if o.domain != "nomad" && o.domain != "serai" {
		return cli.Usagef("-domain: agents know roles by names under nomad and serai, not %q", o.domain)
	}
	if o.region == "" {
		o.region = "global"
	}
	if err := fileNamePart("region", o.region); err != nil {
		return err
	}
	if o.days < 1 {
		return cli.Usagef("-days must be at least 1")
	}
	r := pki.Request{Role: role, Region: o.region, DNS: o.names, Life: time.Duration(o.days) * day, IPs: []net.IP{net.IPv4(127, 0, 0, 1)}}
	for _, text := range o.addresses {
		ip := net.ParseIP(text)
		if ip == nil {
			return cli.Usagef("-additional-ipaddress: %q is no IP address", text)
		}
		r.IPs = append(r.IPs, ip)
	}
	a, err := pki.LoadAuthority(orElse(o.ca, o.domain+"-agent-ca.pem"), orElse(o.key, o.domain+"-agent-ca-key.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; make one with \"serai tls ca create\", or name its files with -ca and -key", err)
	}
	if err != nil {
		return err
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	r.Public = key.Public()
	cert, err := a.Issue(r)
	if err != nil {
		return err
	}
	keyPEM, err := pki.KeyPEM(key)
	if err != nil {
		return err
	}
	what := map[tlsx.Role]string{tlsx.RoleServer: "Server", tlsx.RoleClient: "Client", tlsx.RoleCLI: "Cli"}[role] + " certificate"
	return writePair(inv, o.region+"-"+string(role)+"-"+o.domain, what, pki.CertificatesPEM(cert, a.Cross), keyPEM)
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func tlsInfo(file, synopsis string) *cli.Command {
	c := &cli.Command{
		Name: "info", Synopsis: synopsis, Usage: "<path>", Min: 1, Max: 1, Offline: true,
		Run: func(_ context.Context, inv *cli.Invocation) error {
			path := file
			if len(inv.Args) > 0 {
				path = inv.Args[0]
			}
			certs, err := tlsx.ReadCertificates(filepath.Clean(path))
			if err != nil {
				return err
			}
			for i, c := range certs {
				if i > 0 {
					inv.Printf("")
				}
				showCertificate(inv, path, c)
			}
			return nil
		},
	}
	if file != "" {
		c.Usage, c.Min = "[path]", 0
		c.Help = synopsis + ": " + file + " unless another file is named."
	}
	return c
}

func showCertificate(inv *cli.Invocation, path string, c *x509.Certificate) {
	var p cli.Pairs
	p.Add("Certificate", path)
	p.Add("Serial Number", tlsx.SerialOf(c))
	p.Add("Issuer CN", c.Issuer.CommonName)
	p.Add("Common Name", c.Subject.CommonName)
	p.Add("Valid From", c.NotBefore.UTC().Format(time.RFC3339))
	p.Add("Expiry Date", c.NotAfter.UTC().Format(time.RFC3339))
	p.Add("CA", fmt.Sprint(c.IsCA))
	p.Add("DNS Names", strings.Join(c.DNSNames, ", "))
	var addresses []string
	for _, ip := range c.IPAddresses {
		addresses = append(addresses, ip.String())
	}
	p.Add("IP Addresses", strings.Join(addresses, ", "))
	peer := tlsx.PeerOf(c)
	if role, region := peer.RoleAnywhere(); role != "" {
		p.Add("Role", fmt.Sprintf("%s of region %s", role, region))
	}
	if peer.Node != "" {
		p.Add("Agent", peer.Node)
	}
	if c.IsCA {
		p.Add("SHA-256", fmt.Sprintf("%x", pki.Hash(c)))
		p.Add("Name Constraints", strings.Join(c.PermittedDNSDomains, ", "))
	}
	p.Write(inv.Stdout, inv.Style)
}
