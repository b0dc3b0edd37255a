package parsers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mfagate/caddy-mfagate/tests/gatetest"
)

// A sent is a request as it reaches an app.
type sent struct {
	Query  string `json:"query"`
	Type   string `json:"type"`
	Body   []byte `json:"body,omitempty"`
	Cookie []byte `json:"cookie,omitempty"` // the header
}

// A reading is what one parser finds: each value of the two fields.
type reading struct {
	How   string   `json:"how"`
	User  [][]byte `json:"user"`
	Pass  [][]byte `json:"pass"`
	Error string   `json:"error"`
}

// cookies are what one parser finds in a header Cookie: names and values.
type cookies struct {
	How   string      `json:"how"`
	Pairs [][2][]byte `json:"pairs"`
}

// read is what the parsers of a language find in a request.
type read struct {
	Readings []reading `json:"readings"`
	Cookies  []cookies `json:"cookies"`
}

// A language reads requests, in order.
type language struct {
	name string
	read func(*testing.T, []sent) []read
}

// languages starts all readers.
func languages(t *testing.T) []language {
	t.Helper()
	return []language{
		{"PHP", php(t)},
		{"Python", lines(gatetest.Require(t, "python3"), "testdata/reader.py")},
		{"Node", lines(gatetest.Require(t, "node"), "testdata/reader.js")},
		{"Go", readGo},
	}
}

// lines returns a reader that is a program, which gets a request a line.
func lines(program, script string) func(*testing.T, []sent) []read {
	return func(t *testing.T, all []sent) []read {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), program, script)
		cmd.Stderr, cmd.Env = os.Stderr, append(os.Environ(), "QS="+qs())
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() {
			defer in.Close()
			w := bufio.NewWriter(in)
			defer w.Flush()
			for _, s := range all {
				_ = json.NewEncoder(w).Encode(s) // what it does not get, it does not answer
			}
		}()
		found := make([]read, len(all))
		answers := json.NewDecoder(out)
		for i := range found {
			if err := answers.Decode(&found[i]); err != nil {
				t.Fatalf("%s, request %d: %v", script, i, err)
			}
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		return found
	}
}

// qs is the parser of Express, if an app that brings it is installed.
func qs() string {
	found, _ := filepath.Glob("../../node_modules/.legacy-*/node_modules/qs")
	if len(found) == 0 {
		return ""
	}
	path, _ := filepath.Abs(found[0])
	return path
}

// php starts PHP's own server: only in a request does it read forms as it does for apps.
func php(t *testing.T) func(*testing.T, []sent) []read {
	t.Helper()
	address := fmt.Sprintf("127.0.0.1:%d", gatetest.FreePort(t))
	script, err := filepath.Abs("testdata/reader.php")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), gatetest.Require(t, "php"), "-q", "-d", "display_errors=stderr", "-S", address, script)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if i := strings.Index(said.String(), "PHP "); i >= 0 && strings.Contains(said.String(), "rror:") {
			t.Errorf("PHP says %.500s", said.String()[i:])
		}
	})
	for range 600 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	return func(t *testing.T, all []sent) []read {
		t.Helper()
		found := make([]read, len(all))
		for i, s := range all {
			if err := askPHP("http://"+address+"/", s, &found[i]); err != nil {
				t.Fatalf("PHP, request %d, %q %q: %v", i, s.Type, s.Body, err)
			}
		}
		return found
	}
}

func askPHP(to string, s sent, found *read) error {
	r, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(s.Body))
	if err != nil {
		return err
	}
	r.URL.RawQuery = s.Query
	r.Header.Set("Content-Type", s.Type)
	if len(s.Cookie) > 0 {
		r.Header.Set("Cookie", string(s.Cookie))
	}
	r.Close = true // a connection that the server ends just when it is used again would be a fault
	resp, err := http.DefaultClient.Do(r)
	for i := 0; err != nil && i < 3; i++ { // of the connection, which says nothing of the parser
		time.Sleep(100 * time.Millisecond)
		if r.Body, err = r.GetBody(); err == nil {
			resp, err = http.DefaultClient.Do(r)
		}
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, found); err != nil {
		return fmt.Errorf("%w in %.300q", err, data)
	}
	return nil
}

// readGo is what net/http and encoding/json find.
func readGo(_ *testing.T, all []sent) []read {
	found := make([]read, len(all))
	for i, s := range all {
		r, _ := http.NewRequest(http.MethodPost, "/", bytes.NewReader(s.Body))
		r.Header.Set("Content-Type", s.Type)
		if len(s.Cookie) > 0 {
			r.Header.Set("Cookie", string(s.Cookie))
		}
		jar := cookies{How: "net/http"}
		for _, c := range r.Cookies() {
			jar.Pairs = append(jar.Pairs, [2][]byte{[]byte(c.Name), []byte(c.Value)})
		}
		found[i] = read{[]reading{readBody(r, s)}, []cookies{jar}}
	}
	return found
}

func readBody(r *http.Request, s sent) reading {
	if strings.Contains(s.Type, "json") {
		return readJSON(s.Body)
	}
	got := reading{How: "net/http"}
	if err := r.ParseMultipartForm(1 << 20); err != nil && r.PostForm == nil && !strings.Contains(err.Error(), "isn't multipart") {
		got.Error = err.Error()
	}
	values := func(name string) (all [][]byte) {
		for _, v := range r.PostForm[name] {
			all = append(all, []byte(v))
		}
		if r.MultipartForm != nil {
			all = append(all, slices.Repeat([][]byte{[]byte("a file")}, len(r.MultipartForm.File[name]))...)
		}
		return all
	}
	got.User, got.Pass = values("user"), values("pass")
	return got
}

func readJSON(body []byte) reading {
	var v struct {
		Auth struct{ Name, Secret *string }
	}
	got := reading{How: "encoding/json"}
	if err := json.Unmarshal(body, &v); err != nil {
		got.Error = err.Error()
	}
	if v.Auth.Name != nil {
		got.User = [][]byte{[]byte(*v.Auth.Name)}
	}
	if v.Auth.Secret != nil {
		got.Pass = [][]byte{[]byte(*v.Auth.Secret)}
	}
	return got
}
