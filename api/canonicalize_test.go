package api

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Old settings become the block that replaced them; those that contradict it are
// refused, also when the job goes through the servers a second time.
func TestOldDisconnectSettings(t *testing.T) {
	for src, want := range map[string]struct {
		d       *DisconnectStrategy
		problem string
	}{
		``:                                   {},
		`"MaxClientDisconnect":"1h",`:        {d: &DisconnectStrategy{LostAfter: Duration(time.Hour), Replace: true, Reconcile: "best_score"}},
		`"StopAfterClientDisconnect":"30s",`: {d: &DisconnectStrategy{StopOnClientAfter: seconds(30), Replace: true, Reconcile: "best_score"}},
		`"PreventRescheduleOnLost":true,`:    {d: &DisconnectStrategy{Reconcile: "best_score"}},
		`"MaxClientDisconnect":"1h","PreventRescheduleOnLost":true,`:                {d: &DisconnectStrategy{LostAfter: Duration(time.Hour), Reconcile: "best_score"}},
		`"MaxClientDisconnect":"1h","StopAfterClientDisconnect":"1m",`:              {d: &DisconnectStrategy{LostAfter: Duration(time.Hour), StopOnClientAfter: minutes(1), Replace: true, Reconcile: "best_score"}, problem: "either lost_after or stop_on_client_after"},
		`"Disconnect":{"LostAfter":"2h"},`:                                          {d: &DisconnectStrategy{LostAfter: 2 * Duration(time.Hour), Replace: true, Reconcile: "best_score"}},
		`"Disconnect":{"LostAfter":"1h"},"MaxClientDisconnect":"1h",`:               {d: &DisconnectStrategy{LostAfter: Duration(time.Hour), Replace: true, Reconcile: "best_score"}},
		`"Disconnect":{"LostAfter":"2h"},"MaxClientDisconnect":"1h",`:               {d: &DisconnectStrategy{LostAfter: 2 * Duration(time.Hour), Replace: true, Reconcile: "best_score"}, problem: `group "g": max_client_disconnect contradicts disconnect, which has lost_after = "2h0m0s"`},
		`"Disconnect":{"StopOnClientAfter":"2m"},"StopAfterClientDisconnect":"1h",`: {d: &DisconnectStrategy{StopOnClientAfter: minutes(2), Replace: true, Reconcile: "best_score"}, problem: `stop_after_client_disconnect contradicts`},
		`"Disconnect":{"LostAfter":"2h"},"PreventRescheduleOnLost":true,`:           {d: &DisconnectStrategy{LostAfter: 2 * Duration(time.Hour), Replace: true, Reconcile: "best_score"}, problem: `prevent_reschedule_on_lost contradicts disconnect, which has replace = true`},
	} {
		j := &Job{}
		if err := json.Unmarshal([]byte(`{"ID":"a","TaskGroups":[{"Name":"g",`+src+`"Tasks":[{"Name":"t","Driver":"exec"}]}]}`), j); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got := j.TaskGroups[0].Disconnect
			if (got == nil) != (want.d == nil) || got != nil && *got != *want.d {
				t.Errorf("%s: %+v, want %+v", src, got, want.d)
			}
			problems := j.Validate(ValidateLimits{})
			switch {
			case want.problem == "" && len(problems) > 0:
				t.Errorf("%s: %v", src, problems)
			case want.problem != "" && (len(problems) != 1 || !strings.Contains(problems[0].Text, want.problem)):
				t.Errorf("%s: %v, want %q", src, problems, want.problem)
			}
			b, err := json.Marshal(j)
			if err != nil {
				t.Fatal(err)
			}
			*j = Job{}
			if err := json.Unmarshal(b, j); err != nil {
				t.Fatal(err)
			}
			j.Canonicalize()
		}
	}
}
