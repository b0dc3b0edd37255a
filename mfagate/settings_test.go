package mfagate_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/recovery"
	"github.com/mfagate/caddy-mfagate/mfagate/totp"
)

var credentialID = regexp.MustCompile(`name="id" value="([^"]+)"`)

// ids are those of the credentials on the security page that the person looks at.
func (p *person) ids() []string {
	var ids []string
	for _, m := range credentialID.FindAllStringSubmatch(p.body, -1) {
		if !slices.Contains(ids, m[1]) {
			ids = append(ids, m[1])
		}
	}
	return ids
}

// confirm makes a proof for settings, and comes back to the security page.
func (p *person) confirm() *person {
	p.w.t.Helper()
	time.Sleep(time.Minute)
	p.get("/.mfa/challenge?purpose=settings&return=/.mfa/").want(200)
	return p.post("/.mfa/challenge", "method", "totp", "code", p.code(0), "purpose", "settings", "return", "/.mfa/").want(303, "/.mfa/").follow().want(200)
}

func TestRename(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/", "action", "rename", "id", alice.ids()[0], "label", "  Work\u202e phone\n").want(303, "/.mfa/?notice=renamed").follow().want(200)
		if !strings.Contains(alice.body, "<bdi>Work phone</bdi>") {
			t.Errorf("the page does not show the new name")
		}
		alice.post("/.mfa/", "action", "rename", "id", alice.ids()[0], "label", " \n").want(400)
	})
}

// S38, S39: the old phone is valid until the new one is proved, and not after.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		old := alice.elsewhere()
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/enroll/totp", "replace", alice.ids()[0]).want(303, "/.mfa/challenge?purpose=settings&return=%2F.mfa%2F")
		alice.confirm()
		alice.post("/.mfa/enroll/totp", "replace", alice.ids()[0], "return", "/.mfa/").want(303, "/.mfa/enroll/totp").follow().want(200)
		next := alice.elsewhere()
		next.body = alice.body
		next.scan()
		time.Sleep(time.Minute)
		old.prove("/", 0).want(303, "/")
		alice.get("/.mfa/enroll/totp").want(200)
		alice.post("/.mfa/enroll/totp", "code", next.code(0), "return", "/.mfa/").want(303, "/.mfa/?notice=replaced").follow().want(200)
		if n := len(alice.ids()); n != 1 {
			t.Errorf("%d credentials are listed; want 1", n)
		}
		time.Sleep(time.Minute)
		gone := alice.elsewhere()
		gone.secret = old.secret
		gone.prove("/", 0).want(401)
		next.prove("/", 0).want(303, "/")
	})
}

func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.confirm()
		alice.post("/.mfa/", "action", "remove", "id", alice.ids()[0]).want(409) // the only one
		if !strings.Contains(alice.body, `role="alert"`) {
			t.Errorf("nothing says why the last factor stays")
		}
		alice.post("/.mfa/enroll/totp", "return", "/.mfa/").want(303).follow().want(200)
		tablet := alice.elsewhere()
		tablet.body = alice.body
		tablet.scan()
		alice.post("/.mfa/enroll/totp", "code", tablet.code(0), "label", "Tablet", "return", "/.mfa/").want(303).follow().want(200)
		phone := alice.ids()[0]

		bob := w.person("bob").enrol("/")
		bob.confirm()
		bob.post("/.mfa/", "action", "remove", "id", phone).want(404) // M-05: not his
		bob.post("/.mfa/", "action", "rename", "id", phone, "label", "bob's").want(404)
		bob.post("/.mfa/enroll/totp", "replace", phone).want(404)

		time.Sleep(6 * time.Minute) // M-02: the proof is too old
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/", "action", "remove", "id", phone).want(303, "/.mfa/challenge?purpose=settings")
		alice.confirm()
		alice.post("/.mfa/", "action", "remove", "id", phone).want(303, "/.mfa/?notice=removed").follow().want(200)
		if strings.Contains(alice.body, phone) {
			t.Errorf("the removed phone is still listed")
		}
		time.Sleep(time.Minute)
		alice.elsewhere().prove("/", 0).want(401)
		tablet.prove("/", 0).want(303, "/")
	})
}

