package cli

import "strings"

// Connection is what the general options and the environment say about the
// agent to talk to.
type Connection struct {
	Address       string
	Region        string
	Namespace     string
	Token         string
	HTTPAuth      string // user:password
	CACert        string
	CAPath        string
	ClientCert    string
	ClientKey     string
	TLSServerName string
	TLSSkipVerify bool
	NoColor       bool
	ForceColor    bool
}

// Variable looks an environment variable up: SERAI_x, then NOMAD_x.
func Variable(getenv func(string) string, name string) string {
	if v := getenv("SERAI_" + name); v != "" {
		return v
	}
	return getenv("NOMAD_" + name)
}

// fromEnvironment gives the connection that the environment asks for.
func fromEnvironment(getenv func(string) string) *Connection {
	get := func(name string) string { return Variable(getenv, name) }
	return &Connection{
		Address: get("ADDR"), Region: get("REGION"), Namespace: get("NAMESPACE"), Token: get("TOKEN"),
		HTTPAuth: get("HTTP_AUTH"), CACert: get("CACERT"), CAPath: get("CAPATH"),
		ClientCert: get("CLIENT_CERT"), ClientKey: get("CLIENT_KEY"), TLSServerName: get("TLS_SERVER_NAME"),
		TLSSkipVerify: truth(get("SKIP_VERIFY")),
		NoColor:       get("CLI_NO_COLOR") != "" || getenv("NO_COLOR") != "",
		ForceColor:    get("CLI_FORCE_COLOR") != "",
	}
}

func truth(s string) bool {
	switch strings.ToLower(s) {
	case "", "0", "f", "false", "no":
		return false
	}
	return true
}

func (c *Connection) define(f *Flags) {
	f.String(&c.Address, "address", "<addr>", "Address of the agent: http://host:port or unix:///path. Also SERAI_ADDR or NOMAD_ADDR. Default http://127.0.0.1:4646.")
	f.String(&c.Region, "region", "<region>", "Region to ask. Also SERAI_REGION or NOMAD_REGION.")
	f.String(&c.Namespace, "namespace", "<namespace>", "Namespace to work in; \"*\" means all where lists are shown. Also SERAI_NAMESPACE or NOMAD_NAMESPACE.")
	f.String(&c.Token, "token", "<token>", "Token to act with. Also SERAI_TOKEN or NOMAD_TOKEN.")
	f.String(&c.CACert, "ca-cert", "<path>", "File with certificates of authorities to trust. Also SERAI_CACERT or NOMAD_CACERT.")
	f.String(&c.CAPath, "ca-path", "<path>", "Folder with certificates of authorities to trust. Also SERAI_CAPATH or NOMAD_CAPATH.")
	f.String(&c.ClientCert, "client-cert", "<path>", "Certificate to show to the agent. Also SERAI_CLIENT_CERT or NOMAD_CLIENT_CERT.")
	f.String(&c.ClientKey, "client-key", "<path>", "Key of the certificate. Also SERAI_CLIENT_KEY or NOMAD_CLIENT_KEY.")
	f.String(&c.TLSServerName, "tls-server-name", "<name>", "Name that the agent's certificate must have. Also SERAI_TLS_SERVER_NAME or NOMAD_TLS_SERVER_NAME.")
	f.Bool(&c.TLSSkipVerify, "tls-skip-verify", "Do not check the agent's certificate. Also SERAI_SKIP_VERIFY or NOMAD_SKIP_VERIFY.")
	f.Bool(&c.NoColor, "no-color", "No colour. Also NO_COLOR, SERAI_CLI_NO_COLOR or NOMAD_CLI_NO_COLOR.")
	f.Bool(&c.ForceColor, "force-color", "Colour even without a terminal. Also SERAI_CLI_FORCE_COLOR or NOMAD_CLI_FORCE_COLOR.")
}
