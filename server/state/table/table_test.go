package table

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// item is a row of the tests: found by id, by group, by tag and by code.
type item struct {
	id       string
	group    string
	tags     []string
	code     int
	modified uint64
}

type fixture struct {
	store *Store
	items *Table[string, *item]
	group *Index[string, string, *item]
	tag   *Index[string, string, *item]
	code  *Index[int, string, *item]
	other *Table[string, *item]
}

func newFixture() *fixture {
	f := &fixture{store: NewStore()}
	key := func(i *item) string { return i.id }
	f.items = Add(f.store, Config[string, *item]{Name: "items", Key: key, Compare: strings.Compare, Modified: func(i *item) uint64 { return i.modified }})
	f.group = AddIndex(f.items, "group", strings.Compare, func(i *item, dst []string) []string { return append(dst, i.group) })
	f.tag = AddIndex(f.items, "tag", strings.Compare, func(i *item, dst []string) []string { return append(dst, i.tags...) })
	f.code = AddUnique(f.items, "code", cmp.Compare[int], func(i *item, dst []int) []int {
		if i.code == 0 {
			return dst
		}
		return append(dst, i.code)
	})
	f.other = Add(f.store, Config[string, *item]{Name: "other", Key: key, Compare: strings.Compare})
	return f
}

func (f *fixture) put(index uint64, items ...*item) *View {
	tx := f.store.Begin(index)
	for _, i := range items {
		i.modified = index
		f.items.Put(tx, i)
	}
	return tx.Commit()
}

func ids(seq func(func(*item) bool)) string {
	var out []string
	for i := range seq {
		out = append(out, i.id)
	}
	return strings.Join(out, " ")
}

func TestReads(t *testing.T) {
	f := newFixture()
	v := f.put(1, &item{id: "b", group: "x", tags: []string{"red", "blue"}, code: 7}, &item{id: "a", group: "x"}, &item{id: "c", group: "y", tags: []string{"red"}})
	for name, got := range map[string][2]string{
		"all":       {ids(f.items.All(v)), "a b c"},
		"backward":  {ids(f.items.Backward(v)), "c b a"},
		"from":      {ids(f.items.From(v, "b")), "b c"},
		"down from": {ids(f.items.DownFrom(v, "b")), "b a"},
		"group x":   {ids(f.group.Range(v, "x")), "a b"},
		"tag red":   {ids(f.tag.Range(v, "red")), "b c"},
		"tag none":  {ids(f.tag.Range(v, "none")), ""},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: got %q, want %q", name, got[0], got[1])
		}
	}
	if i, ok := f.code.Lookup(v, 7); !ok || i.id != "b" {
		t.Error("unique index misses b")
	}
	tx := f.store.Begin(2)
	f.items.Put(tx, &item{id: "b", group: "y"})
	f.items.Delete(tx, "a")
	if got := ids(f.group.Range(tx, "y")); got != "b c" {
		t.Errorf("a transaction does not read its own writes: %q", got)
	}
	if got := ids(f.items.All(v)); got != "a b c" {
		t.Errorf("a view changed: %q", got)
	}
	tx.Abort()
	if got := ids(f.items.All(f.store.View())); got != "a b c" {
		t.Errorf("an aborted transaction left %q", got)
	}
}

func TestUniqueIndexPanics(t *testing.T) {
	f := newFixture()
	f.put(1, &item{id: "a", code: 7})
	tx := f.store.Begin(2)
	defer tx.Abort()
	defer func() {
		if recover() == nil {
			t.Error("two rows share a unique key")
		}
	}()
	f.items.Put(tx, &item{id: "b", code: 7})
}

// model is what the tables should hold.
type model map[string]item

