package loginform

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/andybalholm/cascadia"
)

// Signs are compiled into tests.
type signs struct {
	Signs
	all     []func(*trial) bool
	request string // of the probe
}

func (f *Form) compileJudgement() error {
	var errs []error
	if len(f.config.Success) == 0 && !f.config.Basic {
		errs = append(errs, errors.New(`success: missing; write what shows a right password, as a set_cookie`))
	}
	var err error
	if f.success, err = compileLines("success", f.config.Success); err != nil {
		errs = append(errs, err)
	}
	if f.failure, err = compileLines("failure", f.config.Failure); err != nil {
		errs = append(errs, err)
	}
	if f.config.Identify != nil {
		if f.identify, err = compileIdentify(f.config.Identify); err != nil {
			errs = append(errs, fmt.Errorf("identify: %w", err))
		}
	}
	return errors.Join(errs...)
}

func compileLines(option string, lines []Signs) ([]signs, error) {
	var all []signs
	var errs []error
	for i, line := range lines {
		s := signs{Signs: line}
		if err := s.compile(); err != nil {
			errs = append(errs, fmt.Errorf("%s, line %d: %w", option, i+1, err))
		}
		all = append(all, s)
	}
	return all, errors.Join(errs...)
}

// compile compiles the kinds of signs, cheap ones first.
func (s *signs) compile() error {
	for _, kind := range []func() error{
		s.compileStatus, s.compileCookies, s.compileLocation, s.compileHeaders,
		s.compileTexts, s.compileJSON, s.compileSelectors, s.compileProbe,
	} {
		if err := kind(); err != nil {
			return err
		}
	}
	if len(s.all) == 0 && s.request == "" {
		return errors.New("there is no sign in it")
	}
	return nil
}

func (s *signs) add(sign func(*trial) bool) {
	s.all = append(s.all, sign)
}

var statusForm = regexp.MustCompile(`^[1-5](?:xx|[0-9][0-9])$`)

func checkStatus(wanted []string) error {
	for _, w := range wanted {
		if !statusForm.MatchString(w) {
			return fmt.Errorf("status: %q; a number such as 302, or 2xx, would do", w)
		}
	}
	return nil
}

func (s *signs) compileStatus() error {
	if len(s.Status) > 0 {
		s.add(func(t *trial) bool { return statusIn(s.Signs.Status, t.Status) })
	}
	return checkStatus(s.Status)
}

func checkTexts(option string, texts []string) error {
	if slices.Contains(texts, "") {
		return fmt.Errorf("%s: is empty", option)
	}
	return nil
}

func (s *signs) compileCookies() error {
	wanted := parseGlobs(s.SetCookie)
	for _, g := range wanted {
		if strings.Join(g, "") == "" {
			return errors.New("set_cookie: must be the name of a cookie, with * for any characters")
		}
		s.add(func(t *trial) bool { return len(t.cookies(g)) > 0 })
	}
	return nil
}

func (s *signs) compileLocation() error {
	for _, text := range append(append([]string(nil), s.Location...), s.NotLocation...) {
		if !strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "*") {
			return fmt.Errorf("location, not_location: %q never matches: write path and query, with the slash that the path begins with, without scheme and host", text)
		}
	}
	if wanted := parseGlobs(s.Location); len(wanted) > 0 {
		s.add(func(t *trial) bool { to := t.location(); return to != "" && wanted.match(to) })
	}
	if unwanted := parseGlobs(s.NotLocation); len(unwanted) > 0 {
		s.add(func(t *trial) bool { to := t.location(); return to != "" && !unwanted.match(to) })
	}
	return nil
}

func (s *signs) compileHeaders() error {
	for _, text := range s.Header {
		name, value, valued := strings.Cut(text, ":")
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		if name == "" || name == "Set-Cookie" || name == "Location" || strings.ContainsAny(name, " \t") {
			return fmt.Errorf(`header: %q; "Name" or "Name: value" would do; for cookies and redirections there are set_cookie and location`, text)
		}
		wanted := parseGlob("*")
		if valued {
			wanted = parseGlob(strings.TrimSpace(value))
		}
		s.add(func(t *trial) bool {
			return slices.ContainsFunc(t.Header.Values(name), wanted.match)
		})
	}
	return nil
}

func (s *signs) compileTexts() error {
	if len(s.Body) > 0 {
		s.add(func(t *trial) bool { return !t.encoded() && containsAll(t.Answer.Body, s.Signs.Body) })
	}
	if len(s.NotBody) > 0 {
		s.add(func(t *trial) bool {
			return !t.encoded() && !t.Truncated && lacksAll(t.Answer.Body, s.NotBody)
		})
	}
	return errors.Join(checkTexts("body", s.Body), checkTexts("not_body", s.NotBody))
}

func (s *signs) compileJSON() error {
	for _, text := range s.JSON {
		way, value, valued := strings.Cut(text, "=")
		at, err := parsePointer(way)
		if err != nil {
			return fmt.Errorf("json: %w", err)
		}
		s.add(func(t *trial) bool {
			n := t.value().at(at)
			if n == nil || n.kind == 'n' {
				return false
			}
			if valued {
				return n.kind != '{' && n.kind != '[' && n.text == value
			}
			return n.kind != 'f'
		})
	}
	return nil
}

func (s *signs) compileSelectors() error {
	for _, text := range s.Selector {
		selector, err := cascadia.Parse(text)
		if err != nil {
			return fmt.Errorf(`selector: %q: %w; "#login_error" or "form.login input[name=user]" would do`, text, err)
		}
		s.add(func(t *trial) bool {
			page := t.document()
			return page != nil && cascadia.Query(page, selector) != nil
		})
	}
	return nil
}

func (s *signs) compileProbe() error {
	if s.Probe == nil {
		return nil
	}
	var err error
	s.request, err = probeURI(s.Probe.Request)
	return errors.Join(err, checkStatus(s.Probe.Status), checkTexts("probe: contains", s.Probe.Contains), checkTexts("probe: lacks", s.Probe.Lacks))
}

// probeURI returns the path and query of a probe. A probe must change nothing, since it
// is made often.
func probeURI(request string) (string, error) {
	uri, ok := strings.CutPrefix(request, "GET ")
	u, err := url.ParseRequestURI(uri)
	if !ok || err != nil || u.Host != "" || u.Fragment != "" || strings.ContainsAny(uri, "* #\\") || !strings.HasPrefix(uri, "/") {
		return "", fmt.Errorf(`probe: %q; "GET /path?query" without wild cards would do`, request)
	}
	if _, ok := strictPath(u); !ok {
		return "", fmt.Errorf("probe: path of %q must be in its shortest form", request)
	}
	return uri, nil
}
