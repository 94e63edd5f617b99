package main

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func writeTrace(t *testing.T, lines string) string {
	path := filepath.Join(t.TempDir(), "events.csv.gz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	defer z.Close()
	fmt.Fprint(z, "start_s,batch,vcpu,mem_gib,duration_lo_s,duration_hi_s,censored\n", lines)
	return path
}

func TestTraceKeepsTheOrderOfArrivalsAndDepartures(t *testing.T) {
	events, err := readTrace(writeTrace(t, `0,0,1.0,1.75,300,300,0
0,0,1.0,1.75,300,600,0
0,0,2.0,3.5,900,900,1
300,1,1.0,0.75,0,300,0
300,2,8.0,56.0,300,300,0
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprint(e.at, " ", e.batch.id, " ", e.vms, e.leave))
	}
	want := "0 batch-0 3 []; 300 batch-0 2 [2]; 300 batch-1 1 []; 300 batch-2 1 []; 300 batch-1 1 [1]; 600 batch-2 1 [1]"
	if s := strings.Join(got, "; "); s != want {
		t.Errorf("events\n%s, want\n%s", s, want)
	}
	if g := fmt.Sprint(events[0].batch.groups); g != "[{1000 1792 2} {2000 3584 1}]" {
		t.Errorf("groups of the first batch: %s", g)
	}
	for most, want := range map[int][3]int{0: {6, 9, 3}, 4: {2, 5, 3}, 6: {3, 6, 3}} {
		kept, vms, peak := cut(events, most)
		if got := [3]int{len(kept), vms, peak}; got != want {
			t.Errorf("at most %d: %v events, VMs, alive; want %v", most, got, want)
		}
	}
}

func TestTraceSaysWhatIsWrong(t *testing.T) {
	for name, lines := range map[string]string{
		`line 3: field 3 is not a number: "x"`: "0,0,1,1,0,0,0\n0,0,x,1,0,0,0\n",
		"wrong number of fields":               "0,0,1\n",
	} {
		if _, err := readTrace(writeTrace(t, lines)); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%q: %v, want %s", lines, err, name)
		}
	}
	if _, err := readTrace(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "is not there") {
		t.Errorf("a file that is missing: %v", err)
	}
}
