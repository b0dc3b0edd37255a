package loginform

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

// request reads a request line and a body as a server does.
func request(t testing.TB, line, contentType, body string) *http.Request {
	t.Helper()
	head := line + " HTTP/1.1\r\nHost: app.test\r\n"
	if contentType != "" {
		head += "Content-Type: " + contentType + "\r\n"
	}
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n")))
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	return r
}

func TestClassify(t *testing.T) {
	f := compile(t, wordpress())
	for line, want := range map[string]Kind{
		"GET /wp-login.php":                                  Page,
		"HEAD /wp-login.php":                                 Page,
		"GET http://app.test/wp-login.php":                   Page,
		"GET /wp-login.php?reauth=1":                         Page,
		"GET /wp-login.php?reauth=1&redirect_to=%2Fwp-admin": Page,
		"GET /wp-login.php?":                                 Other,
		"GET /wp-login.php?reauth=2":                         Other,
		"GET /wp-login.php?reauth=1&reauth=1":                Other,
		"GET /wp-login.php?reauth=1&":                        Page, // an empty pair says nothing
		"GET /wp-login.php?reauth=1&x=1":                     Other,
		"GET /wp-login.php?reauth=1;x=1":                     Other,
		"GET /wp-login.php?reauth=%zz":                       Other,
		"GET /wp-login.php?reauth[]=1":                       Other,
		"GET /wp-login.php?+reauth=1":                        Other,
		"GET /wp-login.php?reauth%00x=1":                     Other,
		"GET /wp-login.php?redirect_to=%00":                  Other,
		"GET /wp-login.php?redirect_to=%ff":                  Other,
		"POST /wp-login.php":                                 Submit,
		"POST /wp-login.php?action=login":                    Submit,
		"POST /wp-login.php?action=nosuch":                   Other,
		"POST /wp-login.php?interim-login=1":                 Other,
		"PUT /wp-login.php":                                  Other,
		"post /wp-login.php":                                 Other,
		"POST /WP-Login.php":                                 Other,
		"POST //wp-login.php":                                Other,
		"POST /./wp-login.php":                               Other,
		"POST /x/../wp-login.php":                            Other,
		"POST /wp-login.php/":                                Other,
		"POST /wp-login.php/x":                               Other,
		"POST /wp-login.php/a.css":                           Other,
		"POST /wp%2dlogin.php":                               Other,
		"POST /wp-login.php;x":                               Other,
		"POST /wp-login.php%00":                              Other,
		"POST /wp-login.php%20":                              Other,
		"GET /wp-includes/js/x.js":                           Public,
		"HEAD /wp-includes/js/x.js":                          Public,
		"POST /wp-includes/js/x.js":                          Other,
		"GET /wp-includes/js/x.js?ver=1":                     Other,
		"GET /wp-includes/":                                  Public,
		"GET /wp-includes":                                   Other,
		"GET /wp-includes/../wp-admin":                       Other,
		"GET /wp-includes/%2e%2e/wp-admin":                   Other,
		"GET /wp-includes/..%2fwp-admin":                     Other,
		"GET /wp-includes/%5c../wp-admin":                    Other,
		"GET /wp-includes/\\..\\wp-admin":                    Other,
		"GET /wp-includes/%252e%252e/wp-admin":               Other,
		"GET /wp-includes/a%0ab":                             Other,
		"GET /wp-includes/a%ffb":                             Other,
		"GET /wp-includes/a%c2%85b":                          Other,
		"GET /wp-includes//x":                                Other,
		"GET /wp-includes/a%c3%a4b":                          Public,
		"GET /wp-includes/a%20b":                             Public,
		"GET /wp-admin/css/x.css":                            Public,
		"GET /wp-admin/css/x/y.css":                          Other,
		"GET /wp-login.php?action=rp&key=x&login=alice":      Reset,
		"POST /wp-login.php?action=resetpass":                Reset,
		"POST /wp-login.php?action=resetpass&Action=login":   Other,
		"POST /wp-login.php?action=resetpass&action[]=login": Other,
		"GET /wp-login.php?action=logout&_wpnonce=1":         Logout,
		"GET /WP-login.php/?action=login&action=logout":      Logout,
		"GET //x/../wp-login.php?a=1;action=logout":          Logout,
		"GET /wp-login.php?%61ction=%6cogout":                Logout,
		"POST /wp-login.php?action=logout":                   Other,
		"GET /xmlrpc.php":                                    Refuse,
		"POST /a%5cb/../xmlrpc.php":                          Refuse,
		"POST /a%00/../xmlrpc.php":                           Refuse,
		"POST /xmlrpc.php//..":                               Refuse,
		"POST /a/;/../xmlrpc.php":                            Refuse,
		"POST /a%25zz/%252e%252e/xmlrpc.php":                 Refuse,
		"POST /XMLRPC.php/x/y?z":                             Refuse,
		"POST //xmlrpc.php/":                                 Refuse,
		"POST /a/%2e%2e/xmlrpc.php":                          Refuse,
		"POST /a/%252e%252e/xmlrpc.php":                      Refuse,
		"POST /xml%72pc.php;jsessionid=1":                    Refuse,
		"POST /xml%2572pc.php":                               Refuse,
		"POST /xmlrpc.php%00.css":                            Refuse,
		"POST \\xmlrpc.php":                                  Refuse,
		"POST /xmlrpc.phpx":                                  Other,
		"GET /wp-json":                                       Refuse,
		"GET /wp-json/wp/v2/users":                           Refuse,
		"GET /?rest_route=/wp/v2/users":                      Refuse,
		"GET /?x&rest.route=/":                               Refuse,
		"GET /":                                              Other,
		"GET /wp-admin/":                                     Other,
		"OPTIONS *":                                          Other,
	} {
		if strings.HasPrefix(line, "POST \\") {
			continue // a server takes no such line; see TestLoosePaths
		}
		r := request(t, line, mediaForm, "")
		if got := f.Classify(r); got != want {
			t.Errorf("%s is %d; want %d", line, got, want)
		}
	}
}

