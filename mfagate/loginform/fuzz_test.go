package loginform

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"
)

// phpForm is what PHP makes of a form: the last value of a name wins, and names are
// folded. An array is told by an element whose key is the variable's name.
func phpForm(body string) map[string]string {
	vars := make(map[string]string)
	for pair := range strings.SplitSeq(body, "&") {
		name, value, _ := strings.Cut(pair, "=")
		setPHP(vars, phpDecode(name), phpDecode(value))
	}
	return vars
}

// phpDecode undoes escapes, and leaves what is none.
func phpDecode(s string) string {
	var out []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			out = append(out, ' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			text, _ := url.PathUnescape(s[i : i+3])
			out = append(out, text...)
			i += 2
		default:
			out = append(out, s[i])
		}
	}
	return string(out)
}

func isHex(c byte) bool {
	return strings.IndexByte("0123456789abcdefABCDEF", c) >= 0
}

// setPHP registers a variable as php_register_variable_ex does.
func setPHP(vars map[string]string, name, value string) {
	name, _, _ = strings.Cut(strings.TrimLeft(name, " "), "\x00")
	folded := []byte(name)
	for i, c := range folded {
		if c == '[' {
			if bytes.IndexByte(folded[i:], ']') > 0 {
				folded = folded[:i]
				break
			}
			folded[i] = '_'
		}
		if c == ' ' || c == '.' {
			folded[i] = '_'
		}
	}
	if len(folded) > 0 {
		vars[string(folded)] = value
	}
}

// rackForm splits at semicolons, too, and lets the first value win.
func rackForm(body string) map[string]string {
	vars := make(map[string]string)
	for pair := range strings.FieldsFuncSeq(body, func(c rune) bool { return c == '&' || c == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		base, _, _ := strings.Cut(strings.TrimSpace(phpDecode(name)), "[")
		if _, ok := vars[base]; !ok {
			vars[base] = phpDecode(value)
		}
	}
	return vars
}

// goForm is what net/url reads: all values, of which the first counts.
func goForm(body string) map[string]string {
	vars := make(map[string]string)
	values, _ := url.ParseQuery(body)
	for name := range values {
		vars[name] = values.Get(name)
	}
	return vars
}

// goMultipart is what mime/multipart reads, of fields and files.
func goMultipart(contentType, body string) map[string]string {
	vars := make(map[string]string)
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return vars
	}
	r := multipart.NewReader(strings.NewReader(body), params["boundary"])
	for range 100 {
		p, err := r.NextPart()
		if err != nil {
			break
		}
		value, _ := io.ReadAll(p)
		setPHP(vars, p.FormName(), string(value))
	}
	return vars
}

// lastJSON is what encoding/json reads at the place of the test's form; keys in
// any case are the same to it, and the last one wins.
func lastJSON(body string) map[string]string {
	var v struct {
		Auth struct {
			Name   *string `json:"name"`
			Secret *string `json:"secret"`
		} `json:"auth"`
	}
	vars := make(map[string]string)
	err := json.NewDecoder(strings.NewReader(body)).Decode(&v)
	if err == nil && v.Auth.Name != nil {
		vars["user"] = *v.Auth.Name
	}
	if err == nil && v.Auth.Secret != nil {
		vars["pass"] = *v.Auth.Secret
	}
	return vars
}

// exactJSON is the same with exact keys.
func exactJSON(body string) map[string]string {
	var v map[string]map[string]any
	vars := make(map[string]string)
	if json.Unmarshal([]byte(body), &v) == nil || v != nil {
		for variable, key := range map[string]string{"user": "name", "pass": "secret"} {
			if text, ok := v["auth"][key].(string); ok {
				vars[variable] = text
			}
		}
	}
	return vars
}

// readers are what apps make of a body of a media type.
func readers(contentType, body string) []map[string]string {
	switch media, _, _ := mime.ParseMediaType(contentType); media {
	case mediaForm:
		return []map[string]string{phpForm(body), rackForm(body), goForm(body)}
	case mediaMultipart:
		return []map[string]string{goMultipart(contentType, body)}
	case mediaJSON:
		return []map[string]string{lastJSON(body), exactJSON(body)}
	}
	return nil
}

var medias = []string{mediaForm, partType, mediaJSON, "text/plain", "", mediaForm + "; charset=utf-8"}

