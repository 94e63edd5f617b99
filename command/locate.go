package command

import (
	"errors"
	"net/http"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/jobspec"
)

// located gives a server's refusal of a job the places in its file, where the
// same problems are found here.
func located(err error, parsed *jobspec.Result) error {
	var response *api.ResponseError
	if !errors.As(err, &response) || response.Status != http.StatusBadRequest {
		return err
	}
	problems := append(parsed.Job.Validate(api.ValidateLimits{}), parsed.Job.NotBuilt()...)
	if local := parsed.Locate(problems); local != nil {
		return local
	}
	return err
}
