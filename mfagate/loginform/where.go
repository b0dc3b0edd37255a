package loginform

import (
	"bytes"
	"io"
	"net/http"
	"strings"
)

// A verdict says whether conditions on a body hold.
type verdict int

const (
	no      verdict = iota
	unclear         // in some reading
	yes
	long // the body is too long to be looked at
)

// body judges a request by the conditions of the patterns of a strict table
// that admit it: that of the best one.
func (f *Form) body(r *http.Request, t *table, path string) verdict {
	best := no
	for _, list := range [2][]*pattern{t.exact[path], t.wild} {
		for _, p := range list {
			if !p.path.match(path, false) || !p.admits(r) {
				continue
			}
			if v := f.where(r, p.conditions); v != long {
				best = max(best, v)
			}
		}
	}
	return best
}

// bodyStops tells whether the conditions of a loose pattern may hold.
func (f *Form) bodyStops(r *http.Request, p *pattern, ifLong bool) bool {
	v := f.where(r, p.conditions)
	return v == yes || v == unclear || v == long && ifLong
}

// where judges the body of a request, and puts it back.
func (f *Form) where(r *http.Request, conditions []condition) verdict {
	if len(conditions) == 0 {
		return yes
	}
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 {
		return no
	}
	data, err := peek(r, MaxForm)
	switch {
	case err != nil:
		return unclear
	case len(data) > MaxForm || r.ContentLength > MaxForm:
		return long
	}
	if fields, err := parseBody(r.Header, data); err == nil && fields.meet(conditions) {
		return yes
	}
	if mayMeet(r.Header, data, conditions) {
		return unclear
	}
	return no
}

// peek reads up to limit bytes of a body, and one more to tell that it is
// longer, and puts them back.
func peek(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, nil
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	var rest io.Reader = r.Body
	if err != nil {
		rest = failing{err}
	}
	r.Body = readCloser{io.MultiReader(bytes.NewReader(data), rest), r.Body}
	return data, err
}

type readCloser struct {
	io.Reader
	io.Closer
}

// failing is a reader that fails as another one did.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	return 0, f.err
}

// mayMeet tells whether some reader could find all conditions met.
func mayMeet(h http.Header, data []byte, conditions []condition) bool {
	for _, c := range conditions {
		folded := foldName(c.name())
		w := pairWatch{want: func(name, value string) bool {
			return spell(name).like(folded) && c.value.match(strings.TrimSpace(value))
		}}
		s := newScan(h, &w)
		s.write(data)
		s.end()
		if !w.met {
			return false
		}
	}
	return true
}
