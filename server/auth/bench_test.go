package auth

import (
	"fmt"
	"testing"

	"github.com/seraihq/serai/api"
)

// thousand is the ACL of a token with a thousand policies, a third of them with
// globs.
func thousand(t testing.TB) *ACL {
	var all []*Policy
	for i := range 1000 {
		name := fmt.Sprintf("team-%d", i)
		if i%3 == 0 {
			name += "-*"
		}
		all = append(all, mustParse(t, fmt.Sprintf("namespace %q { policy = \"write\" }\nnode_pool %q { policy = \"read\" }", name, name)))
	}
	return Compile(all)
}

// BenchmarkCheck checks operations of a token with a thousand policies.
func BenchmarkCheck(b *testing.B) {
	a := thousand(b)
	s := &Subject{Token: true, Namespaces: []string{"team-999-x"}}
	for b.Loop() {
		if err := a.Check(api.JobsRegister.Endpoint, s); err != nil {
			b.Fatal(err)
		}
	}
}

// TestCheckTakesNoMemory is what keeps a check cheap, whatever the machine.
func TestCheckTakesNoMemory(t *testing.T) {
	a := thousand(t)
	s := &Subject{Token: true, Namespaces: []string{"team-999-x"}}
	if n := testing.AllocsPerRun(100, func() {
		if a.Check(api.JobsRegister.Endpoint, s) != nil {
			t.Fatal("refused")
		}
	}); n > 1 {
		t.Errorf("a check allocates %v times", n)
	}
}
