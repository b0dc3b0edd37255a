package caddymodule

import (
	"cmp"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// defaultRealm is what a realm is called that nobody named, so that renaming a
// site loses nobody's enrolment.
const defaultRealm = "default"

// SiteOptions are what all mfa handlers of a site share, for they show the same
// pages. A handler that leaves one out takes it from the others; two that differ
// are an error.
type SiteOptions struct {
	// The apps in one realm agree that the same user name is the same person.
	// Each handler of a site must name the same one. Default: the app's realm.
	Realm string `json:"realm,omitempty"`

	// Whether people need a second factor: "required"; "optional", where who has
	// none passes; "observe", where all pass and the log says who would have been
	// stopped. Default: what administrators have chosen, at first "required".
	Mode string `json:"mode,omitempty"`

	// For how long whoever has no factor yet passes all the same: the last day, such
	// as 2026-12-24 (it ends at midnight, UTC), or a duration since the first visit, 1h to 366d.
	// Default: not at all.
	Grace string `json:"grace,omitempty"`

	// How often people are reminded where the factor is optional: "off", or 1h to
	// 366d. Default: 7d.
	Remind string `json:"remind,omitempty"`

	// Who needs no factor for as long as they have none: names of users, and of
	// groups with an @ before them.
	Exempt []string `json:"exempt,omitempty"`

	// What switching off asks for on top of a fresh proof: "password", "factor" (a
	// proof made for that purpose), "both" or "none". Default: the password where it
	// can be checked.
	Confirm string `json:"confirm,omitempty"`

	// How long a session lasts without requests: 1m to 1h. Default: 30m.
	Idle caddy.Duration `json:"idle,omitempty"`

	// How long a session lasts in any case: up to 24h. Default: 12h.
	Lifetime caddy.Duration `json:"lifetime,omitempty"`

	// Whether Alice and alice are two people. Holds for the whole realm.
	CaseSensitive bool `json:"case_sensitive,omitempty"`

	// User names that stand for others. Holds for the whole realm.
	Aliases map[string]string `json:"aliases,omitempty"`

	// Who may enrol a first factor: "open" for whoever the first factor names,
	// "ticket" for holders of a ticket, or the networks from where none is
	// needed. Default: open.
	EnrollFrom []string `json:"enroll_from,omitempty"`

	// People who lost every factor may ask for a reset. It takes effect after an
	// administrator approved it and this time has passed: 1h to 30d. Holds for the
	// whole realm. Default: nobody can ask.
	ResetDelay caddy.Duration `json:"reset_delay,omitempty"`

	// Who looks after users on the pages under /.mfa/admin/: names of users, and
	// of groups with an @ before them. Holds for the whole realm.
	Admins []string `json:"admins,omitempty"`

	// Who may see there what is known of users, and change nothing. Holds for the
	// whole realm.
	Auditors []string `json:"auditors,omitempty"`
}

// merge fills what o leaves out with what other says.
func (o *SiteOptions) merge(other SiteOptions) error {
	into, from := reflect.ValueOf(o).Elem(), reflect.ValueOf(other)
	for i := range from.NumField() {
		a, b := into.Field(i), from.Field(i)
		switch {
		case b.IsZero():
		case a.IsZero():
			a.Set(b)
		case !reflect.DeepEqual(a.Interface(), b.Interface()):
			return fmt.Errorf("%s is %v here and %v there", optionName(from.Type().Field(i)), plain(a), plain(b))
		}
	}
	return nil
}

// optionName is the name of a field in JSON, which is also that in a Caddyfile.
func optionName(f reflect.StructField) string {
	name := f.Tag.Get("json")
	return name[:len(name)-len(",omitempty")]
}

func plain(v reflect.Value) any {
	if d, ok := reflect.TypeAssert[caddy.Duration](v); ok {
		return short(time.Duration(d))
	}
	return v.Interface()
}

func (o *SiteOptions) enrolment() (mfagate.Enrolment, error) {
	if len(o.EnrollFrom) == 1 && o.EnrollFrom[0] == "ticket" {
		return mfagate.Enrolment{Ticket: true}, nil
	}
	if len(o.EnrollFrom) == 0 || len(o.EnrollFrom) == 1 && o.EnrollFrom[0] == "open" {
		return mfagate.Enrolment{}, nil
	}
	from, err := parseRanges(o.EnrollFrom)
	if err != nil {
		return mfagate.Enrolment{}, fmt.Errorf("enroll_from: %w, or alone one of: open, ticket", err)
	}
	return mfagate.Enrolment{From: from}, nil
}

// A site is what the handlers of one site agreed upon.
type site struct {
	name      string
	realm     string // empty until a handler that is more than pages came
	named     bool   // somebody named the realm
	addresses []string
	options   SiteOptions
	pages     pagesOf
	handlers  []*Handler
	groupless bool           // the source of one of its handlers does not tell groups
	login     *mfagate.Login // the app's own login form, if one of its handlers watches that
}

// sites are those of one configuration.
type sites struct {
	realm string // of sites that name none; empty means unnamed

	mu     sync.Mutex
	byName map[string]*site
	joined []*Handler              // in the order in which they came
	names  map[string]*SiteOptions // by realm, of which only the names count
}

// join adds a handler's options to those of its site.
func (all *sites) join(h *Handler) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.site(h.Site)
	if !h.PagesOnly || h.Realm != "" {
		if err := all.takeRealm(s, h.Realm); err != nil {
			return err
		}
	}
	shared := h.SiteOptions
	shared.Realm = "" // its own rule is above
	if err := s.options.merge(shared); err != nil {
		return fmt.Errorf("the mfa blocks of site %q differ: %w; write it once, or the same in each", s.name, err)
	}
	if err := all.mergeNames(s); err != nil {
		return err
	}
	s.addAddresses(h.Addresses)
	s.pages.add(h)
	s.handlers = append(s.handlers, h)
	s.groupless = s.groupless || !h.tellsGroups()
	if h.PagesOnly && h.login != nil {
		return fmt.Errorf("site %q: mfa_pages watches no login form; write login_form in an mfa block", s.name)
	}
	if err := s.checkAsking(); err != nil {
		return err
	}
	all.joined = append(all.joined, h)
	return s.takeLogin(h.login)
}

