package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// reference is the language against which all others are checked, and the
// default if the options name none.
const reference = "en"

// A catalogue holds the messages of one language.
type catalogue struct {
	tag     language.Tag
	phrases map[string]phrase
}

// A phrase is one message in its plural forms; most have only "other".
type phrase map[plural.Form]string

var forms = map[string]plural.Form{
	"zero": plural.Zero, "one": plural.One, "two": plural.Two,
	"few": plural.Few, "many": plural.Many, "other": plural.Other,
}

var placeholder = regexp.MustCompile(`\{[0-9]\}`)

// UnmarshalJSON reads a string, or an object of plural forms.
func (p *phrase) UnmarshalJSON(data []byte) error {
	*p = phrase{}
	if data[0] == '"' {
		var text string
		err := json.Unmarshal(data, &text)
		(*p)[plural.Other] = text
		return err
	}
	var texts map[string]string
	if err := json.Unmarshal(data, &texts); err != nil {
		return err
	}
	for name, text := range texts {
		form, ok := forms[name]
		if !ok {
			return fmt.Errorf("unknown plural form %q", name)
		}
		(*p)[form] = text
	}
	if _, ok := (*p)[plural.Other]; !ok {
		return errors.New(`plural form "other" is missing`)
	}
	return nil
}

// placeholders lists which arguments a phrase shows, in any of its forms.
func (p phrase) placeholders() []string {
	found := map[string]bool{}
	for _, text := range p {
		for _, m := range placeholder.FindAllString(text, -1) {
			found[m] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func (s *Set) loadLanguages(files overlay, offered []string) error {
	all, err := readCatalogues(files)
	if err != nil {
		return err
	}
	for tag, c := range all {
		if err := c.agrees(all[reference]); err != nil {
			return fmt.Errorf("language %s: %w", tag, err)
		}
	}
	if len(offered) == 0 {
		offered = append([]string{reference}, slices.DeleteFunc(slices.Sorted(maps.Keys(all)),
			func(tag string) bool { return tag == reference })...)
	}
	var tags []language.Tag
	for _, name := range offered {
		tag, err := language.Parse(name)
		if err != nil || all[tag.String()] == nil {
			return fmt.Errorf("language %q is not there; there are: %s", name,
				strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}
		s.languages = append(s.languages, all[tag.String()])
		tags = append(tags, tag)
	}
	s.matcher = language.NewMatcher(tags)
	return nil
}

func readCatalogues(files overlay) (map[string]*catalogue, error) {
	names, err := files.names("lang")
	if err != nil {
		return nil, err
	}
	all := map[string]*catalogue{}
	for name := range names {
		tag, err := language.Parse(name)
		if err != nil {
			return nil, fmt.Errorf("the folder lang/%s is not named by a language tag: %w", name, err)
		}
		c := &catalogue{tag: tag, phrases: map[string]phrase{}}
		if err := c.read(files, path.Join("lang", name)); err != nil {
			return nil, err
		}
		all[tag.String()] = c
	}
	return all, nil
}

func (c *catalogue) read(files overlay, dir string) error {
	groups, err := files.names(dir)
	if err != nil {
		return err
	}
	for _, group := range slices.Sorted(maps.Keys(groups)) {
		texts, err := readGroup(files, path.Join(dir, group))
		if err != nil {
			return fmt.Errorf("%s/%s: %w", dir, group, err)
		}
		for key, p := range texts {
			if _, twice := c.phrases[key]; twice {
				return fmt.Errorf("%s/%s: %q stands in another file too", dir, group, key)
			}
			c.phrases[key] = p
		}
	}
	return nil
}

// readGroup reads one file. An operator who wants one sentence to read
// differently writes a file with that sentence only: messages of the overlay
// replace those of the same key, so that an upgrade that brings new ones does
// not break a theme.
func readGroup(files overlay, name string) (map[string]phrase, error) {
	texts := map[string]phrase{}
	for _, fsys := range []fs.FS{files.base, files.top} {
		if fsys == nil {
			continue
		}
		data, err := fs.ReadFile(fsys, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		d := json.NewDecoder(bytes.NewReader(data))
		if err := d.Decode(&texts); err != nil {
			return nil, err
		}
		if d.More() {
			return nil, errors.New("more than one JSON value")
		}
	}
	return texts, nil
}

// agrees checks that a language says neither less nor more than another.
func (c *catalogue) agrees(with *catalogue) error {
	for key, p := range with.phrases {
		own, ok := c.phrases[key]
		if !ok {
			return fmt.Errorf("the message %q is missing", key)
		}
		if got, want := own.placeholders(), p.placeholders(); !slices.Equal(got, want) {
			return fmt.Errorf("the message %q shows the arguments %v; English has %v", key, got, want)
		}
	}
	for key := range c.phrases {
		if _, ok := with.phrases[key]; !ok {
			return fmt.Errorf("the message %q is unknown", key)
		}
	}
	return nil
}

// Match returns the tag of the offered language that suits an Accept-Language
// header best. If none does, or the header is malformed, it is the default.
func (s *Set) Match(acceptLanguage string) string {
	const longest = 1000 // bytes; real ones have fewer than 100
	if len(acceptLanguage) > longest {
		acceptLanguage = ""
	}
	wanted, _, err := language.ParseAcceptLanguage(acceptLanguage)
	if err != nil {
		wanted = nil
	}
	_, i, _ := s.matcher.Match(wanted...)
	return s.languages[i].tag.String()
}

// Offered returns tag if that language is offered, and the default otherwise.
func (s *Set) Offered(tag string) string { return s.in(tag).tag.String() }

// in returns the catalogue of a language, or the default if it is not offered.
func (s *Set) in(tag string) *catalogue {
	for _, c := range s.languages {
		if c.tag.String() == tag {
			return c
		}
	}
	return s.languages[0]
}
