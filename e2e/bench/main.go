// Command bench measures the budgets of the whole path with the built binary,
// from outside: processes, HTTP and /proc. It prints a Markdown table with the
// least, the median, the 99th percentile and the greatest of n runs.
//
//	go run ./e2e/bench -binary bin/serai [-run regexp] [-n factor] [-drivers]
//
// The machine should be idle otherwise; on a busy one the least is the better
// estimate of what an idle one gives.
package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"time"
)

// figure is one row of the table.
type figure struct {
	what    string
	unit    string
	budget  float64 // 0: none, told for comparison
	atLeast bool    // the budget is a least, not a most
	byP99   bool    // the budget is for the 99th percentile, not for the median
	values  []float64
}

// measure is one thing to do that gives figures.
type measure struct {
	name string
	run  func(ctx context.Context, b *bench) ([]figure, error)
}

// measures in the order they are run.
var measures = []measure{
	{"size", size},
	{"start", startToReady},
	{"idle", idle},
	{"register", registerToRunning},
	{"hundred", hundredTasks},
	{"batch", batchOfTrue},
	{"exec", execMemory},
	{"mock", mockAllocations},
	{"restart", restartOfServer},
	{"place", durablePlacements},
}

// driverMeasures are those of drivers, by -drivers.
var driverMeasures = []measure{
	{"starts", starts},
	{"containers", containerMemory},
	{"many", manyTasks},
	{"bridge", bridgeSetup},
	{"pull", pullImage},
	{"machines", machines},
}

// bench is what all measures share.
type bench struct {
	binary string
	n      int // runs of a cheap measure
}

// runs gives how often to do what takes about that many seconds each time.
func (b *bench) runs(seconds float64) int {
	return max(3, int(float64(b.n)/max(1, seconds)))
}

func main() {
	binary := flag.String("binary", "bin/serai", "the built serai")
	only := flag.String("run", ".", "measure only what matches")
	n := flag.Int("n", 10, "runs of each measure; slow ones get fewer")
	ofDrivers := flag.Bool("drivers", false, "measure the drivers instead of the whole path")
	snapshot := flag.String("snapshot", "", "only write a cluster's snapshot to this file, for make ui-bench")
	shape := flag.String("shape", "5000x500x100", "of that cluster: nodes x jobs x allocations of each")
	flag.Parse()
	if *snapshot != "" {
		if err := saveCluster(*snapshot, *shape); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if *ofDrivers {
		measures = driverMeasures
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *binary, *only, *n); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, binary, only string, n int) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	if _, err := os.Stat(binary); err != nil {
		return fmt.Errorf("%w; build it with: make build", err)
	}
	b := &bench{binary: binary, n: n}
	fmt.Printf("%s, %s\n\n", time.Now().UTC().Format("2006-01-02"), machine())
	fmt.Println("| what | budget | n | least | median | p99 | greatest | |\n|---|---|---|---|---|---|---|---|")
	failed := 0
	for _, m := range measures {
		if !match.MatchString(m.name) {
			continue
		}
		figures, err := m.run(ctx, b)
		for _, f := range figures {
			fmt.Println(f.row())
		}
		if err != nil {
			failed++
			fmt.Printf("| %s | | | | | | | not measured: %v |\n", m.name, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d measures failed", failed)
	}
	return nil
}

func (f figure) row() string {
	v := slices.Sorted(slices.Values(f.values))
	if len(v) == 0 {
		return fmt.Sprintf("| %s | | 0 | | | | | |", f.what)
	}
	median, budget, verdict := quantile(v, 0.5), "", ""
	if f.budget > 0 {
		judged := median
		if f.byP99 {
			judged = quantile(v, 0.99)
		}
		sign, met := "≤", judged <= f.budget
		if f.atLeast {
			sign, met = "≥", median >= f.budget
		}
		budget = fmt.Sprintf("%s %s %s", sign, short(f.budget), f.unit)
		verdict = map[bool]string{true: "met", false: "**missed**"}[met]
	}
	return fmt.Sprintf("| %s | %s | %d | %s | %s %s | %s | %s | %s |", f.what, budget, len(v),
		short(v[0]), short(median), f.unit, short(quantile(v, 0.99)), short(v[len(v)-1]), verdict)
}

// quantile of sorted values, by the nearest rank.
func quantile(v []float64, q float64) float64 {
	return v[min(len(v)-1, max(0, int(math.Ceil(q*float64(len(v))))-1))]
}

func short(x float64) string {
	switch {
	case x >= 1000:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}
