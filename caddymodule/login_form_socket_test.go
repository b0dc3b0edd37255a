package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const tokenForm = "login_form {\n session bearer /token\n page /\n submit /login\n user /user\n password /password\n success status 200 json /token\n "

// Where nobody judges what goes through WebSockets, although the app may take its token there,
// doctor and log say so, and nowhere else.
func TestUnjudgedSocketsAreTold(t *testing.T) {
	for name, test := range map[string]struct {
		lines string
		want  bool
	}{
		"all may be opened":  {tokenForm + "identify probe GET /me json /name\n}", true},
		"some may be opened": {tokenForm + "identify json /name\n websocket /live\n}", true},
		"all are judged":     {tokenForm + "identify probe GET /me json /name\n websocket_token /auth\n}", false},
		"none may be opened": {tokenForm + "identify json /name\n}", false},
		"cookies":            {oracleForm + "websocket /live\n}", false},
	} {
		t.Run(name, func(t *testing.T) {
			g := serveAdmin(t, "mfa {\n"+test.lines+"\n}")
			found := false
			for _, c := range g.diagnosis().Checks {
				found = found || c.Result == resultWarning && strings.HasPrefix(c.About, "site ") && strings.Contains(c.Text, "websocket_token")
			}
			if found != test.want {
				t.Errorf("the doctor tells: %v; want %v", found, test.want)
			}
			log, err := os.ReadFile(filepath.Join(g.dir, "log"))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(log), "write where its messages have it: websocket_token"); got != test.want {
				t.Errorf("the log tells: %v; want %v", got, test.want)
			}
		})
	}
}