// S21: the codes that are left can be seen after a fresh proof, by any other way
// than one of them.
func TestViewCodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		codes := alice.codes
		alice.get("/.mfa/").want(200)
		alice.post("/.mfa/recovery-codes", "action", "view").want(303, "/.mfa/challenge")
		thief := alice.elsewhere() // with the password and one code
		thief.get("/").follow()
		thief.post("/.mfa/challenge", "method", "recovery", "code", codes[0], "purpose", "settings", "return", "/.mfa/").want(303).follow().want(200)
		thief.post("/.mfa/recovery-codes", "action", "view").want(303, "/.mfa/challenge")
		alice.confirm()
		alice.post("/.mfa/recovery-codes", "action", "view").want(200).note()
		if !slices.Equal(alice.codes, codes[1:]) {
			t.Errorf("codes = %q; want %q", alice.codes, codes[1:])
		}
		if strings.Contains(alice.body, `name="saved"`) {
			t.Errorf("the page asks to confirm codes that were saved long ago")
		}
	})
}

// S21: of a set of which only hashes are kept nothing is offered to be seen, and the
// page says why; a set from before stays to be seen.
func TestHashedCodesAreNotOffered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const why, offer = "They cannot be shown again", `value="view"`
		w := newWorld(t, nil)
		old := w.person("bob").enrol("/")
		gate, err := mfagate.New(mfagate.Config{
			Records: w.records, Pages: builtIn(), Factors: []mfagate.Factor{&totp.Factor{}}, Recovery: &recovery.Factor{Hashed: true},
		})
		if err != nil {
			t.Fatal(err)
		}
		w.gate = gate
		w.handler = w.block().Handler(http.HandlerFunc(w.app))
		alice := w.person("alice").enrol("/")
		alice.get("/.mfa/").want(200)
		if strings.Contains(alice.body, offer) || !strings.Contains(alice.body, why) || !strings.Contains(alice.body, "10 codes of 10 left") {
			t.Errorf("the page offers codes of which only hashes are kept, or does not say why it does not: %s", alice.body)
		}
		alice.confirm()
		alice.post("/.mfa/recovery-codes", "action", "view").want(409)
		if crock.MatchString(alice.body) {
			t.Error("codes are shown")
		}
		old.get("/.mfa/").want(200)
		if !strings.Contains(old.body, offer) || strings.Contains(old.body, why) {
			t.Errorf("the codes that were kept before are not offered: %s", old.body)
		}
	})
}

func TestActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		time.Sleep(time.Minute)
		thief := w.person("alice")
		thief.get("/").follow()
		thief.post("/.mfa/challenge", "method", "totp", "code", "000000").want(401)
		alice.get("/.mfa/").want(200)
		if !strings.Contains(alice.body, "Wrong code for") || !strings.Contains(alice.body, "127.0.0.1") {
			t.Errorf("the page does not tell of the wrong code")
		}
	})
}

func TestRemoveByAPI(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		alice := w.person("alice").enrol("/")
		alice.confirm()
		id := alice.ids()[0]
		if p := alice.api("DELETE", "credentials/"+id, nil); alice.last.Code != 409 || p["type"] != "urn:mfagate:problem:last_factor" {
			t.Errorf("DELETE of the last factor = %d %v; want 409", alice.last.Code, p)
		}
		begun := alice.api("POST", "enroll/totp", map[string]any{})
		alice.want(201)
		phone := alice.elsewhere()
		phone.secret = begun["secret"].(string)
		alice.api("POST", "enroll/totp/confirm", map[string]any{"enrollment": begun["enrollment"], "code": phone.code(0)})
		alice.want(200)
		alice.api("DELETE", "credentials/"+id, nil)
		alice.want(204)
		alice.api("DELETE", "credentials/"+id, nil)
		alice.want(404)
	})
}
