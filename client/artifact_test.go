package client

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seraihq/serai/api"
)

// source is a web server that fails a few times first, and counts.
func source(t *testing.T, failures int32) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= failures {
			http.Error(w, "not yet", http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("from " + r.URL.Path + " with " + r.Header.Get("X-Job")))
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

func withArtifact(script string, a api.TaskArtifact, attempts int) *api.Allocation {
	task := shell("main", script)
	task.Artifacts = []*api.TaskArtifact{&a}
	task.RestartPolicy = &api.RestartPolicy{
		Attempts: attempts, Interval: api.Duration(time.Hour), Delay: api.Duration(10 * time.Millisecond), Mode: api.RestartModeFail,
	}
	alloc := newAlloc("batch", task)
	alloc.Job.Meta = map[string]string{"version": "v7"}
	return alloc
}

// A failed fetch is tried again by the restart policy; what was fetched stays
// over restarts of the task, and of the agent.
func TestArtifact(t *testing.T) {
	s := newCluster()
	dir := t.TempDir()
	a := start(t, config(t, dir, s))
	url, asked := source(t, 2)
	// It fails once, and then waits for the test.
	alloc := withArtifact("n=$NOMAD_ALLOC_DIR/n; if [ ! -e $n ]; then >$n; exit 1; fi; cat local/app >$NOMAD_ALLOC_DIR/out; echo $$ >$NOMAD_ALLOC_DIR/pid; exec sleep 1000",
		api.TaskArtifact{
			GetterSource: url + "/app-${NOMAD_META_version}?x=1", GetterMode: "file", RelativeDest: "${NOMAD_TASK_DIR}/app",
			GetterHeaders: map[string]string{"X-Job": "${NOMAD_JOB_ID}"},
		}, 5)
	alloc.Job.TaskGroups[0].Tasks[0].Config["command"] = "/bin/sh"
	s.put(alloc)
	eventually(t, "it runs for the second time", func() bool {
		return strings.Contains(output(t, a, alloc.ID, "alloc/out"), "with web")
	})
	if got := output(t, a, alloc.ID, "alloc/out"); got != "from /app-v7 with web" {
		t.Errorf("the task read %q", got)
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("the server was asked %d times", n)
	}
	want := "Failed Artifact Download, Restarting, Downloading Artifacts, Failed Artifact Download, Restarting, Downloading Artifacts, Started, Terminated, Restarting, Started"
	s.await(t, "its history", func() bool { return strings.HasSuffix(types(s.allocs[alloc.ID].TaskStates["main"]), want) })
	a.end(t)
	cfg := config(t, dir, s)
	cfg.StopTasks = true
	a = start(t, cfg)
	waitForPid(t, a.cfg.AllocDir+"/"+alloc.ID+"/alloc/pid")
	if n := asked.Load(); n != 3 {
		t.Errorf("after a restart of the agent the server was asked %d times", n)
	}
}

// What no further try mends fails the task at once, and the reason is told
// without its secrets.
func TestArtifactRefused(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	url, asked := source(t, 0)
	for source, want := range map[string]string{
		url + "/x?checksum=md5:0":      "checksum",
		"hg::" + url:                   `not fetched by "hg"`,
		"local/../../../../etc/passwd": "escapes",
	} {
		alloc := withArtifact("true", api.TaskArtifact{GetterSource: source, GetterMode: "any", RelativeDest: "local/"}, 5)
		s.put(alloc)
		got := s.status(t, alloc.ID, api.AllocClientFailed)
		if text := history(got); !strings.Contains(text, "Failed Artifact Download: ") || !strings.Contains(text, want) {
			t.Errorf("%s: %s", source, text)
		}
		if list, _ := a.ListFiles(t.Context(), alloc.ID, "/"); len(list) != 2 {
			t.Errorf("%s: left behind: %v", source, list)
		}
	}
	alloc := withArtifact("true", api.TaskArtifact{
		GetterSource: strings.Replace(url, "http://", "http://me:s3cr3t-word@", 1) + "/x", GetterMode: "any", RelativeDest: "local/",
		GetterOptions: map[string]string{"checksum": "sha1:" + strings.Repeat("0", 40)},
	}, 0)
	s.put(alloc)
	if text := history(s.status(t, alloc.ID, api.AllocClientFailed)); strings.Contains(text, "s3cr3t") || !strings.Contains(text, "its sha1 checksum is") {
		t.Error(text)
	}
	if asked.Load() != 1 {
		t.Errorf("the server was asked %d times", asked.Load())
	}
}

// An allocation that takes more than its disk is ended at once, though it
// ignores signals; its successor does not inherit what is too large.
func TestDiskExceeded(t *testing.T) {
	s := newCluster()
	a := dev(t, s)
	first, second := sticky(api.EphemeralDisk{Sticky: true, SizeMB: 2})
	main := first.Job.TaskGroups[0].Tasks[0]
	main.Config["args"] = []any{"-c", "trap '' INT TERM; echo $$ >$NOMAD_TASK_DIR/pid; dd if=/dev/zero of=$NOMAD_ALLOC_DIR/data/big bs=1M count=4 2>/dev/null; sleep 1000"}
	main.KillTimeout = api.Duration(time.Minute)
	second.Job.TaskGroups[0].Tasks[0].Config["args"] = []any{"-c", "ls $NOMAD_ALLOC_DIR/data >$NOMAD_ALLOC_DIR/out"}
	s.put(first)
	got := s.status(t, first.ID, api.AllocClientFailed)
	if text := history(got); !strings.Contains(text, api.TaskDiskExceeded+": The allocation takes 4.") {
		t.Error(text)
	}
	if got.ClientDescription != api.TaskDiskExceeded {
		t.Error(got.ClientDescription)
	}
	s.put(second)
	if text := history(s.status(t, second.ID, api.AllocClientComplete)); !strings.Contains(text, "the disk begins empty: they take 4 MiB") {
		t.Error(text)
	}
	if got := output(t, a, second.ID, "alloc/out"); got != "" {
		t.Errorf("inherited %q", got)
	}
}

// What a task deletes and holds open takes space too.
func TestDiskExceededByDeleted(t *testing.T) {
	needRoot(t)
	s := newCluster()
	dev(t, s)
	alloc := newAlloc("batch", shell("main", "exec 3>$NOMAD_ALLOC_DIR/data/x; rm $NOMAD_ALLOC_DIR/data/x; dd if=/dev/zero bs=1M count=4 >&3 2>/dev/null; exec sleep 1000"))
	alloc.Job.TaskGroups[0].EphemeralDisk = &api.EphemeralDisk{SizeMB: 2}
	s.put(alloc)
	if text := history(s.status(t, alloc.ID, api.AllocClientFailed)); !strings.Contains(text, api.TaskDiskExceeded+": The allocation takes 4.") {
		t.Error(text)
	}
}
