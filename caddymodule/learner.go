package caddymodule

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/mfagate/caddy-mfagate/mfagate/learn"
)

// learners are those of the sites that observe, by name. They outlive a reload, and what
// they learnt is lost when the server ends. The zero value is none.
type learners struct {
	mu     sync.Mutex
	bySite map[string]*learn.Learner
}

// of returns that of a site, new if there is none.
func (all *learners) of(site string, logger *slog.Logger) *learn.Learner {
	all.mu.Lock()
	defer all.mu.Unlock()
	l := all.bySite[site]
	if l != nil {
		return l
	}
	if all.bySite == nil {
		all.bySite = make(map[string]*learn.Learner)
	}
	l = learn.New(func(login learn.Login) {
		logger.Info("a login was seen", "site", site, "method", login.Method, "request", login.URI(),
			"encoding", login.Encoding, "user_field", login.User, "password_field", login.Password)
	})
	all.bySite[site] = l
	return l
}

// learner returns that of a site.
func (a *App) learner(site string) *learn.Learner {
	return a.resource.learnt.of(site, a.logger)
}

// checkLogin refuses a login form of which nothing is known where it has to hold.
func (h *Handler) checkLogin() error {
	if h.login == nil || !h.login.Form.Unknown() || h.Mode == "observe" {
		return nil
	}
	return fmt.Errorf("login_form says nothing of the form: name a recipe (there are: %s), or write \"mode observe\" in the same block to find out what it looks like", strings.Join(recipes(), ", "))
}

// learnt is what was learnt of one site.
type learnt struct {
	Site     string `json:"site"`
	Observes bool   `json:"observes"` // the site learns now
	learn.Report
}

// siteOf finds the site that a request names, or the only one for which is is true.
func (a administration) siteOf(r *http.Request, is func(*site) bool, what string) (*site, error) {
	return a.app.sites.find(r.URL.Query().Get("site"), is, what)
}

// showLearnt answers GET /mfa/learnt?site=
func showLearnt(a administration, r *http.Request) (any, error) {
	s, err := a.siteOf(r, func(s *site) bool { return s.login != nil }, "a login_form")
	if err != nil {
		return nil, failed(http.StatusNotFound, err)
	}
	return learnt{s.name, s.options.Mode == "observe", a.app.learner(s.name).Report()}, nil
}
