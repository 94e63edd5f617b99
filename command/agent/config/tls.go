package config

import (
	"github.com/seraihq/serai/internal/tlsx"
)

// TLS says how connections are encrypted, and who may make them.
type TLS struct {
	HTTP                 bool   `hcl:"http"`                                    // the HTTP API
	RPC                  bool   `hcl:"rpc"`                                     // between agents, always with certificates on both sides
	VerifyServerHostname bool   `hcl:"verify_server_hostname" effect:"refused"` // false is refused: roles are always verified
	VerifyHTTPSClient    bool   `hcl:"verify_https_client"`                     // the HTTP API wants certificates
	CAFile               string `hcl:"ca_file"`                                 // PEM: authorities to trust
	CertFile             string `hcl:"cert_file"`                               // PEM: this agent's certificate
	KeyFile              string `hcl:"key_file"`                                // PEM
	RPCUpgradeMode       bool   `hcl:"rpc_upgrade_mode" effect:"refused"`       // true is refused
	CipherSuites         string `hcl:"tls_cipher_suites"`                       // of TLS 1.2; empty: all that are safe
	MinVersion           string `hcl:"tls_min_version"`                         // tls12 or tls13

	// serai\'s own.
	CAKeyFile string `hcl:"ca_key_file"` // PEM, servers: the authority\'s key, by which they sign for those that join and renew
	Renew     bool   `hcl:"renew"`       // the files above are kept up to date: the certificate before it expires, the authorities when they change
}

// Enabled says whether anything is encrypted.
func (t *TLS) Enabled() bool { return t.HTTP || t.RPC }

// Options gives what the keys are opened with; the block was checked.
func (t *TLS) Options() tlsx.Options {
	o := tlsx.Options{Files: tlsx.Files{CA: t.CAFile, Cert: t.CertFile, Key: t.KeyFile}}
	o.Min, _ = tlsx.ParseVersion(t.MinVersion)
	o.Suites, _ = tlsx.ParseSuites(t.CipherSuites)
	return o
}

func (v *checker) checkTLS() {
	t := v.agent.TLS
	if !t.VerifyServerHostname {
		v.add("tls.verify_server_hostname", "tls.verify_server_hostname = false is not offered: certificates of servers and clients must have the names server.%[1]s.nomad and client.%[1]s.nomad, or every client could act as a server; remove the key", v.agent.Region)
	}
	if t.RPCUpgradeMode {
		v.add("tls.rpc_upgrade_mode", "tls.rpc_upgrade_mode is not built: no port takes connections with and without TLS at once; remove it, and restart all agents with tls { rpc = true }")
	}
	if _, err := tlsx.ParseVersion(t.MinVersion); err != nil {
		v.add("tls.tls_min_version", "tls.tls_min_version: %v", err)
	}
	if _, err := tlsx.ParseSuites(t.CipherSuites); err != nil {
		v.add("tls.tls_cipher_suites", "tls.tls_cipher_suites: %v", err)
	}
	if t.Enabled() && (t.CAFile == "" || t.CertFile == "" || t.KeyFile == "") {
		v.add("tls", "tls: http and rpc need ca_file, cert_file and key_file; \"serai init\" and \"serai join\" make them, and so do \"serai tls ca create\" and \"serai tls cert create\"")
	}
	if t.Renew && (!t.RPC || t.CertFile != t.KeyFile) {
		v.add("tls.renew", "tls.renew needs rpc = true, and cert_file and key_file to be one file, so that both change at once; \"serai init\" and \"serai join\" write it so")
	}
	if t.CAKeyFile != "" && (!t.RPC || !v.agent.Server.Enabled) {
		v.add("tls.ca_key_file", "tls.ca_key_file is for servers with tls { rpc = true }: the key of the authority belongs on no other machine")
	}
}