func (m model) matches(t *rapid.T, f *fixture, r Reader) {
	var want []string
	groups, tags := map[string][]string{}, map[string][]string{}
	for id, i := range m {
		want = append(want, id)
		groups[i.group] = append(groups[i.group], id)
		for _, tag := range i.tags {
			tags[tag] = append(tags[tag], id)
		}
	}
	slices.Sort(want)
	if got := ids(f.items.All(r)); got != strings.Join(want, " ") {
		t.Fatalf("rows are %q, want %q", got, want)
	}
	for _, g := range []string{"g0", "g1", "g2"} {
		slices.Sort(groups[g])
		if got := ids(f.group.Range(r, g)); got != strings.Join(groups[g], " ") {
			t.Fatalf("group %s is %q, want %q", g, got, groups[g])
		}
	}
	for _, tag := range []string{"t0", "t1", "t2"} {
		slices.Sort(tags[tag])
		if got := ids(f.tag.Range(r, tag)); got != strings.Join(tags[tag], " ") {
			t.Fatalf("tag %s is %q, want %q", tag, got, tags[tag])
		}
	}
	for id, i := range m {
		got, ok := f.items.Get(r, id)
		if !ok || got.group != i.group || !slices.Equal(got.tags, i.tags) {
			t.Fatalf("row %s is %+v, want %+v", id, got, i)
		}
	}
}

// TestModel runs random transactions and compares every view there ever was,
// with all indexes, with what a plain map says.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFixture()
		now := model{}
		type past struct {
			view *View
			want model
		}
		var views []past
		for index := uint64(1); index <= uint64(rapid.IntRange(1, 12).Draw(t, "transactions")); index++ {
			tx := f.store.Begin(index)
			next := model{}
			for k, v := range now {
				next[k] = v
			}
			for range rapid.IntRange(0, 40).Draw(t, "writes") {
				id := fmt.Sprintf("i%03d", rapid.IntRange(0, 120).Draw(t, "id"))
				if rapid.IntRange(0, 3).Draw(t, "op") == 0 {
					f.items.Delete(tx, id)
					delete(next, id)
					continue
				}
				i := item{id: id, group: fmt.Sprint("g", rapid.IntRange(0, 2).Draw(t, "group"))}
				for n := range 3 {
					if rapid.Bool().Draw(t, "tag") {
						i.tags = append(i.tags, fmt.Sprint("t", n))
					}
				}
				row := i
				f.items.Put(tx, &row)
				next[id] = i
			}
			next.matches(t, f, tx)
			if rapid.IntRange(0, 4).Draw(t, "abort") == 0 {
				tx.Abort()
			} else {
				now = next
				tx.Commit()
			}
			views = append(views, past{f.store.View(), now})
		}
		for _, p := range views {
			p.want.matches(t, f, p.view)
		}
	})
}

// TestReadersBesideTheWriter has readers check the views they take, with the
// race detector looking, while the writer goes on.
func TestReadersBesideTheWriter(t *testing.T) {
	f := newFixture()
	const rows = 300
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				v := f.store.View()
				n := 0
				var at uint64
				for i := range f.items.All(v) {
					if n == 0 {
						at = i.modified
					}
					if i.modified != at {
						t.Errorf("a view mixes transactions %d and %d", at, i.modified)
						return
					}
					n++
				}
				if n != 0 && n != rows {
					t.Errorf("a view has %d rows of %d", n, rows)
					return
				}
				for range f.group.Range(v, "g1") {
					break
				}
			}
		})
	}
	for index := uint64(1); index <= 150; index++ {
		batch := make([]*item, rows)
		for i := range batch {
			batch[i] = &item{id: fmt.Sprint("i", i), group: fmt.Sprint("g", (uint64(i)+index)%3)}
		}
		f.put(index, batch...)
	}
	cancel()
	wg.Wait()
}

func TestTrackerIndex(t *testing.T) {
	f := newFixture()
	f.put(5, &item{id: "a", group: "x"})
	f.put(9, &item{id: "b", group: "y"})
	for name, c := range map[string]struct {
		read func(Reader)
		want uint64
	}{
		"nothing":       {func(Reader) {}, 1},
		"hit":           {func(r Reader) { f.items.Get(r, "a") }, 5},
		"miss":          {func(r Reader) { f.items.Get(r, "none") }, 9},
		"table":         {func(r Reader) { f.items.All(r) }, 9},
		"index":         {func(r Reader) { f.group.Range(r, "x") }, 9},
		"hits":          {func(r Reader) { f.items.Get(r, "a"); f.items.Get(r, "b") }, 9},
		"empty table":   {func(r Reader) { f.other.All(r) }, 1},
		"miss in empty": {func(r Reader) { f.other.Get(r, "x") }, 1},
	} {
		v, tr := f.store.View().Track()
		c.read(v)
		if got := tr.Index(); got != c.want {
			t.Errorf("%s: index %d, want %d", name, got, c.want)
		}
	}
}

