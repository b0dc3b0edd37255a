package parsers_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A nasty makes inputs that parsers are known to disagree on, most of them in a form
// that is right for the rest.
type nasty struct{ *rand.Rand }

func newNasty(t *testing.T) nasty {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("MFAGATE_SEED"), 10, 64)
	if err != nil {
		seed = 1 // the same each time, lest somebody's change fail for what it has not done
	}
	t.Logf("MFAGATE_SEED=%d", seed)
	return nasty{rand.New(rand.NewPCG(seed, 1))}
}

func (n nasty) one(of []string) string { return of[n.IntN(len(of))] }

// in tells whether something that happens once in so many times does.
func (n nasty) in(times int) bool { return n.IntN(times) == 0 }

var (
	names = []string{
		"csrf", "remember", "r[]", "r[0]", "a.b", "a b", "a_b", "a[b", "a]b", "a[b][c]", "a[b]c", "__proto__", "constructor", "toString", "hasOwnProperty", "_charset_", "utf8",
		"GLOBALS", "_POST", "this", "0", "ä", "日本", "x-y", "a+b", "a%b", "a&b", "a=b", "username", "passwd", "usr", "auth", "Ｕser", "uſer", "pas\u017f", "paſs", "user_name", "my[user]", "x.pass",
		"user", "pass", "User", "PASS", "user[]", "user[x]", "pass[]", "user.x", "user ", " user", "user\x00", "user\x00x", "user.", "user[", "user]", "[user]", "pass\t", "\u00a0pass", "user%00", "",
	}
	texts = []string{
		"", " ", "alice", "bob smith", "a+b", "100%", "%41", "%zz", "%", "a&user=eve", "a=b", "a;user=eve", ";", "&", "=", "ä", "😀", "e\u0301", "x\ufeff", "ﬁ", "0", "null", "true", "1e999", "{\"user\":\"eve\"}", "[]", "\"quoted\"", "'", "\\", "\\u0041", "&#x41;", "&amp;", "=?utf-8?q?x?=", "<b>", "$x", "${x}", "../..", strings.Repeat("x", 3000), "--b",
	}
	spoilt = []string{
		"\ufeffx", "\u2028", "\u0085", "\u200b",
		"line\nline", "line\r\nline", "\r", "\n", "\r\n", "\ttab", "x\r\n--b", "x\r\n--b--\r\n", "\x00", "a\x00b", "\xff\xfe", "\xc0\xaf", "\x7f", "\x1b[0m",
	}
)

// text is the value of a field.
func (n nasty) text() string {
	switch {
	case n.in(10):
		return n.one(texts) + n.one(spoilt)
	case n.in(4):
		return n.one(texts) + n.one(texts)
	}
	return n.one(texts)
}

// fields are those of a form: both that count, once each for the most part, among others.
func (n nasty) fields() [][2]string {
	all := [][2]string{{"user", n.text()}, {"pass", n.text()}}
	for range n.IntN(4) {
		name := names[n.IntN(38)] // harmless ones
		if n.in(8) {
			name = n.one(names)
		}
		all = append(all, [2]string{name, n.text()})
	}
	n.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	if n.in(12) {
		all = all[1:]
	}
	return all
}

// form is a body of name=value pairs.
func (n nasty) form() string {
	var out strings.Builder
	for i, f := range n.fields() {
		if i > 0 {
			out.WriteString("&")
			if n.in(40) {
				out.WriteString(n.one([]string{"&", ";", "&&", "\n", "=", "&=&", " "}))
			}
		}
		out.WriteString(n.escape(f[0]))
		if f[1] != "" || !n.in(4) {
			out.WriteString("=" + n.escape(f[1]))
		}
	}
	return out.String()
}

