package gatetest

import (
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// Password is that of every user.
const Password = "correct horse"

// A Config says how a gateway is set up. The zero value protects all of the app
// behind basic_auth.
type Config struct {
	Users   []string // with Password; nil means alice, bob, carol and dave
	Options string   // lines of the global mfa block
	Globals string   // lines of the global block
	Block   string   // lines of the mfa directive
	Before  string   // lines of the site, before the gate
	Site    string   // lines in place of basic_auth, mfa and reverse_proxy; APP stands for the app's address
	More    string   // further sites; PORT2 stands for a free port, APP for the app's address
	Plain   bool     // run the binary as it is shipped, even if the test has the race detector
	Env     []string // of the server's process
}

// ByHeader is a site whose users a header names, as a single sign-on in front
// would; see [Server.Named].
const ByHeader = `mfa {
		user {header.Remote-User}
		header_from 127.0.0.1/32
	}
	reverse_proxy APP {
		header_up X-Gate-User {http.mfa.user}
	}`

// hash is of the least cost: tests are about the second factor.
var hash = sync.OnceValue(func() string {
	h, err := bcrypt.GenerateFromPassword([]byte(Password), bcrypt.MinCost)
	if err != nil {
		panic(err) // the cost and the length are constants
	}
	return string(h)
})

// BasicAuth returns the directive for the users.
func BasicAuth(users ...string) string {
	var b strings.Builder
	b.WriteString("basic_auth {\n")
	for _, u := range users {
		fmt.Fprintf(&b, "\t\t%q %s\n", u, hash())
	}
	b.WriteString("\t}")
	return b.String()
}

func (c Config) caddyfile(s *Server) string {
	users := c.Users
	if users == nil {
		users = []string{"alice", "bob", "carol", "dave"}
	}
	site := c.Site
	if site == "" {
		site = fmt.Sprintf("%s\n\tmfa {\n%s\n\t}\n\treverse_proxy APP {\n\t\theader_up X-Gate-User {http.mfa.user}\n\t}", BasicAuth(users...), c.Block)
	}
	text := fmt.Sprintf(`{
	admin "unix/%s|0600"
	persist_config off
	auto_https off
	grace_period 1s
	order mfa after forward_auth
	%s
	mfa {
		store badger %q
		keyset %q
		issuer "Example Works"
		%s
	}
}
http://localhost:%d {
	bind 127.0.0.1
	%s
	%s
}
%s
`, s.AdminSocket, c.Globals, s.Data, s.Keyset, c.Options, s.port, c.Before, site, c.More)
	return strings.NewReplacer("APP", s.App.Addr(), "PORT2", fmt.Sprint(s.port2)).Replace(text)
}
