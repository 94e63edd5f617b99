package agent

import (
	"os"
	"testing"

	"github.com/seraihq/serai/drivers/host"
)

// TestMain makes the test binary a drivers' host process too, as the program is.
func TestMain(m *testing.M) {
	if host.Main(os.Args) {
		return
	}
	os.Exit(m.Run())
}
