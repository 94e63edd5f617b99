package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seraihq/serai/api"
)

// pendingEvaluations is how many wait for the next leader; SERAI_FAULTS makes them
// 100,000.
func pendingEvaluations() int {
	if os.Getenv("SERAI_FAULTS") != "" {
		return 100_000
	}
	return 1_000
}

// TestALeaderWithManyEvaluations kills the leader of three servers when the
// scheduler, which was paused, has as many jobs before it as there are. The next
// leader leads at once, and works all of them off.
func TestALeaderWithManyEvaluations(t *testing.T) {
	n := pendingEvaluations()
	servers, _ := startServersWith(t, "limits {\n  http_max_conns_per_client = 0\n}", 3)
	leader, followers := leading(t, servers)
	send(t, leader, "/v1/operator/scheduler/configuration", `{"PauseEvalBroker":true}`)
	start := time.Now()
	registerMany(t, leader, n)
	if got := waiting(t, leader, "pending"); got != n {
		t.Fatalf("%d evaluations are pending, of %d", got, n)
	}
	t.Logf("%d evaluations are pending after %s", n, time.Since(start).Round(time.Millisecond))
	send(t, leader, "/v1/operator/scheduler/configuration", `{"PauseEvalBroker":false}`)
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	start = time.Now()
	send(t, followers[0], "/v1/namespace/after", `{"Name":"after"}`) // waits for the next leader, and its duties
	t.Logf("a write is acknowledged %s after the kill", time.Since(start).Round(time.Millisecond))
	for end, before, since := time.Now().Add(10*patience), n, time.Now(); ; time.Sleep(100 * time.Millisecond) {
		left := waiting(t, followers[0], "pending")
		if left == 0 {
			break
		}
		if left < before {
			before, since = left, time.Now()
		}
		if time.Since(since) > patience || time.Now().After(end) {
			t.Fatalf("%d evaluations are pending, and nobody works on them", left)
		}
	}
	t.Logf("all are worked off %s after the kill", time.Since(start).Round(time.Millisecond))
	if got := waiting(t, followers[0], "complete"); got != n {
		t.Errorf("%d evaluations are complete, of %d", got, n)
	}
	leading(t, followers)
}

// send puts something, or ends the test.
func send(t *testing.T, to *agent, path, body string) {
	t.Helper()
	if err := put(t.Context(), to, path, body); err != nil {
		t.Fatal(err)
	}
}

func put(ctx context.Context, to *agent, path, body string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, to.Address+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return err
	}
	resp, err := registrar.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && unclear(resp.StatusCode, answer) { // the next time the connection to the dead leader is gone
		return put(ctx, to, path, body)
	}
	if err != nil || resp.StatusCode != http.StatusOK {
		return errors.Join(err, fmt.Errorf("%s: %s: %s", path, resp.Status, answer))
	}
	return nil
}

var registrar = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// registerMany registers jobs of no allocations, whose evaluations place nothing.
func registerMany(t *testing.T, to *agent, n int) {
	t.Helper()
	g, ctx := errgroup.WithContext(t.Context())
	var next atomic.Int64
	for range 64 {
		g.Go(func() error {
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				id := fmt.Sprint("many-", i)
				if err := put(ctx, to, "/v1/jobs", fmt.Sprintf(`{"Job":{"ID":%q,"Type":"service","Datacenters":["dc1"],"TaskGroups":[{"Name":"g","Count":0,"Tasks":[{"Name":"t","Driver":"raw_exec","Config":{"command":"/bin/true"}}]}]}}`, id)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// waiting counts the evaluations of a status.
func waiting(t *testing.T, at *agent, status string) int {
	t.Helper()
	var n api.CountResponse
	at.get(t, "/v1/evaluations/count?stale&status="+status, &n)
	return n.Count
}
