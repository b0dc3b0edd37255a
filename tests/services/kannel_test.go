package services_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/httpsender"
	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A kannel is a gateway for text messages whose operator is this test.
type kannel struct {
	url      string
	operator *httptest.Server

	mu    sync.Mutex
	texts []text
}

type text struct{ from, to, text string }

// config is that of both of its processes.
const config = `group = core
admin-port = %[1]d
admin-interface = 127.0.0.1
admin-password = admin
smsbox-port = %[2]d
smsbox-interface = 127.0.0.1
box-allow-ip = "127.0.0.1"
box-deny-ip = "*.*.*.*"
dlr-storage = internal
store-type = file
store-location = "%[5]s/store"

group = smsc
smsc = http
smsc-id = operator
system-type = kannel
port = 0
smsc-username = op
smsc-password = op
send-url = %[4]s/send
denied-prefix = "+999"

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = %[3]d
sendsms-interface = 127.0.0.1

group = sendsms-user
username = mfa
password = "mf&pass"
max-messages = 3
concatenation = true
user-allow-ip = "127.0.0.1"
user-deny-ip = "*.*.*.*"

group = sms-service
keyword = default
text = ""
max-messages = 0
`

func newKannel(t *testing.T) *kannel {
	t.Helper()
	bearerbox, smsbox := gatetest.Require(t, "/usr/sbin/bearerbox"), gatetest.Require(t, "/usr/sbin/smsbox")
	k := new(kannel)
	k.operator = httptest.NewServer(http.HandlerFunc(k.take))
	t.Cleanup(k.operator.Close)
	dir := t.TempDir()
	ports := [3]int{gatetest.FreePort(t), gatetest.FreePort(t), gatetest.FreePort(t)}
	file := filepath.Join(dir, "kannel.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, config, ports[0], ports[1], ports[2], k.operator.URL, dir), 0o600); err != nil {
		t.Fatal(err)
	}
	status := fmt.Sprintf("http://127.0.0.1:%d/status.txt?password=admin", ports[0])
	for _, program := range []struct{ path, is string }{{bearerbox, "online"}, {smsbox, "smsbox:"}} { // which listens before it can hand on
		cmd := exec.Command(program.path, "-v", "4", file)
		cmd.Dir = dir
		run(t, cmd)
		waitFor(t, func() bool { return answers(status, program.is) })
	}
	k.url = fmt.Sprintf("http://127.0.0.1:%d/cgi-bin/sendsms", ports[2])
	waitFor(t, func() bool { return answers(k.url, "") })
	return k
}

func answers(url, with string) bool {
	r, err := http.Get(url)
	if err != nil {
		return false
	}
	defer r.Body.Close()
	b := make([]byte, 4096)
	n, _ := r.Body.Read(b)
	return strings.Contains(string(b[:n]), with)
}

// take is the operator: it keeps the parts of messages as Kannel sends them.
func (k *kannel) take(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	said := q.Get("text")
	if q.Get("coding") == "2" {
		var units []uint16
		for i := 0; i+1 < len(said); i += 2 {
			units = append(units, uint16(said[i])<<8|uint16(said[i+1]))
		}
		said = string(utf16.Decode(units))
	}
	k.mu.Lock()
	k.texts = append(k.texts, text{q.Get("from"), q.Get("to"), said})
	k.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
	fmt.Fprint(w, "0: Accepted for delivery")
}

func (k *kannel) received(t *testing.T, n int) []text {
	t.Helper()
	waitFor(t, func() bool {
		k.mu.Lock()
		defer k.mu.Unlock()
		return len(k.texts) >= n
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	got := k.texts
	k.texts = nil
	return got
}

func (k *kannel) sender(t *testing.T, password string) *httpsender.Sender {
	t.Helper()
	s, err := httpsender.New(httpsender.Config{Preset: "kannel", URL: k.url, User: "mfa", Password: password, From: "MFA"}, func(string) (string, error) {
		return "", errors.New("not known")
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Texts come through a real Kannel as they were written, in either alphabet, to
// the one number.
func TestKannel(t *testing.T) {
	k := newKannel(t)
	s := k.sender(t, "mf&pass")
	const number = "+491701234567"
	for _, said := range []string{
		"Ihr Code für Größe: 123 456", "Example Works: 123456\nValid for 10 minutes. {100 %} [5€] ~^|\\",
		"Ваш код 123456 — „ключ“ 🔑", "x&to=%2B4919&text=y#z+ %41 " + url.QueryEscape("&to=1"),
	} {
		if err := s.Send(t.Context(), number, mfagate.Message{Text: said}); err != nil {
			t.Errorf("%q: %v", said, err)
			continue
		}
		if got := k.received(t, 1); len(got) != 1 || got[0] != (text{"MFA", number, said}) {
			t.Errorf("came %q; want %q once, to %s", got, said, number)
		}
	}
}

// Kannel's refusals are told apart from a fault of the number.
func TestKannelRefuses(t *testing.T) {
	k := newKannel(t)
	err := k.sender(t, "mf&guess").Send(t.Context(), "+491701234567", mfagate.Message{Text: "x"})
	if err == nil || errors.Is(err, mfagate.ErrUndeliverable) || strings.Contains(err.Error(), "guess") {
		t.Errorf("wrong password: err = %v; want one after which it is tried again, without the password", err)
	}
	err = k.sender(t, "mf&pass").Send(t.Context(), "+999123456", mfagate.Message{Text: "x"})
	if !errors.Is(err, mfagate.ErrUndeliverable) {
		t.Errorf("a number that cannot be reached: err = %v; want ErrUndeliverable", err)
	}
	time.Sleep(300 * time.Millisecond)
	if got := k.received(t, 0); len(got) != 0 {
		t.Errorf("the operator got %q; want nothing", got)
	}
}