// What is written anew says the same to every app: the name and password that were
// read, each once.
func FuzzReadSubmission(f *testing.F) {
	form := compile(f, plainForm())
	f.Add(uint(0), "csrf=a%2Bb&user=al+ice&pass=p%26w%C3%A4")
	f.Add(uint(0), "r[]=0&r[]=1&user=a&user.x=b&pass=%")
	f.Add(uint(1), part("a", "1")+part("user", "alice")+part("pass", "x\n--b\ny")+partEnd)
	f.Add(uint(2), `{"auth":{"name":"a","secret":"\ud83d\ude00\n"},"x":[1e2,null,{"":""}]}`)
	for i, q := range carriers {
		f.Add(uint(i), q.body)
	}
	f.Fuzz(func(t *testing.T, media uint, body string) {
		given := medias[media%uint(len(medias))]
		s, err := form.ReadSubmission(request(t, "POST /login", given, body))
		if err != nil {
			if !errors.Is(err, ErrAmbiguous) && !errors.Is(err, ErrTooLong) {
				t.Errorf("got %v; want a reason", err)
			}
			return
		}
		all := readers(s.ContentType, string(s.Body))
		if len(all) == 0 {
			t.Errorf("nobody reads %s", s.ContentType)
		}
		for i, vars := range all {
			if vars["user"] != s.User || vars["pass"] != s.Password {
				t.Errorf("reader %d reads %q and %q in %q; want %q and %q", i, vars["user"], vars["pass"], s.Body, s.User, s.Password)
			}
		}
		again, err := form.ReadSubmission(request(t, "POST /login", s.ContentType, string(s.Body)))
		if err != nil || again.User != s.User || again.Password != s.Password {
			t.Errorf("%q is read as %+v, %v; want the same again", s.Body, again, err)
		}
	})
}

// anywhere tells whether a JSON reader finds both keys in one object.
func anywhere(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		_, user := v["user"]
		_, pass := v["pass"]
		if user && pass {
			return true
		}
		for _, item := range v {
			if anywhere(item) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, anywhere)
	}
	return false
}

// reads tells whether some app reads a name and a password in a request.
func reads(r *http.Request, body string) bool {
	all := append(readers(r.Header.Get("Content-Type"), body), phpForm(r.URL.RawQuery), rackForm(r.URL.RawQuery), goForm(r.URL.RawQuery))
	for _, vars := range all {
		_, user := vars["user"]
		_, pass := vars["pass"]
		if user && pass {
			return true
		}
	}
	var v any
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return media != mediaMultipart && json.NewDecoder(strings.NewReader(body)).Decode(&v) == nil && anywhere(v)
}

// What some app reads as credentials is refused, in whatever pieces it comes, and
// everything else passes as it is.
func FuzzGuard(f *testing.F) {
	form := compile(f, plainForm())
	for i, q := range carriers {
		f.Add(uint(i), "x=1", q.body, 1)
	}
	for i, q := range harmless {
		f.Add(uint(i), "user=x", q.body, 3)
	}
	f.Fuzz(func(t *testing.T, media uint, query, body string, size int) {
		r := request(t, "POST /", medias[media%uint(len(medias))], body)
		r.URL.RawQuery = query
		err := form.Guard(r)
		if err == nil && reads(r, body) {
			t.Errorf("%s %q %q passes; want ErrElsewhere", r.Header, query, body)
		}
		if err == nil {
			if got, err := io.ReadAll(r.Body); string(got) != body || err != nil {
				t.Errorf("%q, %v passes; want %q", got, err, body)
			}
		}
		stream := request(t, "POST /", medias[media%uint(len(medias))], "")
		stream.URL.RawQuery = query
		stream.ContentLength = -1
		stream.Body = io.NopCloser(pieces{strings.NewReader(body), 1 + size&7})
		streamed := form.Guard(stream)
		if streamed == nil {
			_, streamed = io.ReadAll(stream.Body)
		}
		if (streamed == nil) != (err == nil) {
			t.Errorf("%q: got %v in pieces and %v at once; want the same", body, streamed, err)
		}
	})
}

// pieces gives a few bytes at a time.
type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) {
	return p.Reader.Read(b[:min(p.size, len(b))])
}