// TestWaitWakesForWhatWasRead says for each kind of read which changes wake it.
func TestWaitWakesForWhatWasRead(t *testing.T) {
	reads := map[string]func(*fixture, Reader){
		"row a":   func(f *fixture, r Reader) { f.items.Get(r, "a") },
		"row z":   func(f *fixture, r Reader) { f.items.Get(r, "z") },
		"group x": func(f *fixture, r Reader) { f.group.Range(r, "x") },
		"tag red": func(f *fixture, r Reader) { f.tag.Range(r, "red") },
		"table":   func(f *fixture, r Reader) { f.items.All(r) },
		"other":   func(f *fixture, r Reader) { f.other.All(r) },
	}
	for name, c := range map[string]struct {
		change func(*fixture, *Tx)
		wakes  []string
	}{
		"change a":       {func(f *fixture, tx *Tx) { f.items.Put(tx, &item{id: "a", group: "x"}) }, []string{"row a", "group x", "table"}},
		"move a":         {func(f *fixture, tx *Tx) { f.items.Put(tx, &item{id: "a", group: "y"}) }, []string{"row a", "group x", "table"}},
		"change b":       {func(f *fixture, tx *Tx) { f.items.Put(tx, &item{id: "b", group: "y"}) }, []string{"table"}},
		"insert z":       {func(f *fixture, tx *Tx) { f.items.Put(tx, &item{id: "z", group: "x", tags: []string{"red"}}) }, []string{"row z", "group x", "tag red", "table"}},
		"delete a":       {func(f *fixture, tx *Tx) { f.items.Delete(tx, "a") }, []string{"row a", "group x", "table"}},
		"delete nothing": {func(f *fixture, tx *Tx) { f.items.Delete(tx, "none") }, nil},
		"other table":    {func(f *fixture, tx *Tx) { f.other.Put(tx, &item{id: "a"}) }, []string{"other"}},
	} {
		for readName, read := range reads {
			t.Run(name+"/"+readName, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f := newFixture()
					f.put(1, &item{id: "a", group: "x"}, &item{id: "b", group: "y"})
					v, tr := f.store.View().Track()
					read(f, v)
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					done := make(chan error, 1)
					go func() { done <- tr.Wait(ctx) }()
					synctest.Wait()
					tx := f.store.Begin(2)
					c.change(f, tx)
					tx.Commit()
					err := <-done
					if woke := err == nil; woke != slices.Contains(c.wakes, readName) {
						t.Errorf("woke is %v", woke)
					}
					if n := f.items.watch.active.Load() + f.other.watch.active.Load(); n != 0 {
						t.Errorf("%d watches are left behind", n)
					}
				})
			})
		}
	}
}

