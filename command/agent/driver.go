package agent

import (
	"log/slog"

	"github.com/seraihq/serai/drivers/builtin"
)

// checkDriver finds what is wrong with a task's config for a built-in driver.
func checkDriver(driver string, config map[string]any) (known bool, err error) {
	b, ok := builtin.Lookup(driver)
	if !ok {
		return false, nil
	}
	return true, b.New(slog.New(slog.DiscardHandler)).TaskSchema().Validate(config)
}
