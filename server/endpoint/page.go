package endpoint

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/seraihq/serai/api"
)

// listing says how a list is made from rows.
type listing[T, S any] struct {
	rows  iter.Seq[T]
	order func(a, b T) int // nil: rows come in the order of their tokens
	token func(T) string
	at    func(token string, row T) int // compares a token with a row
	match func(T) bool                  // nil: all rows
	stub  func(T) S
}

// page gives the part of a list that the query asks for, and leaves the token
// of the next one in r.
func page[T, S any](r *Read, q *api.QueryOptions, l listing[T, S]) ([]S, error) {
	f, err := compileFilter(q.Filter)
	if err != nil {
		return nil, err
	}
	if q.PerPage < 0 {
		return nil, api.Errorf(api.ErrInvalid, "per_page must not be negative")
	}
	out := []S{}
	for row := range l.ordered(q) {
		if q.NextToken != "" && before(l.at(q.NextToken, row), q.Reverse) {
			continue
		}
		if l.match != nil && !l.match(row) {
			continue
		}
		ok, err := f.pass(row)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if q.PerPage > 0 && len(out) == q.PerPage {
			r.NextToken = l.token(row)
			break
		}
		out = append(out, l.stub(row))
	}
	return out, nil
}

// before says whether a row that compares so with a token comes before it.
func before(tokenToRow int, reverse bool) bool {
	if reverse {
		return tokenToRow < 0
	}
	return tokenToRow > 0
}

// ordered gives the rows in the order of the list.
func (l *listing[T, S]) ordered(q *api.QueryOptions) iter.Seq[T] {
	if l.order == nil && !q.Reverse {
		return l.rows
	}
	all := slices.Collect(l.rows)
	if l.order != nil {
		slices.SortFunc(all, l.order)
	}
	if q.Reverse {
		slices.Reverse(all)
	}
	return slices.Values(all)
}

// byName lists rows that come in the order of their names.
func byName[T, S any](rows iter.Seq[T], name func(T) string, stub func(T) S) listing[T, S] {
	return listing[T, S]{
		rows: rows, token: name, stub: stub,
		at: func(token string, row T) int { return strings.Compare(token, name(row)) },
	}
}

// byAge lists rows oldest first. Its tokens are "index.id".
func byAge[T, S any](rows iter.Seq[T], created func(T) uint64, id func(T) string, stub func(T) S) listing[T, S] {
	return listing[T, S]{
		rows: rows, stub: stub,
		order: func(a, b T) int {
			return cmp.Or(cmp.Compare(created(a), created(b)), strings.Compare(id(a), id(b)))
		},
		token: func(row T) string { return strconv.FormatUint(created(row), 10) + "." + id(row) },
		at: func(token string, row T) int {
			index, rest, _ := strings.Cut(token, ".")
			n, _ := strconv.ParseUint(index, 10, 64)
			return cmp.Or(cmp.Compare(n, created(row)), strings.Compare(rest, id(row)))
		},
	}
}

func same[T any](v T) T { return v }