// What is admitted has one reading, and a side door stays shut in every spelling.
func FuzzClassify(f *testing.F) {
	c := wordpress()
	c.Public = append(c.Public, Pattern{Text: "/**"})
	form := compile(f, c)
	for _, target := range []string{
		"/wp-login.php?action=login", "//xmlrpc.php", "/a/%2e%2e/xmlrpc.php", "/xml%72pc.php/x;y", "/XMLRPC.PHP%00",
		"/wp-includes/..%2f..%2fx", "/%25%32%65%25%32%65/x", "/a;b/../xmlrpc.php", "/?rest_route=/", "/ä/%c3%a4", "/a%5c..%5cb", "/./a", "/a/",
	} {
		f.Add(true, target)
		f.Add(false, target)
	}
	f.Fuzz(func(t *testing.T, post bool, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := &http.Request{Method: "GET", URL: u, Header: http.Header{}, Body: http.NoBody}
		if post {
			r.Method = "POST"
		}
		kind := form.Classify(r)
		if kind == Page || kind == Submit || kind == Public || kind == Reset {
			if clean := path.Clean(u.Path); u.Path != clean && u.Path != clean+"/" || strings.ContainsAny(u.EscapedPath(), ";\\") ||
				strings.Contains(strings.ToLower(u.EscapedPath()), "%2f") || strings.Contains(strings.ToLower(u.EscapedPath()), "%5c") || strings.Contains(u.EscapedPath(), "%25") {
				t.Errorf("%q is %d; want Other", target, kind)
			}
			if values, err := url.ParseQuery(u.RawQuery); err != nil || kind == Submit && len(values["action"]) > 1 {
				t.Errorf("%q is %d with %v, %v; want Other", target, kind, values, err)
			}
		}
		if shut(u.Path) && kind != Refuse {
			t.Errorf("%q is %d; want Refuse", target, kind)
		}
	})
}

// shut tells whether some server might run xmlrpc.php for a path.
func shut(p string) bool {
	again, err := url.PathUnescape(p)
	if err != nil {
		again = p
	}
	for _, form := range []string{p, again} {
		form, _, _ = strings.Cut(form, "\x00")
		for _, f := range []string{form, strings.ReplaceAll(form, "\\", "/")} {
			clean := strings.ToLower(path.Clean("/" + f))
			if clean == "/xmlrpc.php" || strings.HasPrefix(clean, "/xmlrpc.php/") {
				return true
			}
		}
	}
	return false
}

// Without the cookie as browsers see it, or with a sign of failure, there is no
// success, and no name without exactly one that says so.
func FuzzJudge(f *testing.F) {
	c := plainForm()
	c.Success = []Signs{{SetCookie: []string{"sid"}, Location: []string{"/my/*"}}, {SetCookie: []string{"sid"}, JSON: []string{"/ok"}}, {SetCookie: []string{"sid"}, Selector: []string{"#user"}}}
	c.Failure = []Signs{{Body: []string{"Fails."}}}
	c.Identify = &Identify{Selector: "#user", Regexp: "^user (.*)$"}
	form := compile(f, c)
	f.Add(302, "sid=1; Path=/", "sid=2", "/my/page", "")
	f.Add(200, "sid=1; Max-Age=0", "sid=2", "", `{"ok":true}`)
	f.Add(200, "sid=1", `sid="deleted"; Expires=Thu, 01-Jan-1970 00:00:01 GMT`, "//evil.test/my/page", `<p id=user>user alice</p>`)
	f.Add(200, "0", `sid="`, "", `<p id=user>user alice</p>`)
	f.Add(200, "sid=1", "x", "", `<p id=user>user alice</p> Fails.`)
	f.Fuzz(func(t *testing.T, status int, first, second, location, body string) {
		a := answered(status, body)
		a.Header["Set-Cookie"] = []string{first, second}
		if location != "" {
			a.Header["Location"] = []string{location}
		}
		got, err := form.Judge(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(body, "Fails.") != (got == Failed) {
			t.Errorf("%q is %d; want a failure to be one, and nothing else", body, got)
		}
		if got == Succeeded && (status < 200 || status > 399 || !strings.Contains(first+second, "sid")) {
			t.Errorf("%d %q %q is a success", status, first, second)
		}
		if got == Succeeded && location != "" && body == "" {
			to, err := a.URL.Parse(location)
			if err != nil || !strings.EqualFold(strings.TrimSuffix(strings.TrimSuffix(to.Host, ":80"), ":443"), "app.test") || !strings.HasPrefix(path.Clean(to.Path), "/my") {
				t.Errorf("a redirection to %q is a success", location)
			}
		}
		if last, err := http.ParseSetCookie(second); got == Succeeded && err == nil && last.Name == "sid" && (last.Value == "" || last.MaxAge < 0) {
			t.Errorf("%q %q is a success; want none without a cookie", first, second)
		}
		name, err := form.Who(t.Context(), a, nil)
		if (name == "") == (err == nil) || !printable(name) || !strings.Contains(body, "user") && name != "" {
			t.Errorf("%q is from %q, %v; want nobody", body, name, err)
		}
	})
}