func TestLoosePaths(t *testing.T) {
	f := compile(t, wordpress())
	r := request(t, "GET /", "", "")
	r.URL.Path = "\\xmlrpc.php"
	if got := f.Classify(r); got != Refuse {
		t.Errorf("got %d; want Refuse", got)
	}
	r.URL.Opaque, r.URL.Path = "x", "/wp-login.php"
	if got := f.Classify(r); got != Other {
		t.Errorf("got %d; want Other", got)
	}
}

func TestOneBelowAFileAtAnyDepth(t *testing.T) {
	c := plainForm()
	c.Refuse = []Pattern{{Text: "/**/*.json"}}
	f := compile(t, c)
	for line, want := range map[string]Kind{"GET /a.json": Refuse, "GET /a/b/c.JSON": Refuse, "GET /a.json/b": Other, "GET /a": Other} {
		if got := f.Classify(request(t, line, "", "")); got != want {
			t.Errorf("%s is %d; want %d", line, got, want)
		}
	}
}

// On a path where everything happens, the body tells what it is; what could be a
// login in some reading must be read as one, which refuses it.
func TestClassifyByBody(t *testing.T) {
	f := compile(t, deluge())
	for _, test := range []struct {
		media, body string
		want        Kind
	}{
		{mediaJSON, `{"method":"auth.login","params":["x"],"id":1}`, Submit},
		{mediaJSON, `{"method":"auth.check_session","params":[],"id":1}`, Reset},
		{mediaJSON, `{"method":"web.connected","params":[],"id":1}`, Reset},
		{mediaJSON, `{"method":"auth.delete_session","params":[],"id":1}`, Logout},
		{mediaJSON, `{"method":"web.update_ui","params":[],"id":1}`, Other},
		{mediaJSON, `{"method":"auth.check_session","method":"auth.login","params":["x"]}`, Submit},
		{mediaJSON, `{"method":"auth.login","method":"auth.check_session","params":["x"]}`, Submit},
		{mediaJSON, `{"method":"auth.check_session","Method":"auth.login","params":["x"]}`, Submit},
		{mediaJSON, `{"method":"auth.check_session","a":{"method":"auth.login"}}`, Submit},
		{mediaJSON, `{"m\u0065thod":"auth.l\u006fgin"} trailing`, Submit},
		{mediaJSON, `{method:'auth.login',params:["x"]}`, Submit},
		{mediaJSON, "\xef\xbb\xbf" + `{"method":"auth.login"}`, Submit},
		{mediaJSON, "{\x00\"\x00m\x00", Submit},
		{mediaJSON, `{"method":"auth.check_session"`, Other},
		{mediaJSON, `{"method":"auth.check_session","method":"x"}`, Other},
		{"text/plain", `{"method":"auth.login","params":["x"]}`, Submit},
		{"text/plain", `{"method":"auth.check_session"}`, Other},
		{"", `{"method":"auth.login","params":["x"]}`, Submit},
		{"application/octet-stream", ` {"method":"auth.login","params":["x"]}`, Submit},
		{mediaForm, `method=auth.check_session`, Other},
		{mediaJSON, "", Other},
	} {
		r := request(t, "POST /json", test.media, test.body)
		if got := f.Classify(r); got != test.want {
			t.Errorf("%s %q is %d; want %d", test.media, test.body, got, test.want)
		}
		if back, err := io.ReadAll(r.Body); string(back) != test.body || err != nil {
			t.Errorf("the body is %q, %v after that; want %q", back, err, test.body)
		}
	}
}

