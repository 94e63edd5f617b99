package trust

import (
	"context"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/internal/pki"
	"github.com/seraihq/serai/internal/tlsx"
	"github.com/seraihq/serai/server/fsm"
)

// cliDays is how long a certificate for the command line is valid unless it is
// said, and at most ten times that.
const cliDays = 365

// SignCLI signs a certificate for the command line. It lets its holder use the
// HTTP API, and nothing between agents.
func (s *Service) SignCLI(ctx context.Context, req *api.CASignRequest) (api.CASignResponse, error) {
	days := req.Days
	if days == 0 {
		days = cliDays
	}
	if days < 1 || days > 10*cliDays {
		return api.CASignResponse{}, api.Errorf(api.ErrInvalid, "a certificate for the command line is valid for 1 to %d days, not %d", 10*cliDays, days)
	}
	public, err := pki.RequestedKey(req.CSR)
	if err != nil {
		return api.CASignResponse{}, err
	}
	a, err := s.signer("")
	if err != nil {
		return api.CASignResponse{}, err
	}
	cert, err := a.Issue(pki.Request{Public: public, Role: tlsx.RoleCLI, Region: s.Region, Life: time.Duration(days) * 24 * time.Hour})
	if err != nil {
		return api.CASignResponse{}, err
	}
	now := time.Now()
	if _, _, err := s.Log.Apply(ctx, &fsm.CertificateIssue{Certificate: issued(a, cert, tlsx.RoleCLI, "", now), Time: now.UnixNano()}); err != nil {
		return api.CASignResponse{}, err
	}
	s.Logger.Info("a certificate for the command line is signed", "serial", tlsx.SerialOf(cert))
	return api.CASignResponse{
		Certificate: string(pki.CertificatesPEM(cert, a.Cross)), Authorities: s.bundle(), Serial: tlsx.SerialOf(cert), Expires: cert.NotAfter.UTC(),
	}, nil
}
