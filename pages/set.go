package pages

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"time"

	"golang.org/x/text/language"
)

//go:embed templates lang static
var builtin embed.FS

// A Set is a set of pages in several languages. It is safe for concurrent use.
// Make one with [New]; the zero Set has no pages.
type Set struct {
	languages []*catalogue // the default first
	matcher   language.Matcher
	templates map[string]*template.Template // by page, or page/factor
	assets    map[string]asset              // by path
	paths     map[string]string             // of assets, by plain file name
	now       func() time.Time
}

// New returns the pages that o describes. All files are read, and all
// templates compiled and tried, here: a theme that is broken is an error now,
// not a surprise for the first person who meets it.
func New(o Options) (*Set, error) {
	files := overlay{top: o.Overlay, base: builtin}
	s := &Set{now: time.Now}
	if err := s.loadLanguages(files, o.Languages); err != nil {
		return nil, err
	}
	if err := s.loadAssets(files); err != nil {
		return nil, err
	}
	if err := s.loadTemplates(files); err != nil {
		return nil, err
	}
	return s, nil
}

// overlay is a file system on top of another one, of which either may lack a
// file. Only absence falls through: a file that is there and cannot be read is
// an error.
type overlay struct{ top, base fs.FS }

func (o overlay) read(name string) ([]byte, error) {
	if o.top != nil {
		data, err := fs.ReadFile(o.top, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
	}
	return fs.ReadFile(o.base, name)
}

// names lists the files and folders directly in a folder of either one.
func (o overlay) names(dir string) (map[string]bool, error) {
	names := map[string]bool{}
	for _, fsys := range []fs.FS{o.base, o.top} {
		if fsys == nil {
			continue
		}
		entries, err := fs.ReadDir(fsys, dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("reading the folder %s: %w", dir, err)
		}
		for _, e := range entries {
			names[e.Name()] = true
		}
	}
	return names, nil
}
