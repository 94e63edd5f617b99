package doctor

import (
	"context"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/command/agent/config"
	"github.com/seraihq/serai/internal/hclx"
)

// Subject is what is looked at. At least one of Config and Agent is there.
type Subject struct {
	Config   *config.Agent                             // as far as it could be read; nil: none was given
	Problems error                                     // of reading it
	Agent    *api.Client                               // of a running agent; nil: none answers
	Address  string                                    // of that agent
	Dial     func(address string) (*api.Client, error) // another agent's API, with our keys and token
	// Refused is why the agent at Address was not asked: it is not running, or
	// does not know us.
	Refused error
	Host    Host
}

// examination is a run of the checks.
type examination struct {
	Subject
	report *Report
}

// Examine runs all checks.
func Examine(ctx context.Context, s Subject) *Report {
	x := &examination{Subject: s, report: &Report{}}
	if s.Config != nil {
		x.configuration()
		x.modes()
		x.certificates()
		x.exposure()
		x.disk()
		x.backups()
		if s.Agent == nil {
			x.ports()
		}
	}
	x.limits()
	if s.Config == nil || s.Config.Client.Enabled {
		x.kernel()
	}
	x.clock()
	x.agent(ctx)
	x.report.finish()
	return x.report
}

// configuration tells what is wrong with the files.
func (x *examination) configuration() {
	if x.Problems == nil {
		x.report.ok("config.valid", "the configuration is valid (%d files)", len(x.Config.Files))
		return
	}
	problems, ok := hclx.AsProblems(x.Problems)
	if !ok {
		x.report.fail("config.valid", "mend the configuration; \"serai config validate\" tells the same", "%v", x.Problems)
		return
	}
	for _, p := range problems {
		mend := "mend the configuration; \"serai config validate\" tells the same"
		if p.Suggest != "" {
			mend = "write " + p.Suggest + ", or remove the key"
		}
		x.report.fail("config.valid", mend, "%v", p)
	}
}
