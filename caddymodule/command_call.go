package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"golang.org/x/term"

	"github.com/mfagate/caddy-mfagate/mfagate"
)

// A commandLine is what the person at the keyboard asked for.
type commandLine struct{ caddycmd.Flags }

// address finds the admin API as Caddy's own commands do.
func (l commandLine) address() (string, error) {
	if err := checkServer(l.String("address")); err != nil {
		return "", err
	}
	config := l.String("config")
	if config == "" && l.String("address") == "" {
		if _, err := os.Stat("Caddyfile"); err == nil {
			config = "Caddyfile"
		}
	}
	from := [3]string{l.String("address"), config, l.String("adapter")}
	if found, ok := foundAt.Load(from); ok {
		return found.(string), nil
	}
	found, err := caddycmd.DetermineAdminAPIAddress(from[0], nil, from[1], from[2])
	if err == nil {
		foundAt.Store(from, found)
	}
	return found, err
}

// foundAt holds the addresses that this process has found: a command that asks more than once
// reads the configuration once, of which Caddy tells on the terminal each time.
var foundAt sync.Map

// checkServer refuses an address at which no server can be, empty for none.
func checkServer(text string) error {
	if text == "" {
		return nil
	}
	a, err := caddy.ParseNetworkAddress(text)
	if err == nil && (a.IsUnixNetwork() && a.Host != "" || a.Network == "tcp" && a.Host != "" && a.StartPort != 0 && a.PortRangeSize() == 1) {
		return nil
	}
	return fmt.Errorf("--address %q: want what follows admin in the server's configuration, such as localhost:2019 or unix//run/caddy.sock", text)
}

// path returns the route of the user in the admin API.
func (l commandLine) path(realm, action string) string {
	return "/mfa/users/" + url.PathEscape(realm) + "/" + url.PathEscape(l.Arg(0)) + action
}

// ofUser asks the running server for something of the user who is named.
func (l commandLine) ofUser(method, action string, in, out any) error {
	realm, err := l.realm()
	if err != nil {
		return err
	}
	return l.call(method, l.path(realm, action), in, out)
}

// realm is the one that was named, or the only one that the sites have.
func (l commandLine) realm() (string, error) {
	if realm := l.String("realm"); realm != "" {
		return realm, nil
	}
	var list realmList
	if err := l.call(http.MethodGet, "/mfa/realms", nil, &list); err != nil {
		return "", err
	}
	if len(list.Configured) == 1 {
		return list.Configured[0], nil
	}
	return "", usageError("there are several realms, so say which by --realm: " + strings.Join(list.Configured, ", "))
}

// call asks the running server. in may be nil; out takes the answer.
func (l commandLine) call(method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(encoded)
	}
	answer, err := l.open(method, path, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	if err := json.NewDecoder(answer).Decode(out); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}

// open asks the running server; whoever calls it closes the answer.
func (l commandLine) open(method, path string, body io.Reader) (io.ReadCloser, error) {
	return l.send(method, path, nil, body)
}

func (l commandLine) send(method, path string, header http.Header, body io.Reader) (io.ReadCloser, error) {
	address, err := l.address()
	if err != nil {
		return nil, usageError(err.Error())
	}
	resp, err := caddycmd.AdminAPIRequest(address, method, path, header, body)
	if err != nil {
		return nil, explain(address, err)
	}
	return resp.Body, nil
}

// explain turns an error of Caddy's client into what the server said, or into
// what to do if it said nothing. Caddy has no type for it.
func explain(address string, err error) error {
	_, answer, answered := strings.Cut(err.Error(), "caddy responded with error: ")
	if !answered {
		return fmt.Errorf("no server answers at %s; start it, or tell with --address or --config where it is (%w)", address, err)
	}
	_, body, _ := strings.Cut(answer, ": ")
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal([]byte(body), &said) != nil || said.Error == "" {
		return fmt.Errorf("the server at %s knows nothing of mfa (%s)", address, strings.TrimSpace(answer))
	}
	return errors.New(strings.TrimPrefix(said.Error, "mfagate: "))
}

// users asks for all users of the realm, or of all realms.
func (l commandLine) users() ([]mfagate.UserStatus, error) {
	if !l.Bool("all") {
		realm, err := l.realm()
		if err != nil {
			return nil, err
		}
		return l.usersOf(realm)
	}
	var list realmList
	if err := l.call(http.MethodGet, "/mfa/realms", nil, &list); err != nil {
		return nil, err
	}
	all := []mfagate.UserStatus{}
	for _, realm := range list.Realms {
		users, err := l.usersOf(realm)
		if err != nil {
			return nil, err
		}
		all = append(all, users...)
	}
	return all, nil
}

// usersOf asks for the users of a realm, part by part.
func (l commandLine) usersOf(realm string) ([]mfagate.UserStatus, error) {
	all, after := []mfagate.UserStatus{}, ""
	for {
		query := url.Values{"realm": {realm}, "after": {after}, "limit": {strconv.Itoa(mostUsers)}}
		var list userList
		if err := l.call(http.MethodGet, "/mfa/users?"+query.Encode(), nil, &list); err != nil {
			return nil, err
		}
		all = append(all, list.Users...)
		if len(list.Users) < mostUsers {
			return all, nil
		}
		after = list.Users[len(list.Users)-1].Name
	}
}

// ticket gives an order whose answer is a ticket, and prints its links.
func (l commandLine) ticket(action string, o orderBody) error {
	valid := l.Duration("valid")
	if valid <= 0 || valid > 24*time.Hour {
		return usageError("--valid: want at most 24h")
	}
	base := strings.TrimSuffix(l.String("url"), "/")
	if base != "" && !isOrigin(base) {
		return usageError("--url: want the URL of the app without a path, such as https://app.example.com")
	}
	o.Valid = caddy.Duration(valid)
	var t issuedTicket
	if err := l.ofUser(http.MethodPost, action, o, &t); err != nil {
		return err
	}
	if base != "" {
		t.URLs = []string{base}
	}
	if l.Bool("json") {
		return printJSON(t)
	}
	return printTicket(t)
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") && s == u.Scheme+"://"+u.Host
}

// confirm asks the question, into which the user's name and realm are put,
// unless --yes was given. Where nobody can answer, it must be.
func (l commandLine) confirm(question string) error {
	if l.Bool("yes") {
		return nil
	}
	if !somebodyThere() {
		return errNobody
	}
	realm, err := l.realm()
	if err != nil {
		return err
	}
	return l.ask(fmt.Sprintf(question, l.Arg(0), realm))
}

// errNobody is the answer to a question that nobody hears.
const errNobody = usageError("this cannot be undone, and there is nobody to ask: give --yes")

func somebodyThere() bool { return term.IsTerminal(int(os.Stdin.Fd())) }

// ask asks a question unless --yes was given. Where nobody can answer, it must be.
func (l commandLine) ask(question string) error {
	if l.Bool("yes") {
		return nil
	}
	if !somebodyThere() {
		return errNobody
	}
	fmt.Fprint(os.Stderr, question+" [y/N] ")
	answer, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return fmt.Errorf("nothing was changed")
}