func TestWaitSeesWhatCameBefore(t *testing.T) {
	f := newFixture()
	v, tr := f.store.View().Track()
	f.items.Get(v, "a")
	f.put(1, &item{id: "a"})
	if err := tr.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestManyReadsBecomeOneOfTheTable(t *testing.T) {
	f := newFixture()
	v, tr := f.store.View().Track()
	for i := range 10 * maxReads {
		f.items.Get(v, fmt.Sprint(i))
	}
	if n := tr.Reads(); n > maxReads+1 {
		t.Errorf("%d reads are kept", n)
	}
	f.put(1, &item{id: "2000"})
	if !tr.Changed() {
		t.Error("a change to a row that was read is missed")
	}
}

func TestFeed(t *testing.T) {
	f := newFixture()
	f.put(1, &item{id: "a"})
	v, sub := f.store.Subscribe(2, "items")
	defer sub.Close()
	if v.Index() != 1 {
		t.Fatalf("subscription starts at %d", v.Index())
	}
	tx := f.store.Begin(2)
	f.items.Put(tx, &item{id: "a", group: "x"})
	f.other.Put(tx, &item{id: "o"})
	f.items.Delete(tx, "a")
	tx.Commit()
	f.store.Begin(3).Commit() // changes nothing
	c, err := sub.Next(t.Context())
	if err != nil || c.Index != 2 || c.View.Index() != 2 || len(c.Changes) != 2 {
		t.Fatalf("got %+v, %v", c, err)
	}
	if u, d := c.Changes[0], c.Changes[1]; u.Op != Update || u.Old.(*item).group != "" || u.New.(*item).group != "x" || d.Op != Delete || d.New != nil {
		t.Errorf("changes are %+v", c.Changes)
	}
	if _, ok, err := sub.Try(); ok || err != nil {
		t.Errorf("a commit without changes was delivered (%v)", err)
	}
	for i := uint64(4); i < 7; i++ {
		f.put(i, &item{id: "b"})
	}
	if _, err := sub.Next(t.Context()); !errors.Is(err, ErrGap) {
		t.Errorf("an overflow gave %v", err)
	}
}

// Entries that share a transaction arrive one by one, with the view after all.
func TestFeedOfSeveralEntries(t *testing.T) {
	f := newFixture()
	_, sub := f.store.Subscribe(8, "items")
	defer sub.Close()
	tx := f.store.Begin(2)
	f.items.Put(tx, &item{id: "a"})
	tx.Next(3)
	if tx.Changed() {
		t.Error("changed before it did anything")
	}
	f.other.Put(tx, &item{id: "o"})
	if !tx.Changed() {
		t.Error("not changed")
	}
	tx.Next(4)
	f.items.Put(tx, &item{id: "b"})
	f.items.Put(tx, &item{id: "a", group: "x"})
	tx.Next(5)
	v := tx.Commit()
	if v.Index() != 5 || f.items.Index(v) != 4 || f.other.Index(v) != 3 {
		t.Errorf("view %d, items %d, others %d", v.Index(), f.items.Index(v), f.other.Index(v))
	}
	for _, want := range []struct {
		index   uint64
		changes int
	}{{2, 1}, {4, 2}} {
		c, ok, err := sub.Try()
		if !ok || err != nil || c.Index != want.index || len(c.Changes) != want.changes || c.View.Index() != 5 {
			t.Errorf("commit %+v, %v, %v; want %+v", c, ok, err, want)
		}
	}
	if _, ok, _ := sub.Try(); ok {
		t.Error("one too many")
	}
}

func TestSwap(t *testing.T) {
	f, fresh := newFixture(), newFixture()
	f.put(3, &item{id: "old"})
	fresh.put(2, &item{id: "new"})
	_, sub := f.store.Subscribe(10)
	v, tr := f.store.View().Track()
	f.items.Get(v, "old")
	f.store.Swap(fresh.store)
	if !tr.Changed() {
		t.Error("a watch sleeps through a swap")
	}
	if _, err := sub.Next(t.Context()); !errors.Is(err, ErrGap) {
		t.Errorf("a subscription survives a swap: %v", err)
	}
	if got := ids(f.items.All(f.store.View())); got != "new" {
		t.Errorf("the store holds %q", got)
	}
	f.put(4, &item{id: "more"})
	if got := ids(f.items.All(f.store.View())); got != "more new" {
		t.Errorf("the store holds %q after a write", got)
	}
}

func TestWaitIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture()
		done := make(chan uint64)
		go func() {
			v, err := f.store.WaitIndex(t.Context(), 3)
			if err != nil {
				t.Error(err)
			}
			done <- v.Index()
		}()
		for i := uint64(1); i <= 3; i++ {
			synctest.Wait()
			f.store.Begin(i).Commit()
		}
		if got := <-done; got != 3 {
			t.Errorf("got %d", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.store.WaitIndex(ctx, 4); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func BenchmarkView(b *testing.B) {
	f := newFixture()
	for i := range 10000 {
		f.put(uint64(i+1), &item{id: fmt.Sprint(i)})
	}
	b.ResetTimer()
	for b.Loop() {
		f.store.View()
	}
}

// BenchmarkWake commits a change to one row that somebody waits for, among
// ten thousand who wait for other rows.
func BenchmarkWake(b *testing.B) {
	f := newFixture()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var wg sync.WaitGroup
	for i := range 10000 {
		v, tr := f.store.View().Track()
		f.items.Get(v, fmt.Sprint("other", i))
		wg.Go(func() { _ = tr.Wait(ctx) })
	}
	for f.items.watch.active.Load() < 10000 {
		time.Sleep(time.Millisecond) // set-up of a benchmark, not a test
	}
	index := uint64(0)
	for b.Loop() {
		index++
		v, tr := f.store.View().Track()
		f.items.Get(v, "row")
		woke := make(chan struct{})
		go func() { _ = tr.Wait(ctx); close(woke) }()
		f.put(index, &item{id: "row"})
		<-woke
	}
	cancel()
	wg.Wait()
}
