package caddymodule

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/mfagate/caddy-mfagate/mfagate"
	"github.com/mfagate/caddy-mfagate/mfagate/loginform"
)

func init() {
	caddy.RegisterModule(LoginFormSource{})
}

// LoginFormSource makes the app's own login form the first factor.
type LoginFormSource struct {
	loginform.Config

	form *loginform.Form
}

// CaddyModule returns the Caddy module information.
func (LoginFormSource) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "mfa.identity.login_form",
		New: func() caddy.Module { return new(LoginFormSource) },
	}
}

// Provision sets up s.
func (s *LoginFormSource) Provision(ctx caddy.Context) (err error) {
	if reflect.ValueOf(s.Config).IsZero() {
		s.form = loginform.NewUnknown()
		return nil
	}
	if s.form, err = loginform.Compile(s.Config); err == nil && s.form.LeavesSockets() {
		ctx.Slogger().Warn(unjudgedSockets, "login", s.form.LoginURI())
	}
	return err
}

// Login implements LoginProvider.
func (s *LoginFormSource) Login() *mfagate.Login {
	return &mfagate.Login{Form: s.form, Subrequest: subrequest}
}

// A LoginProvider is a module in the namespace mfa.identity that watches the app's
// own login form, in place of a source that tells the user of each request.
type LoginProvider interface {
	Login() *mfagate.Login
}

// recipeFiles hold what is known of the login forms of well-known apps, one file
// for each: the block of login_form, in the grammar of the Caddyfile.
//
//go:embed recipes
var recipeFiles embed.FS

const recipeSuffix = ".caddyfile"

// recipes lists their names.
func recipes() []string {
	var names []string
	entries, err := fs.ReadDir(recipeFiles, "recipes")
	if err != nil {
		panic(err) // unreachable: the folder is embedded
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), recipeSuffix); ok {
			names = append(names, name)
		}
	}
	return names
}

// UnmarshalCaddyfile sets up s from Caddyfile tokens. Syntax:
//
//	login_form [<recipe>] {
//	    page            <request>...
//	    submit          <request> [where <field>=<value>...]
//	    user            <field>|/<pointer>... | const <name>
//	    password        <field>|/<pointer>...
//	    credentials     basic
//	    success         <signs>...
//	    failure         <signs>...
//	    follow
//	    identify        [probe <request>] cookie|header|json|selector|regexp <value> [decode <codings>] [regexp <value>]
//	    home            <path>
//	    public          <paths>...
//	    reset           <request> [where <field>=<value>...]
//	    logout          <request> [where <field>=<value>...]
//	    refuse          <requests>...
//	    try             <request> [where <field>=<value>...]
//	    websocket       <paths>...
//	    websocket_token /<pointer>... [except <paths>...]
//	    poll            <request>
//	    pass_cookies    <globs>...
//	    bound_cookies   <globs>...
//	    rotating_cookies <globs>...
//	    headers         <names>...
//	    query_keys      <names>...
//	    accounts        <requests>...
//	    forbid_elsewhere both|user|password|off
//	    answer          <status> <type> <body>
//	    session         basic | bearer <pointer> [<header>[: <scheme>]]
//	    tell            <names>...
//	    renew           <request> [where <field>=<value>...]
//	    tokens          /<pointer>...
//	    inject
//	    rewrite_location
//	}
//
// Without a recipe and a block it stands for a form of which nothing is known yet, which will do
// with "mode observe" only. What a block says stands in place of what the recipe says, option by option.
func (s *LoginFormSource) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // consume module name
	c := new(loginform.Config)
	if d.NextArg() {
		recipe, err := readRecipe(d.Val())
		if err != nil {
			return d.Errf("login_form: %v", err)
		}
		c = recipe
	}
	if err := loginOptions(c).parse(d, guests{}); err != nil {
		return err
	}
	if reflect.ValueOf(*c).IsZero() {
		return nil // the handler looks whether that will do
	}
	if _, err := loginform.Compile(*c); err != nil {
		return d.Errf("login_form: %v", err)
	}
	s.Config = *c
	return nil
}

func readRecipe(name string) (*loginform.Config, error) {
	if !slices.Contains(recipes(), name) {
		return nil, fmt.Errorf("there is no recipe %q; there are: %s", name, strings.Join(recipes(), ", "))
	}
	file := "recipes/" + name + recipeSuffix
	text, err := recipeFiles.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := caddyfile.NewTestDispenser("login_form {\n" + string(text) + "\n}")
	c := new(loginform.Config)
	d.Next()
	if err := loginOptions(c).parse(d, guests{}); err != nil {
		return nil, fmt.Errorf("recipe %s: %w", name, err)
	}
	return c, nil
}

