package consensus

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
)

// writerProcess applies commands as fast as it can and prints each number once
// it is acknowledged. It runs until it is killed.
func writerProcess(dir string) {
	cfg := config(dir)
	cfg.SnapshotAfter = 200
	r, err := Open(cfg)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	ctx := context.Background()
	_ = r.awaitLeadership(ctx, r.raft.LeaderCh())
	if err := r.Barrier(ctx); err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	from := 0
	for range r.fsm.Store().View().Namespaces() {
		from++
	}
	for i := from; ; i++ {
		if _, err := r.Do(ctx, &fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: fmt.Sprintf("ns-%08d", i)}}}); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		if i%97 == 0 {
			_ = r.Compact(ctx)
		}
		fmt.Println(i)
	}
}

// TestKilledServerLosesNothing kills a writing process without warning, again
// and again, and looks for every number that it had acknowledged.
func TestKilledServerLosesNothing(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	dir := t.TempDir()
	acknowledged := map[int]bool{}
	for round := range rounds {
		writeAndKill(t, dir, 20+round*35, acknowledged)
	}
	r := open(t, config(dir))
	v := r.fsm.Store().View()
	for i := range acknowledged {
		if _, ok := v.Namespace(fmt.Sprintf("ns-%08d", i)); !ok {
			t.Errorf("command %d was acknowledged and is lost", i)
		}
	}
	t.Logf("%d acknowledged over %d kills", len(acknowledged), rounds)
}

func writeAndKill(t *testing.T, dir string, after int, acknowledged map[int]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), "CONSENSUS_TEST_WRITER="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		i, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("writer: %s", lines.Text())
		}
		acknowledged[i] = true
		if n == after {
			_ = cmd.Process.Kill() // and read on what it had printed
		}
	}
	_ = cmd.Wait()
}