// A front controller takes uploads, too: these are no logins, however long.
func TestClassifyLeavesUploadsAlone(t *testing.T) {
	c := plainForm()
	c.Submit[0].Where = map[string]string{"action": "login"}
	c.Logout = []Pattern{{Text: "POST /login", Where: map[string]string{"action": "logout"}}}
	f := compile(t, c)
	long := strings.Repeat("x", MaxForm+1)
	r := request(t, "POST /login", "multipart/form-data; boundary=b", long)
	if got := f.Classify(r); got != Other {
		t.Errorf("got %d; want Other", got)
	}
	r.ContentLength = -1
	if got := f.Classify(r); got != Other {
		t.Errorf("of unknown length: got %d; want Other", got)
	}
	if back, _ := io.ReadAll(r.Body); len(back) != len(long) {
		t.Errorf("%d bytes are left; want %d", len(back), len(long))
	}
	for body, want := range map[string]Kind{
		"action=login":               Submit,
		"action=Login":               Other,
		"action=save&action=login":   Submit, // refused when it is read
		"Action=login":               Submit,
		"action%5B%5D=login":         Submit,
		"action%00x=login":           Submit,
		"x=1;action=login":           Submit,
		"a[]=1&a[]=2&action=save":    Other,
		"text=%zz&action=save":       Other,
		"action=logout":              Logout,
		"action=save&action=logout":  Logout,
		"text=action%3Dlogin&a.b=1":  Other,
		"x=%zz&action=logi%6e":       Submit,
		"x=1\naction=login":          Submit,
		"%20%20%20action=login&xx=1": Submit,
	} {
		if got := f.Classify(request(t, "POST /login", mediaForm, body)); got != want {
			t.Errorf("%q is %d; want %d", body, got, want)
		}
	}
}

func TestPollsAndSockets(t *testing.T) {
	c := plainForm()
	c.Poll = []Pattern{{Text: "GET /?_action=refresh|keep-alive&**"}}
	c.WebSocket = []Pattern{{Text: "/api/kernels/*/channels?session_id=*"}}
	f := compile(t, c)
	for line, want := range map[string]bool{
		"GET /?_task=mail&_action=refresh&x=1": true,
		"POST /?_action=refresh":               false,
		"GET /?_action=list":                   false,
		"GET //?_action=refresh":               false,
	} {
		if got := f.Poll(request(t, line, "", "")); got != want {
			t.Errorf("poll %s is %v; want %v", line, got, want)
		}
	}
	for line, want := range map[string]bool{
		"GET /api/kernels/1/channels?session_id=2": true,
		"GET /api/kernels/1/channels":              false,
		"GET /api/kernels/1/2/channels":            false,
		"POST /api/kernels/1/channels":             false,
	} {
		if got := f.WebSocket(request(t, line, "", "")); got != want {
			t.Errorf("socket %s is %v; want %v", line, got, want)
		}
	}
}

func TestClassifyOfAUsualRequestAllocatesNothing(t *testing.T) {
	f := compile(t, wordpress())
	r := request(t, "GET /wp-admin/post.php?post=1&action=edit", "", "")
	if n := testing.AllocsPerRun(100, func() { f.Classify(r) }); n != 0 {
		t.Errorf("got %v allocations; want none", n)
	}
}

func BenchmarkClassify(b *testing.B) {
	f := compile(b, wordpress())
	r := request(b, "GET /wp-admin/post.php?post=1&action=edit", "", "")
	b.ReportAllocs()
	for b.Loop() {
		if f.Classify(r) != Other {
			b.Fatal("not Other")
		}
	}
}

// A request that asks the app to take it for another method is stopped as one of that method,
// and never admitted as one: frameworks know a header or a field for it.
func TestOverriddenMethods(t *testing.T) {
	c := wordpress()
	c.Refuse = []Pattern{{Text: "PUT /wp-json/users"}}
	c.Logout = []Pattern{{Text: "DELETE /session"}}
	f := compile(t, c)
	for _, test := range []struct {
		line, header, body string
		want               Kind
	}{
		{"PUT /wp-json/users", "", "", Refuse},
		{"GET /wp-json/users", "", "", Other},
		{"POST /wp-json/users", "", "a=b", Other},
		{"GET /wp-json/users", "X-Http-Method-Override", "", Refuse},
		{"POST /wp-json/users", "X-Http-Method", "", Refuse},
		{"POST /wp-json/users", "X_Method_Override", "", Refuse},
		{"POST /wp-json/users?_method=PUT", "", "a=b", Refuse},
		{"POST /wp-json/users", "", "_method=put", Refuse},
		{"POST /session", "", "_method=delete&authenticity_token=x", Logout},
		{"POST /session", "", "user=x", Other},
	} {
		r := request(t, test.line, "application/x-www-form-urlencoded", test.body)
		if test.header != "" {
			r.Header[test.header] = []string{"PUT"}
		}
		if got := f.Classify(r); got != test.want {
			t.Errorf("%s, %s, %s: got %v; want %v", test.line, test.header, test.body, got, test.want)
		}
	}
	h := http.Header{"X-Http-Method-Override": {"PUT"}, "X_http_method": {"PUT"}, "X-Other": {"x"}}
	if StripMethod(h); len(h) != 1 {
		t.Errorf("left over: %v", h)
	}
}