// loginOptions are those of the block.
func loginOptions(c *loginform.Config) options {
	return options{
		"page":             requests(&c.Page, "GET", false),
		"submit":           requests(&c.Submit, "POST", true),
		"user":             option{parse: func(d *caddyfile.Dispenser) error { return parseLoginUser(d, c) }},
		"password":         option{parse: func(d *caddyfile.Dispenser) error { return parseField(d, &c.Password) }},
		"credentials":      option{parse: func(d *caddyfile.Dispenser) error { return parseCredentials(d, c) }},
		"success":          signs(&c.Success),
		"failure":          signs(&c.Failure),
		"follow":           toggle(&c.Follow),
		"identify":         option{parse: func(d *caddyfile.Dispenser) error { return parseIdentify(d, c) }},
		"home":             text(&c.Home, "a path, such as /app/"),
		"public":           requests(&c.Public, "GET", false),
		"reset":            requests(&c.Reset, "GET|POST", true),
		"logout":           requests(&c.Logout, "GET|POST", true),
		"refuse":           requests(&c.Refuse, "", true),
		"try":              requests(&c.Try, "GET", true),
		"websocket":        requests(&c.WebSocket, "GET", false),
		"websocket_token":  option{parse: func(d *caddyfile.Dispenser) error { return parseSocketToken(d, c) }},
		"poll":             requests(&c.Poll, "GET|POST", false),
		"pass_cookies":     words(&c.PassCookies, "names of cookies, such as theme"),
		"bound_cookies":    words(&c.BoundCookies, "names of cookies, such as XSRF-TOKEN"),
		"rotating_cookies": words(&c.RotatingCookies, "names of cookies, such as PHPSESSID"),
		"headers":          words(&c.Headers, "names of headers, such as X-Api-Key"),
		"query_keys":       words(&c.QueryKeys, "names of query parameters, such as token"),
		"tell":             words(&c.Tell, "names of what a script is told, such as instanceId"),
		"renew":            requests(&c.Renew, "POST", true),
		"tokens":           words(&c.Tokens, "JSON pointers to further tokens, such as /refresh_token"),
		"accounts":         requests(&c.Accounts, "POST", false),
		"forbid_elsewhere": option{parse: func(d *caddyfile.Dispenser) error { return parseElsewhere(d, c) }},
		"answer":           option{parse: func(d *caddyfile.Dispenser) error { return parseAnswer(d, c) }},
		"session":          option{parse: func(d *caddyfile.Dispenser) error { return parseAppSession(d, c) }},
		"inject":           toggle(&c.Inject),
		"rewrite_location": toggle(&c.RewriteLocation),
	}
}

// requests takes patterns: METHOD PATH, or PATH alone with the usual method. The
// first line takes the place of what a recipe says, the others are added.
func requests(to *[]loginform.Pattern, method string, where bool) option {
	first := true
	return option{many: true, parse: func(d *caddyfile.Dispenser) error {
		name := d.Val()
		if first {
			*to, first = nil, false
		}
		found, err := patterns(d.RemainingArgs(), method, where)
		if err != nil || len(found) == 0 {
			return d.Errf("%s: want requests such as %s /path%s", name, firstOf(method), reason(err))
		}
		*to = append(*to, found...)
		return nil
	}}
}

func firstOf(method string) string {
	first, _, _ := strings.Cut(method, "|")
	return first
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func patterns(args []string, method string, where bool) ([]loginform.Pattern, error) {
	var all []loginform.Pattern
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "where" && where && len(all) > 0 {
			conditions, err := conditions(args[i+1:])
			all[len(all)-1].Where = conditions
			return all, err
		}
		text := arg
		switch {
		case !strings.HasPrefix(arg, "/"):
			if i++; i >= len(args) || !strings.HasPrefix(args[i], "/") {
				return nil, fmt.Errorf("%q is followed by no path", arg)
			}
			text = arg + " " + args[i]
		case method != "":
			text = method + " " + arg
		}
		all = append(all, loginform.Pattern{Text: text})
	}
	return all, nil
}

