package container

import (
	"strings"
	"testing"
	"time"

	"github.com/seraihq/serai/drivers/internal/contain"
)

// TestInit: a first process of its own starts the program, reaps orphans, hands signals on, and ends as the program does; for any user.
func TestInit(t *testing.T) {
	if !contain.HasReaper() {
		t.Skip("not here: there is none for this kind of processor")
	}
	w := newWorld(t, nil)
	script := `cat /proc/1/comm; test $$ != 1 && echo not first; (sleep 0.1 &) ; sleep 0.5; cat /proc/[0-9]*/status | grep -c "^State:.*zombie"
		(echo x >/sbin/serai-init) 2>/dev/null || echo its file is safe; exit 5`
	for _, options := range []map[string]any{{}, {"userns_mode": "private"}, {"cap_drop": []any{"all"}, "readonly_rootfs": true}} {
		config := map[string]any{"command": "sh", "args": []any{"-c", script}, "init": true}
		for k, v := range options {
			config[k] = v
		}
		for _, who := range []string{"", "1000"} {
			r := w.run(config)
			r.task.User = who
			if res := r.finish(); res.ExitCode != 5 || res.Signal != 0 || r.out.String() != "serai-init\nnot first\n0\nits file is safe\n" {
				t.Errorf("%v %q: %+v %q", options, who, res, r.out.String())
			}
		}
	}
	// A program that says nothing about signals ends by them, as the first one of its namespace it would not.
	for script, code := range map[string]int{"echo ready; exec sleep 600": 143, "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done": 9} {
		r := w.run(map[string]any{"command": "sh", "args": []any{"-c", script}, "init": true}).start()
		r.until("ready")
		began := time.Now()
		if err := r.d.Stop(t.Context(), r.task.ID, time.Minute, "SIGTERM"); err != nil {
			t.Fatal(err)
		}
		res, err := r.d.Wait(t.Context(), r.task.ID)
		if err != nil || res.ExitCode != code || time.Since(began) > 30*time.Second {
			t.Errorf("%+v %v, want %d", res, err, code)
		}
	}
	r := w.run(map[string]any{"command": "sh", "args": []any{"-c", "tty; stty size; echo to the other >&2; seq 3000 | tail -n 1; exit 3"}, "tty": true})
	if res := r.finish(); res.ExitCode != 3 || r.out.String() != "/dev/pts/0\r\n24 80\r\nto the other\r\n3000\r\n" {
		t.Errorf("with a terminal: %+v %q", res, r.out.String())
	}
	r = w.run(map[string]any{"command": "/none", "init": true})
	if _, err := r.d.Start(t.Context(), r.task); err == nil || !strings.Contains(err.Error(), "/none") {
		t.Errorf("a program that is not there: %v", err)
	}
}