// takeLogin notes the login form of a site, of which there is one.
func (s *site) takeLogin(login *mfagate.Login) error {
	if login != nil && s.login != nil {
		return fmt.Errorf("site %q has two mfa blocks with login_form; write it in one, and the others follow", s.name)
	}
	if login != nil {
		s.login = login
	}
	return nil
}

// login returns the login form of a site, or nil.
func (all *sites) login(name string) *mfagate.Login {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.site(name).login
}

func (all *sites) site(name string) *site {
	if all.byName == nil {
		all.byName = make(map[string]*site)
		all.names = make(map[string]*SiteOptions)
	}
	if all.byName[name] == nil {
		all.byName[name] = &site{name: name}
	}
	return all.byName[name]
}

// takeRealm settles the realm of s, as one of its handlers has it.
func (all *sites) takeRealm(s *site, realm string) error {
	if realm == "" {
		realm = all.realm
	}
	named := realm != ""
	if !named {
		realm = defaultRealm
	}
	if s.realm != "" && (s.realm != realm || s.named != named) {
		return fmt.Errorf("the mfa blocks of site %q differ: realm is %s in one and %s in another; write it in each, or once in the global mfa block",
			s.name, shown(s.realm, s.named), shown(realm, named))
	}
	s.realm, s.named = realm, named
	return all.checkRealm(s)
}

func shown(realm string, named bool) string {
	if !named {
		return "not named"
	}
	return fmt.Sprintf("%q", realm)
}

// checkRealm refuses to let two sites share a realm that one of them did not name.
func (all *sites) checkRealm(s *site) error {
	for _, other := range all.byName {
		if other == s || other.realm != s.realm || other.named && s.named {
			continue
		}
		a, b := s.name, other.name
		return fmt.Errorf("sites %q and %q would share a realm without saying so: if the same user name is the same person on both, write \"realm %s\" in both (or once in the global mfa block); if not, write \"realm NAME\" in one",
			min(a, b), max(a, b), defaultRealm)
	}
	return nil
}

// mergeNames makes the sites of a realm agree on how names are read, on who may
// enrol and on who looks after others: a factor that was enrolled on one of them opens all, so what one of them
// says holds for all.
func (all *sites) mergeNames(s *site) error {
	if s.realm == "" {
		return nil
	}
	names := all.names[s.realm]
	if names == nil {
		names = new(SiteOptions)
		all.names[s.realm] = names
	}
	err := names.merge(SiteOptions{
		CaseSensitive: s.options.CaseSensitive, Aliases: s.options.Aliases, EnrollFrom: s.options.EnrollFrom,
		Admins: s.options.Admins, Auditors: s.options.Auditors, ResetDelay: s.options.ResetDelay,
	})
	if err != nil {
		return fmt.Errorf("the sites of realm %q differ, though they share their users: %w", s.realm, err)
	}
	return nil
}

