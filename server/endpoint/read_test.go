package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seraihq/serai/api"
	"github.com/seraihq/serai/server/fsm"
	"github.com/seraihq/serai/server/state"
)

// bench is the endpoints over a real store; the log is a lock.
type bench struct {
	t *testing.T
	*Endpoints

	mu    sync.Mutex
	fsm   *fsm.FSM
	index uint64
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, index: 10}
	store := state.New()
	b.fsm = fsm.New(store)
	b.Endpoints = New(Config{
		Store: store, Log: b, Logger: slog.New(slog.DiscardHandler), Region: "global",
		Limits: Limits{JobMaxPriority: 100, JobMaxCount: 1000, JobMaxSourceSize: 1 << 10, SearchFuzzy: true, SearchLimitQuery: 20, SearchLimitResults: 100, SearchMinTerm: 2},
	})
	return b
}

func (b *bench) Apply(_ context.Context, c fsm.Command) (any, uint64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entry, err := fsm.Encode(c)
	if err != nil {
		return nil, 0, err
	}
	b.index++
	result, err := b.fsm.Apply(b.index, entry)
	return result, b.index, err
}

func (b *bench) apply(c fsm.Command) uint64 {
	b.t.Helper()
	_, index, err := b.Apply(b.t.Context(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	return index
}

// call runs an operation.
func call[Req, Resp any](b *bench, op api.Op[Req, Resp], req *Req) (Resp, api.Meta, error) {
	resp, meta, err := b.Handle(b.t.Context(), op.Endpoint, req)
	out, _ := resp.(Resp)
	return out, meta, err
}

func (b *bench) job(namespace, id string, change func(*api.Job)) {
	j := &api.Job{ID: id, Name: id, Namespace: namespace, Type: "service", Priority: 50, Region: "global", TaskGroups: []*api.TaskGroup{{Name: "g", Count: 1, Tasks: []*api.Task{{Name: "t", Driver: "mock_driver"}}}}}
	if change != nil {
		change(j)
	}
	b.apply(&fsm.JobRegister{Job: j})
}

func ids(list []*api.JobListStub) []string {
	out := []string{}
	for _, j := range list {
		out = append(out, j.Namespace+"/"+j.ID)
	}
	return out
}

func TestListPagesFiltersAndOrder(t *testing.T) {
	b := newBench(t)
	b.apply(&fsm.NamespaceUpsert{Namespaces: []*api.Namespace{{Name: "team"}}})
	for _, id := range []string{"a1", "a2", "b1", "b2"} {
		b.job("default", id, func(j *api.Job) {
			if id == "a2" {
				j.Type, j.Meta = "batch", map[string]string{"owner": "me"}
			}
		})
	}
	b.job("team", "c1", nil)
	for name, c := range map[string]struct {
		q    api.QueryOptions
		want string
		next string
	}{
		"default namespace":         {q: api.QueryOptions{}, want: "default/a1 default/a2 default/b1 default/b2"},
		"all namespaces":            {q: api.QueryOptions{Namespace: "*"}, want: "default/a1 default/a2 default/b1 default/b2 team/c1"},
		"prefix":                    {q: api.QueryOptions{Prefix: "b"}, want: "default/b1 default/b2"},
		"filter":                    {q: api.QueryOptions{Filter: `Type == "batch"`}, want: "default/a2"},
		"filter on the full object": {q: api.QueryOptions{Filter: `"owner" in Meta and TaskGroups is not empty`}, want: "default/a2"},
		"first page":                {q: api.QueryOptions{PerPage: 2}, want: "default/a1 default/a2", next: "default.b1"},
		"second page":               {q: api.QueryOptions{PerPage: 2, NextToken: "default.b1"}, want: "default/b1 default/b2"},
		"page from a gone row":      {q: api.QueryOptions{PerPage: 1, NextToken: "default.a11"}, want: "default/a2", next: "default.b1"},
		"reverse":                   {q: api.QueryOptions{Reverse: true, PerPage: 3}, want: "default/b2 default/b1 default/a2", next: "default.a1"},
		"reverse, next":             {q: api.QueryOptions{Reverse: true, PerPage: 3, NextToken: "default.a1"}, want: "default/a1"},
		"pages of what passes":      {q: api.QueryOptions{Filter: `Type == "service"`, PerPage: 1}, want: "default/a1", next: "default.b1"},
	} {
		list, meta, err := call(b, api.JobsList, &api.JobsListRequest{QueryOptions: c.q})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := strings.Join(ids(list), " "); got != c.want || meta.NextToken != c.next {
			t.Errorf("%s: %q next %q, want %q next %q", name, got, meta.NextToken, c.want, c.next)
		}
	}
}

func TestListRefuses(t *testing.T) {
	b := newBench(t)
	b.job("default", "a", nil)
	for name, c := range map[string]struct {
		q    api.QueryOptions
		kind error
	}{
		"broken filter":     {api.QueryOptions{Filter: `Type ==`}, api.ErrInvalid},
		"unknown field":     {api.QueryOptions{Filter: `Nope == "x"`}, api.ErrInvalid},
		"broken regexp":     {api.QueryOptions{Filter: `ID matches "("`}, api.ErrInvalid},
		"long filter":       {api.QueryOptions{Filter: strings.Repeat(`ID == "a" or `, 1000) + `ID == "a"`}, api.ErrInvalid},
		"nested filter":     {api.QueryOptions{Filter: strings.Repeat("(", 2000) + `ID == "a"` + strings.Repeat(")", 2000)}, api.ErrInvalid},
		"negative page":     {api.QueryOptions{PerPage: -1}, api.ErrInvalid},
		"unknown namespace": {api.QueryOptions{Namespace: "nope"}, api.ErrNotFound},
	} {
		if _, _, err := call(b, api.JobsList, &api.JobsListRequest{QueryOptions: c.q}); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := call(b, api.JobRead, &api.JobReadRequest{ID: "a", QueryOptions: api.QueryOptions{Namespace: "*"}}); !errors.Is(err, api.ErrInvalid) {
		t.Errorf("reading one job of all namespaces: %v", err)
	}
	if _, _, err := call(b, api.JobsList, &api.JobsListRequest{QueryOptions: api.QueryOptions{Region: "mars"}}); err == nil || !strings.HasPrefix(err.Error(), "No path to region") {
		t.Errorf("another region: %v", err)
	}
}

func TestEvaluationsAreOldestFirst(t *testing.T) {
	b := newBench(t)
	for i, id := range []string{"cc", "aa", "bb"} {
		b.apply(&fsm.EvalUpsert{Evals: []*api.Evaluation{{ID: id, Namespace: "default", JobID: fmt.Sprint("j", i), Status: api.EvalComplete}}})
	}
	var got []string
	token := ""
	for {
		list, meta, err := call(b, api.EvaluationsList, &api.EvaluationsListRequest{QueryOptions: api.QueryOptions{PerPage: 1, NextToken: token}})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, list[0].ID)
		if token = meta.NextToken; token == "" {
			break
		}
	}
	if !slices.Equal(got, []string{"cc", "aa", "bb"}) {
		t.Errorf("pages give %v", got)
	}
}

func TestBlockingReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.job("default", "web", nil)
		_, meta, err := call(b, api.JobRead, &api.JobReadRequest{ID: "web"})
		if err != nil || meta.Index == 0 {
			t.Fatalf("%v, index %d", err, meta.Index)
		}
		type answer struct {
			version uint64
			meta    api.Meta
			took    time.Duration
		}
		ask := func(index uint64, wait time.Duration) <-chan answer {
			got := make(chan answer, 1)
			begin := time.Now()
			go func() {
				j, m, err := call(b, api.JobRead, &api.JobReadRequest{ID: "web", QueryOptions: api.QueryOptions{Index: index, Wait: api.Duration(wait)}})
				if err != nil {
					t.Error(err)
					j = &api.Job{}
				}
				got <- answer{j.Version, m, time.Since(begin)}
			}()
			synctest.Wait()
			return got
		}
		// Without a change the answer comes when the time is up, a little spread.
		if a := <-ask(meta.Index, time.Minute); a.took < time.Minute || a.took > time.Minute+4*time.Second || a.meta.Index != meta.Index {
			t.Errorf("waited %v, index %d", a.took, a.meta.Index)
		}
		// No longer than the cap, whatever is asked for.
		if a := <-ask(meta.Index, time.Hour); a.took < 300*time.Second || a.took > 319*time.Second {
			t.Errorf("waited %v", a.took)
		}
		// A change of another job does not wake it, one of this job does, at once.
		waiting := ask(meta.Index, time.Minute)
		time.Sleep(time.Second)
		b.job("default", "db", nil)
		synctest.Wait()
		select {
		case <-waiting:
			t.Error("a change of another job ended the wait")
		default:
		}
		b.job("default", "web", func(j *api.Job) { j.Priority = 60 })
		if a := <-waiting; a.took != time.Second || a.version != 1 || a.meta.Index <= meta.Index {
			t.Errorf("waited %v for version %d at index %d", a.took, a.version, a.meta.Index)
		}
		// An index that is older than the state is answered at once.
		if a := <-ask(meta.Index, time.Minute); a.took != 0 {
			t.Errorf("waited %v", a.took)
		}
	})
}

func TestBlockingReadEndsWithItsCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		ctx, cancel := context.WithCancel(t.Context())
		got := make(chan error, 1)
		go func() {
			_, _, err := b.Handle(ctx, api.JobsList.Endpoint, &api.JobsListRequest{QueryOptions: api.QueryOptions{Index: 1 << 40}})
			got <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-got; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnAbsentJobCanBeWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.job("default", "other", nil)
		_, meta, err := call(b, api.JobRead, &api.JobReadRequest{ID: "web"})
		if !errors.Is(err, api.ErrNotFound) {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() {
			_, _, err := call(b, api.JobRead, &api.JobReadRequest{ID: "web", QueryOptions: api.QueryOptions{Index: meta.Index}})
			got <- err
		}()
		synctest.Wait()
		b.job("default", "web", nil)
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

func TestEveryServerOperationIsAnswered(t *testing.T) {
	b := newBench(t)
	for _, op := range api.Endpoints {
		if op.Kind == api.OnAgent || op.Kind == api.OnNode {
			continue
		}
		if !b.Answers(op) {
			t.Errorf("%s is in the table and not answered", op.Name)
		}
	}
}

// A key that a map does not have is absent, and no mistake: it is equal to
// nothing. A field that the type does not have is a mistake, which is told.
func TestFilterOfAbsentKeys(t *testing.T) {
	job := &api.Job{ID: "a", TaskGroups: []*api.TaskGroup{{Name: "g", Meta: map[string]string{"team": "web"}}}}
	node := &api.Node{Attributes: map[string]string{"cpu.arch": "amd64"}, Meta: map[string]string{"rack": "r1"}}
	for _, c := range []struct {
		object any
		text   string
		want   bool
	}{
		{job, `Meta.team == "web"`, false},
		{job, `Meta.team != "web"`, true},
		{job, `Meta.team is empty`, true},
		{job, `Meta.team matches "^w"`, false},
		{job, `"w" in Meta.team`, false},
		{job, `"team" in Meta`, false},
		{job, `any TaskGroups as g { g.Meta.team == "web" }`, true},
		{job, `any TaskGroups as g { g.Meta.cost == "1" }`, false},
		{node, `Meta.rack == "r1" and Meta.row != "2"`, true},
		{node, `Attributes["cpu.arch"] == "amd64"`, true},
		{node, `Attributes["gpu.model"] == "a100"`, false},
		{node, `"cpu.arch" in Attributes`, true},
	} {
		f, err := compileFilter(c.text)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got, err := f.pass(c.object); err != nil || got != c.want {
			t.Errorf("%s: %v, %v; want %v", c.text, got, err, c.want)
		}
	}
	for _, text := range []string{`Mata.team == "web"`, `any TaskGroups as g { g.Nope == "x" }`} {
		f, err := compileFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.pass(job); !errors.Is(err, api.ErrInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// FuzzFilter: no filter may panic or take long.
func FuzzFilter(f *testing.F) {
	f.Add(`Type == "batch" and not (ID matches "^a" or "x" in Meta)`)
	f.Add(`((((((((ID == "a"))))))))`)
	f.Fuzz(func(t *testing.T, text string) {
		begin := time.Now()
		x, err := compileFilter(text)
		if err == nil {
			_, _ = x.pass(&api.Job{ID: "a", Meta: map[string]string{"x": "y"}})
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("%v for %q", took, text)
		}
	})
}
