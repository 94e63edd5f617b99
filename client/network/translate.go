package network

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/google/nftables"
	mdl "github.com/mdlayher/netlink"
)

// sendBuffer holds the whole of a transaction: about 500 bytes a pod.
const sendBuffer = 8 << 20

// connect opens a connection to nftables in the calling thread's namespace.
func connect() (*nftables.Conn, error) {
	c, err := nftables.New(nftables.WithSockOptions(func(c *mdl.Conn) error {
		// Without the right to it the default serves a few hundred pods.
		_ = c.SetWriteBuffer(sendBuffer)
		return nil
	}))
	if err != nil {
		return nil, fmt.Errorf("nftables: %w", err)
	}
	return c, nil
}

// translator keeps the tables as they should be. Many who ask at once are served
// by one transaction.
type translator struct {
	state func() (desired, bool) // false: there is nothing to be kept

	turn turn
	mu   sync.Mutex
	next *application // not begun yet; whoever comes now is served by it

	// Of whoever has the turn: what the tables were made from last, nil before that,
	// and how the kernel shows their rules.
	made  *desired
	rules string
}

// application is one transaction to come.
type application struct {
	done chan struct{}
	err  error
}

func newTranslator(state func() (desired, bool)) *translator {
	return &translator{state: state, turn: newTurn()}
}

// apply returns when the tables hold what was wanted at the time of the call.
func (t *translator) apply(ctx context.Context) error {
	t.mu.Lock()
	a, first := t.next, t.next == nil
	if first {
		a = &application{done: make(chan struct{})}
		t.next = a
	}
	t.mu.Unlock()
	if first {
		t.serve(a)
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *translator) serve(a *application) {
	t.turn <- struct{}{}
	defer t.turn.give()
	t.mu.Lock()
	t.next = nil
	t.mu.Unlock()
	defer close(a.done)
	if d, wanted := t.state(); wanted {
		a.err = t.put(d)
	}
}

// put brings the tables up to date: by the elements that differ where they stand,
// else as a whole.
func (t *translator) put(d desired) error {
	if t.made != nil {
		if err := adjust(*t.made, d); err == nil {
			t.made = &d
			return nil
		}
		t.made = nil // somebody has been at them
	}
	if err := replace(d); err != nil {
		return err
	}
	rules, _, err := shown(d.bridge)
	if err == nil {
		t.rules, t.made = rules, &d
	}
	return err
}

// adjust changes the elements of the sets, in one transaction. The rules are the
// same for all pods.
func adjust(old, now desired) error {
	conn, err := connect()
	if err != nil {
		return err
	}
	b := &batch{conn: conn}
	inet, frames := tablesOf(now.bridge)
	before, after := append(old.packetSets(inet), old.guardSets(frames)...), append(now.packetSets(inet), now.guardSets(frames)...)
	changes := 0
	for i, l := range after {
		gone, come := differences(before[i].elements, l.elements)
		changes += len(gone) + len(come)
		b.change(l.set, gone, conn.SetDeleteElements)
		b.change(l.set, come, conn.SetAddElements)
	}
	if b.err != nil || changes == 0 {
		return b.err
	}
	return conn.Flush()
}

func differences(before, after []nftables.SetElement) (gone, come []nftables.SetElement) {
	key := func(e nftables.SetElement) string { return string(e.Key) + "\x00" + string(e.Val) }
	had, has := map[string]bool{}, map[string]bool{}
	for _, e := range before {
		had[key(e)] = true
	}
	for _, e := range after {
		has[key(e)] = true
		if !had[key(e)] {
			come = append(come, e)
		}
	}
	for _, e := range before {
		if !has[key(e)] {
			gone = append(gone, e)
		}
	}
	return gone, come
}

// outdated says whether the tables must be made, and whether that is because
// somebody has changed them.
func (t *translator) outdated(ctx context.Context) (yes, changed bool, err error) {
	if err := t.turn.take(ctx); err != nil {
		return false, false, err
	}
	defer t.turn.give()
	d, wanted := t.state()
	if !wanted {
		return false, false, nil
	}
	if t.made == nil {
		return true, false, nil // an earlier agent made them
	}
	rules, sets, err := shown(d.bridge)
	if err != nil {
		return false, false, err
	}
	if rules == t.rules && sets == t.made.sets() {
		return false, false, nil
	}
	t.made = nil
	return true, true, nil
}

// remove removes the tables.
func (t *translator) remove(bridge string) error {
	t.turn <- struct{}{}
	defer t.turn.give()
	t.made = nil
	return removeTables(bridge)
}

// shown describes the tables as they are in the kernel: their rules, and what is
// in their sets. Handles, which change by themselves, are left out.
func shown(bridge string) (rules, sets string, err error) {
	conn, err := connect()
	if err != nil {
		return "", "", err
	}
	var r, s strings.Builder
	inet, frames := tablesOf(bridge)
	for _, t := range []*nftables.Table{inet, frames} {
		if err = describe(conn, t, &r, &s); err != nil {
			return "", "", fmt.Errorf("nftables: table %s: %w", t.Name, err)
		}
	}
	return r.String(), s.String(), nil
}

func describe(conn *nftables.Conn, t *nftables.Table, rules, sets *strings.Builder) error {
	tables, err := conn.ListTablesOfFamily(t.Family)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(tables, func(x *nftables.Table) bool { return x.Name == t.Name }) {
		return nil // what is not there differs from all that is
	}
	chains, err := conn.ListChainsOfTableFamily(t.Family)
	if err != nil {
		return err
	}
	for _, c := range chains {
		if c.Table.Name != t.Name {
			continue
		}
		if err := describeChain(conn, t, c, rules); err != nil {
			return err
		}
	}
	list, err := conn.GetSets(t)
	if err != nil {
		return err
	}
	var all []listed
	for _, s := range list {
		elements, err := conn.GetSetElements(s)
		if err != nil {
			return err
		}
		all = append(all, listed{s, elements})
	}
	describeSets(all, sets)
	return nil
}

func describeChain(conn *nftables.Conn, t *nftables.Table, c *nftables.Chain, out *strings.Builder) error {
	fmt.Fprintf(out, "chain %s %v", c.Name, c.Type)
	if c.Hooknum != nil && c.Priority != nil {
		fmt.Fprintf(out, " %d %d", *c.Hooknum, *c.Priority)
	}
	rules, err := conn.GetRules(t, c)
	if err != nil {
		return err
	}
	for _, r := range rules {
		out.WriteString("\n ")
		for _, e := range r.Exprs {
			fmt.Fprintf(out, " %T%+v", e, e)
		}
	}
	out.WriteByte('\n')
	return nil
}

// sets describes what is in the sets as they should be.
func (d desired) sets() string {
	var out strings.Builder
	inet, frames := tablesOf(d.bridge)
	describeSets(d.packetSets(inet), &out)
	describeSets(d.guardSets(frames), &out)
	return out.String()
}

// describeSets writes the sets of one table.
func describeSets(list []listed, out *strings.Builder) {
	slices.SortFunc(list, func(a, b listed) int { return strings.Compare(a.set.Name, b.set.Name) })
	for _, l := range list {
		lines := make([]string, len(l.elements))
		for i, e := range l.elements {
			lines[i] = hex.EncodeToString(e.Key) + ":" + hex.EncodeToString(e.Val)
		}
		slices.Sort(lines)
		fmt.Fprintf(out, "set %s %s\n", l.set.Name, strings.Join(lines, " "))
	}
}