func conditions(args []string) (map[string]string, error) {
	if len(args) == 0 {
		return nil, errors.New("where is followed by no field=value")
	}
	all := make(map[string]string, len(args))
	for _, a := range args {
		field, value, ok := strings.Cut(a, "=")
		if !ok || field == "" {
			return nil, fmt.Errorf("%q is not field=value", a)
		}
		all[field] = value
	}
	return all, nil
}

func parseLoginUser(d *caddyfile.Dispenser, c *loginform.Config) error {
	c.User, c.UserConst = loginform.Field{}, ""
	if !d.NextArg() {
		return d.Errf("user: want the name of a field, a JSON pointer, \"const NAME\", or \"none\"")
	}
	switch d.Val() {
	case "none":
		return nil
	case "const":
		if !d.NextArg() || d.Val() == "" {
			return d.Errf("user const: want the user's name")
		}
		c.UserConst = d.Val()
		return nil
	}
	d.Prev()
	return parseField(d, &c.User)
}

// parseField takes a field of forms, a pointer into JSON, or both.
func parseField(d *caddyfile.Dispenser, to *loginform.Field) error {
	name := d.Val()
	*to = loginform.Field{}
	args := d.RemainingArgs()
	for _, a := range args {
		at := &to.Form
		if strings.HasPrefix(a, "/") {
			at = &to.JSON
		}
		if *at != "" {
			return d.Errf("%s: %q comes after %q; want one field and one JSON pointer at most", name, a, *at)
		}
		*at = a
	}
	if len(args) == 0 {
		return d.Errf("%s: want the name of a field, or a JSON pointer such as /password", name)
	}
	return nil
}

// parseCredentials takes where name and password are if not in fields.
func parseCredentials(d *caddyfile.Dispenser, c *loginform.Config) error {
	var word string
	if err := choice(&word, string(loginform.InHeader)).parse(d); err != nil {
		return err
	}
	c.Credentials = loginform.Credentials(word)
	return nil
}

func parseIdentify(d *caddyfile.Dispenser, c *loginform.Config) error {
	id := new(loginform.Identify)
	words := map[string]*string{
		"cookie": &id.Cookie, "header": &id.Header, "json": &id.JSON, "selector": &id.Selector,
		"regexp": &id.Regexp, "decode": &id.Decode,
	}
	args := d.RemainingArgs()
	for i := 0; i < len(args); i += 2 {
		if args[i] == "probe" && i+2 < len(args) {
			id.Probe = args[i+1] + " " + args[i+2]
			i++
			continue
		}
		word := words[args[i]]
		if word == nil || i+1 >= len(args) {
			return d.Errf("identify: %q: want \"probe GET /path\" and one of cookie, header, json, selector, regexp with its value", args[i])
		}
		*word = args[i+1]
	}
	c.Identify = id
	return nil
}

// parseAppSession takes how the app knows its users other than by cookies.
func parseAppSession(d *caddyfile.Dispenser, c *loginform.Config) error {
	c.Basic, c.Bearer = false, nil
	args := d.RemainingArgs()
	switch {
	case len(args) == 1 && args[0] == "basic":
		c.Basic = true
	case (len(args) == 2 || len(args) == 3) && args[0] == "bearer":
		c.Bearer = &loginform.Bearer{JSON: args[1], Header: strings.Join(args[2:], "")}
	default:
		return d.Errf("session: want basic, or bearer and a JSON pointer such as /access_token, and, if it is not \"Authorization: Bearer\", the header that carries the token")
	}
	return nil
}

func parseElsewhere(d *caddyfile.Dispenser, c *loginform.Config) error {
	var word string
	if err := choice(&word, "both", "user", "password", "off").parse(d); err != nil {
		return err
	}
	if c.Elsewhere = loginform.Elsewhere(word); word == "both" {
		c.Elsewhere = loginform.ElsewhereBoth
	}
	return nil
}

func parseAnswer(d *caddyfile.Dispenser, c *loginform.Config) error {
	args := d.RemainingArgs()
	if len(args) != 3 {
		return d.Errf("answer: want a status, a media type and a body, such as: 200 text/plain Ok.")
	}
	status, err := strconv.Atoi(args[0])
	if err != nil || status < 200 || status > 599 {
		return d.Errf("answer: %q is no status", args[0])
	}
	c.Answer = &loginform.Answering{Status: status, Type: args[1], Body: args[2]}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner     = (*LoginFormSource)(nil)
	_ caddyfile.Unmarshaler = (*LoginFormSource)(nil)
	_ LoginProvider         = (*LoginFormSource)(nil)
)
