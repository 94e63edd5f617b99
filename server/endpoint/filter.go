package endpoint

import (
	"strings"

	"github.com/hashicorp/go-bexpr"

	"github.com/seraihq/serai/api"
)

const (
	maxFilterLength = 8 << 10
	maxFilterSteps  = 200_000 // of the parser; a filter of 50 terms takes about 20,000
)

// filter is a compiled filter expression; a nil one lets everything pass.
type filter struct {
	eval *bexpr.Evaluator
}

func compileFilter(expression string) (*filter, error) {
	if strings.TrimSpace(expression) == "" {
		return nil, nil
	}
	if len(expression) > maxFilterLength {
		return nil, api.Errorf(api.ErrInvalid, "failed to read filter expression: it is longer than %d bytes", maxFilterLength)
	}
	eval, err := bexpr.CreateEvaluator(expression, bexpr.WithMaxExpressions(maxFilterSteps))
	if err != nil {
		return nil, api.Errorf(api.ErrInvalid, "failed to read filter expression: %v", err)
	}
	return &filter{eval}, nil
}

// pass says whether the object meets the filter. A path that ends at a nil
// block is absent, which no comparison meets.
func (f *filter) pass(object any) (bool, error) {
	if f == nil {
		return true, nil
	}
	ok, err := f.eval.Evaluate(object)
	if err != nil {
		return false, api.Errorf(api.ErrInvalid, "failed to apply filter expression: %v", err)
	}
	return ok, nil
}
