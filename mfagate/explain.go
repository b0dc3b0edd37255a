package mfagate

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

// String returns a word for v.
func (v Verdict) String() string {
	switch v {
	case Pass:
		return "pass"
	case Challenge:
		return "challenge"
	case Enrol:
		return "enrol"
	default:
		return "refuse"
	}
}

// An Explanation tells what a block would make of a request without a session, and why.
type Explanation struct {
	Verdict Verdict
	Subject Subject // zero if nobody is known
	Why     string
}

// Explain tells what the block would make of r if it came without the gate's cookies. who, if
// not nil, stands for what the source would tell. It sends, stores and counts nothing; the source
// is asked unless who says so, and the store is read.
func (b *Block) Explain(r *http.Request, who *Identity) Explanation {
	v := &visit{Block: b, r: r, client: b.site.Client(r), now: time.Now()}
	if v.client.Sent == nil {
		v.client.Sent = r.URL
	}
	switch {
	case v.own():
		return Explanation{Pass, Subject{}, "it is for one of the gate's own pages, which look after themselves"}
	case v.learns():
		return Explanation{Pass, Subject{}, "mode observe: everything passes as it is, and the gate learns what signing in looks like"}
	case !v.client.Secure && !v.loopback():
		return Explanation{Refuse, Subject{}, explain(errInsecure).err.Error()}
	case v.login != nil && who == nil:
		return v.explainVisitor()
	}
	if err := v.name(who); err != nil {
		return Explanation{Refuse, Subject{}, strings.TrimPrefix(err.Error(), "mfagate: ")}
	}
	if v.asks {
		v.Subject = Subject{}
	}
	d, _, err := v.rule()
	if err != nil {
		return Explanation{Refuse, v.Subject, "the second factor cannot be checked: " + err.Error()}
	}
	return Explanation{d.Verdict, v.Subject, v.because(d)}
}

// name makes who the visit's user, or asks the source.
func (v *visit) name(who *Identity) error {
	if v.asks {
		return nil
	}
	if who == nil {
		id, err := v.source.Identify(v.r)
		if errors.Is(err, ErrNoIdentity) {
			return errors.New("nobody is named: the first factor did not run, or refused; say whom to take it for by --user")
		}
		if err != nil {
			return fmt.Errorf("asking the identity source: %w", err)
		}
		who = &id
	}
	id := *who
	canonical, err := v.site.Names.Canonical(id.Name)
	if err != nil {
		return err
	}
	v.told, v.identity, v.Subject = true, id, Subject{v.realm, canonical}
	return nil
}

// explainVisitor tells what becomes of somebody who is not signed in at the app.
func (v *visit) explainVisitor() Explanation {
	words := map[loginform.Kind]Explanation{
		loginform.Refuse: {Refuse, Subject{}, "it is a side door that the configuration refuses"},
		loginform.Page:   {Pass, Subject{}, "it is the app's login page, which a visitor may see"},
		loginform.Submit: {Pass, Subject{}, "it is the app's login form; its answer is held until the second factor"},
		loginform.Public: {Pass, Subject{}, "it is public, and goes to the app without cookies and credentials"},
		loginform.Renew:  {Pass, Subject{}, "it asks whether somebody is signed in, with the cookies of a visitor"},
		loginform.Reset:  {Pass, Subject{}, "it is for a forgotten password, with the cookies of a visitor"},
		loginform.Logout: {Pass, Subject{}, "it signs out"},
		loginform.Other:  {Refuse, Subject{}, "nobody is signed in, so it leads to the login page, " + v.login.Form.LoginURI()},
	}
	kind := v.login.Form.Classify(v.r)
	if kind == loginform.Logout || kind == loginform.Submit || kind == loginform.Refuse {
		return words[kind]
	}
	if err := v.login.Form.GuardVisitor(v.r); err != nil {
		return Explanation{Refuse, Subject{}, "it has credentials outside of the login form"}
	}
	return words[kind]
}

// because tells why a verdict is what it is.
func (v *visit) because(d Decision) string {
	switch {
	case v.asks && d.Verdict == Pass, d.Verdict == Pass && v.leave.kind == noLeave && d.Factor == "":
		return "mode observe: it passes, and the log says that it would have been stopped"
	case v.asks:
		return "the block asks for a name and a proof first, on " + askPath
	case d.Factor == FactorTrusted:
		return "whoever named " + v.Name + " says that a second factor was used there"
	case v.leave.kind == leaveOptional:
		return v.Name + " has no factor, and needs none here"
	case v.leave.kind == leaveExempt:
		return v.Name + " is exempt, and has no factor"
	case v.leave.kind == leaveGrace:
		return v.Name + " has no factor, and may go without until " + v.leave.until.UTC().Format(time.RFC3339)
	case d.Verdict == Enrol:
		return v.Name + " has no factor, and must set one up first"
	}
	return v.Name + " must prove a factor (" + v.wants() + "), unless a live session has done so"
}

// wants names the factors that will do, and how fresh the proof must be.
func (v *visit) wants() string {
	text := "any"
	if v.policy.Factors != nil {
		text = strings.Join(slices.Sorted(slices.Values(v.policy.Factors)), " or ")
	}
	if v.policy.MaxAge > 0 {
		text += ", not older than " + v.policy.MaxAge.String()
	}
	return text
}