// escape writes a text in one of the ways that there are.
func (n nasty) escape(s string) string {
	var out strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ' && n.in(2):
			out.WriteByte('+')
		case strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789_-.[]", c) >= 0 && !n.in(12):
			out.WriteByte(c)
		case n.in(2):
			fmt.Fprintf(&out, "%%%02x", c)
		case n.in(200):
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

// multipart is a body in parts, with its media type.
func (n nasty) multipart() (contentType, body string) {
	boundary := n.one([]string{"b", "----WebKitFormBoundary7MA4YWxkTrZu0gW", "b'b", "--", "b--", "0", "a_b.c+d"})
	written := boundary
	if n.in(3) {
		boundary = n.one([]string{boundary, "b b", "b=b", "b?"})
		written = `"` + boundary + `"`
	}
	var out strings.Builder
	if n.in(30) {
		out.WriteString(n.one([]string{"preamble\r\n", "\r\n", "--b\r\n"}))
	}
	for _, f := range n.fields() {
		fmt.Fprintf(&out, "--%s\r\n%s\r\n\r\n%s\r\n", boundary, n.head(f[0]), f[1])
	}
	out.WriteString("--" + boundary + "--" + n.one([]string{"", "\r\n"}))
	if n.in(30) {
		out.WriteString(n.one([]string{"epilogue", "\r\n--b\r\n" + n.head("user") + "\r\n\r\neve\r\n--b--", " ", "\n"}))
	}
	body = out.String()
	if n.in(40) {
		body = strings.Replace(body, "\r\n", "\n", 1+n.IntN(3))
	}
	return n.one([]string{"multipart/form-data; boundary=", "Multipart/Form-Data;boundary="}) + written, body
}

// head is that of a part.
func (n nasty) head(name string) string {
	usual := `Content-Disposition: form-data; name="` + name + `"`
	if !n.in(10) {
		return usual
	}
	return n.one([]string{
		"content-disposition: form-data; name=\"" + name + "\"",
		usual + "\r\nContent-Type: text/plain", usual + "\r\nContent-Type: text/plain; charset=utf-8", usual + "\r\ncontent-type:  Text/Plain; charset=\"UTF-8\"",
		usual + "\r\nContent-Type: text/plain; charset=utf-16", usual + "\r\nContent-Transfer-Encoding: base64", usual + "\r\nContent-Length: 3",
		usual + `; filename="x"`, usual + `; filename=""`, usual + `; filename*=utf-8''x`, usual + `; name="pass"`, usual + `; name*=utf-8''pass`,
		"Content-Disposition: form-data; name=" + name, "Content-Disposition: form-data; name='" + name + "'", "Content-Disposition: form-data; name=\"" + name,
		"Content-Disposition: attachment; name=\"" + name + "\"", "Content-Disposition: form-data; filename=x; name=\"" + name + "\"",
		"Content-Disposition: form-data;\r\n name=\"" + name + "\"", "X: y\r\n" + usual, usual + " ", "Content-Disposition:form-data; name=\"" + name + "\"", usual + "\r\n" + usual,
	})
}

// json is a document with name and password at their places.
func (n nasty) json() string {
	name, secret := `"name"`+n.blank()+":"+n.quoted(n.text()), n.quotedKey("secret")+":"+n.quoted(n.text())
	auth := []string{name, secret}
	for range n.IntN(3) {
		auth = append(auth, n.quotedKey(n.one([]string{"x", "a.b", "__proto__", "", "ä", "remember"}))+":"+n.value(3))
	}
	if n.in(12) {
		auth = append(auth, n.quotedKey(n.one([]string{"name", "Name", "ſecret", "SECRET", "secret\x00", "name ", "name[]", "pass", "user"}))+":"+n.quoted("eve"))
	}
	n.Shuffle(len(auth), func(i, j int) { auth[i], auth[j] = auth[j], auth[i] })
	all := []string{`"auth":{` + strings.Join(auth, ",") + "}"}
	for i := range n.IntN(3) {
		all = append(all, n.quotedKey(fmt.Sprint("x", i))+n.blank()+":"+n.value(4))
	}
	if n.in(20) {
		all = append(all, n.one([]string{`"auth":{}`, `"Auth":{"name":"eve"}`, `"auth":null`, `"x":{"name":"eve"}`, `auth:1`, `/* "`, `"t":1,`, `"big":` + strings.Repeat("9", 5000), `"deep":` + strings.Repeat("[", 40) + strings.Repeat("]", 40)}))
	}
	n.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return n.one(append(slices.Repeat([]string{"", " ", "\n"}, 5), "\ufeff", "//\n")) + "{" + strings.Join(all, n.blank()+","+n.blank()) + "}" + n.one(append(slices.Repeat([]string{"", "\r\n", " "}, 5), "x", "\x00", "{}"))
}

func (n nasty) blank() string { return n.one([]string{"", "", "", " ", "\t", "\r\n"}) }

// value is anything.
func (n nasty) value(depth int) string {
	switch n.IntN(6) {
	case 0:
		return n.one([]string{"0", "-0", "1e5", "1E-7", "0.1", "1e400", "-1e999", "123456789012345678901234567890", "1.0", "01", "+1", ".5", "NaN", "Infinity", "0x1", "1_0"}[:10+n.IntN(7)/6*6])
	case 1:
		return n.one([]string{"true", "false", "null", "True", "undefined"}[:3+n.IntN(9)/8*2])
	case 2:
		if depth > 0 {
			return "[" + n.value(depth-1) + "," + n.value(depth-1) + "]"
		}
	case 3:
		if depth > 0 {
			return "{" + n.quotedKey("k") + ":" + n.value(depth-1) + "}"
		}
	}
	return n.quoted(n.text())
}

// quotedKey is a text of which the letters may be escaped.
func (n nasty) quotedKey(s string) string { return n.quoted(s) }

func (n nasty) quoted(s string) string {
	var out strings.Builder
	for _, c := range s {
		switch {
		case c == '"' || c == '\\' || c < ' ':
			if n.in(400) {
				out.WriteRune(c)
				continue
			}
			fmt.Fprintf(&out, `\u%04x`, c)
		case c > 0xffff && n.in(2):
			c -= 0x10000
			fmt.Fprintf(&out, `\u%04X\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		case n.in(10) && c < 0x10000:
			fmt.Fprintf(&out, `\u%04x`, c)
		case c == '/' && n.in(2):
			out.WriteString(`\/`)
		default:
			out.WriteRune(c)
		}
	}
	if n.in(100) {
		out.WriteString(n.one([]string{`\ud83d`, `\udc00\ud83d`, `\u0000`, `\x41`, `\'`, `\u+041`, `\u 041`}))
	}
	return `"` + out.String() + `"`
}

// corpus reads the inputs of a fuzz target of mfagate/loginform: numbers and texts, in
// their order.
func corpus(t *testing.T, target string) (all [][]string) {
	t.Helper()
	files, err := filepath.Glob("../../mfagate/loginform/testdata/fuzz/" + target + "/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no corpus of %s: %v", target, err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var values []string
		for line := range strings.Lines(string(data)) {
			_, rest, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "(")
			if text, err := strconv.Unquote(strings.TrimSuffix(rest, ")")); ok && err == nil {
				values = append(values, text)
			} else if ok {
				values = append(values, strings.TrimSuffix(rest, ")"))
			}
		}
		all = append(all, values)
	}
	return all
}
