package learn

import (
	"cmp"
	"slices"
)

// A table counts things by key. When it is full, the one that was seen least makes
// room, of equals the one that is there for longest.
type table[T any] struct {
	most int
	all  map[string]*row[T]
	born int  // how many rows there ever were
	lost bool // something had to make room
}

type row[T any] struct {
	count int
	born  int
	value T
}

func newTable[T any](most int) table[T] {
	return table[T]{most: most, all: make(map[string]*row[T])}
}

// see counts one more of a key, and returns its row. fresh is what a new one starts with.
func (t *table[T]) see(key string, fresh func() T) (r *row[T], first bool) {
	if r = t.all[key]; r != nil {
		r.count++
		return r, false
	}
	if len(t.all) >= t.most {
		t.lost = true
		t.makeRoom()
	}
	t.born++
	r = &row[T]{count: 1, born: t.born, value: fresh()}
	t.all[key] = r
	return r, true
}

func (t *table[T]) makeRoom() {
	var least string
	for key, r := range t.all {
		if l := t.all[least]; l == nil || r.count < l.count || r.count == l.count && r.born < l.born {
			least = key
		}
	}
	delete(t.all, least)
}

// sorted returns the rows, the one seen most first.
func (t *table[T]) sorted() []*row[T] {
	rows := make([]*row[T], 0, len(t.all))
	for _, r := range t.all {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *row[T]) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.born, b.born))
	})
	return rows
}