func (s *site) addAddresses(addresses []string) {
	for _, a := range addresses {
		if !slices.Contains(s.addresses, a) {
			s.addresses = append(s.addresses, a)
		}
	}
}

// config returns what the gate must know of a site, once all its handlers came.
func (all *sites) config(name string) (mfagate.Site, error) {
	all.mu.Lock()
	defer all.mu.Unlock()
	s := all.site(name)
	realm := s.realm
	if realm == "" {
		realm = cmp.Or(all.realm, defaultRealm)
	}
	enrolment, err := all.shared(realm).enrolment()
	if err != nil {
		return mfagate.Site{}, err
	}
	config := mfagate.Site{
		Name:       s.name,
		Realm:      realm,
		Idle:       time.Duration(s.options.Idle),
		Lifetime:   time.Duration(s.options.Lifetime),
		Names:      all.namesOf(realm),
		Enrolment:  enrolment,
		ResetDelay: time.Duration(all.shared(realm).ResetDelay),
		Admins:     all.shared(realm).Admins,
		Auditors:   all.shared(realm).Auditors,
		Client:     client,
	}
	err = all.policy(s, realm, &config)
	return config, err
}

// shared are the options that the sites of a realm have in common.
func (all *sites) shared(realm string) *SiteOptions {
	if o := all.names[realm]; o != nil {
		return o
	}
	return new(SiteOptions)
}

func (all *sites) namesOf(realm string) mfagate.Names {
	o := all.shared(realm)
	return mfagate.Names{CaseSensitive: o.CaseSensitive, Aliases: o.Aliases}
}

// canonical returns a user's name as it is stored.
func (all *sites) canonical(realm, name string) (string, error) {
	all.mu.Lock()
	names := all.namesOf(realm)
	all.mu.Unlock()
	plain := mfagate.Names{CaseSensitive: names.CaseSensitive}
	c, err := plain.Canonical(name)
	for from, to := range names.Aliases {
		alias, aliasErr := plain.Canonical(from)
		if from == name || err == nil && aliasErr == nil && alias == c {
			return plain.Canonical(to)
		}
	}
	return c, err
}

// urls returns where the people of a realm find their apps, as far as the
// addresses tell.
func (all *sites) urls(realm string) []string {
	all.mu.Lock()
	defer all.mu.Unlock()
	var urls []string
	for _, s := range all.byName {
		if s.realm == realm {
			urls = append(urls, s.urls()...)
		}
	}
	slices.Sort(urls)
	return slices.Compact(urls)
}

// logOpenEnrolment says on which sites a password alone is enough to enrol: it
// is the weakest moment of all.
func (all *sites) logOpenEnrolment(logger *slog.Logger) {
	all.mu.Lock()
	defer all.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(all.byName)) {
		if all.byName[name].pages.telling == nil {
			continue // whoever is asked for a name needs a ticket
		}
		if all.byName[name].pages.typed() {
			continue // and so does whoever has only typed one
		}
		from := all.shared(cmp.Or(all.byName[name].realm, all.realm, defaultRealm)).EnrollFrom
		if all.byName[name].groupless && all.namesGroups(name) {
			logger.Warn("first enrolment may need a ticket for everybody: admins or auditors name groups, and one of the site's blocks does not tell them; write groups in each", "site", name)
			continue
		}
		if len(from) == 0 || from[0] == "open" {
			logger.Info("first enrolment is open to whoever has a password", "site", name)
		}
	}
}

// knows returns an error that names the realms there are if none has this name.
func (all *sites) knows(realm string) error {
	realms := all.realms()
	if slices.Contains(realms, realm) {
		return nil
	}
	return fmt.Errorf("no site has the realm %q; there are: %s", realm, strings.Join(realms, ", "))
}

// realms lists those of the sites, in order.
func (all *sites) realms() []string {
	all.mu.Lock()
	defer all.mu.Unlock()
	realms := []string{}
	for _, s := range all.byName {
		if s.realm != "" {
			realms = append(realms, s.realm)
		}
	}
	slices.Sort(realms)
	return slices.Compact(realms)
}
