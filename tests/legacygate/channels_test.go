package legacygate_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/mfagate/caddy-mfagate/tests/legacy"
)

var channelsOf = map[string]channels{
	"dokuwiki": {
		upload: wikiMedia, size: large, files: []string{"/lib/images/fileicons/zip.png"},
		lacks: map[string]string{"socket": "none", "poll": "none", "gzip": "it is off by default"},
	},
	"qbittorrent": {
		upload: addTorrent, size: 64, files: []string{"/images/qbittorrent32.png?v=1", "/scripts/client.js?locale=en&v=1"},
		poll:  syncMainData,
		lacks: map[string]string{"socket": "none", "range": "it has none", "validator": "it has none", "download": "it only takes torrents, which are short"},
	},
	"deluge": {
		upload: delugeUpload, size: large, files: []string{"/icons/deluge.png", "/js/deluge-all-debug.js"},
		poll:  delugeEvents,
		lacks: map[string]string{"socket": "none", "range": "it has none", "validator": "it has none", "download": "what is uploaded is a torrent"},
	},
	"transmission": {
		upload: transmissionAdd, size: small, files: []string{"/transmission/web/javascript/transmission.js", "/transmission/web/images/favicon.ico"},
		poll: func(p *person) {
			p.posted(p.app.PostJSON("/transmission/rpc", `{"method": "torrent-get", "arguments": {"ids": "recently-active", "fields": ["id"]}}`), "success")
		},
		lacks: map[string]string{"socket": "none", "range": "it has none", "validator": "it has none", "download": "what is uploaded is a torrent"},
	},
	"node-red": {
		upload: deployMany, size: small, files: []string{"/red/red.min.js", "/favicon.ico"},
		talk:  showToken,
		lacks: map[string]string{"poll": "it has a WebSocket", "gzip": "it has none", "download": "a flow is no file"},
	},
	"jupyter": {
		upload: putContents, size: large, files: []string{"/static/style/style.min.css"},
		talk:  runKernel,
		lacks: map[string]string{"poll": "it has WebSockets", "gzip": "it has none"},
	},
	"roundcube": {
		upload: attach, size: large, files: []string{"/skins/elastic/styles/styles.min.css?s=1", "/program/resources/blank.gif"},
		poll: func(p *person) {
			token := p.app.Get("/?_task=mail").Find(`"request_token":"([^"]*)"`)
			p.app.Header.Set("X-Roundcube-Request", token)
			defer p.app.Header.Del("X-Roundcube-Request")
			p.posted(p.app.Post("/?_task=mail&_action=refresh", "_remote", "1", "_mbox", "INBOX", "_last", "0"), `"action":"refresh"`)
		},
		lacks: map[string]string{"socket": "none", "gzip": "it has none", "same": "an attachment belongs to one session"},
	},
	"wordpress": {
		upload: wordpressMedia, size: large, files: []string{"/wp-includes/css/buttons.min.css?ver=1", "/wp-admin/images/wordpress-logo.svg?ver=1"},
		poll: func(p *person) {
			nonce := p.app.Get("/wp-admin/").Find(`heartbeatSettings = \{[^}]*"nonce":"([0-9a-f]+)"`)
			p.posted(p.app.Post("/wp-admin/admin-ajax.php", "action", "heartbeat", "_nonce", nonce, "screen_id", "dashboard"), "server_time")
		},
		lacks: map[string]string{"socket": "none", "gzip": "it has none"},
	},
	"redmine": {
		upload: redmineAttachment, size: large, files: []string{"/stylesheets/application.css?1", "/favicon.ico?1"},
		lacks: map[string]string{"socket": "none", "poll": "none", "gzip": "it has none"},
	},
}

// fileForm is a form with a file, as a browser sends it; the pairs come first.
func fileForm(field, name string, data []byte, pairs ...string) (contentType string, body []byte) {
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		m.WriteField(pairs[i], pairs[i+1])
	}
	part, _ := m.CreateFormFile(field, name) // writing to a buffer does not fail
	part.Write(data)
	m.Close()
	return m.FormDataContentType(), b.Bytes()
}

// sendFile sends such a form.
func (p *person) sendFile(path, field, name string, data []byte, pairs ...string) legacy.Answer {
	p.w.Helper()
	contentType, body := fileForm(field, name, data, pairs...)
	return p.send(http.MethodPost, path, contentType, body)
}

func wikiMedia(p *person, name string, data []byte) string {
	token := p.app.Get("/doku.php?id=start").Find(`name="sectok" value="([^"]*)"`)
	a := p.sendFile("/lib/exe/ajax.php", "qqfile", name, data, "call", "mediaupload", "sectok", token, "ns", "", "mediaid", name, "ow", "1")
	p.posted(a, `"success":true`)
	return "/lib/exe/fetch.php?media=" + name
}

// torrent is a file of that kind, for one of no content.
func torrent(data []byte) []byte {
	return fmt.Appendf(nil, "d4:infod6:lengthi%de4:name8:film.txt12:piece lengthi16384e6:pieces20:%see", len(data), data[:20])
}

func addTorrent(p *person, _ string, data []byte) string {
	p.posted(p.sendFile("/api/v2/torrents/add", "fileselect[]", "film.torrent", torrent(data), "savepath", "", "paused", "true"), "Ok.")
	p.shown("/api/v2/torrents/info", "film.txt")
	return ""
}

func syncMainData(p *person) {
	first := p.app.Get("/api/v2/sync/maindata?rid=0")
	p.posted(first, `"full_update":true`)
	p.posted(p.app.Get("/api/v2/sync/maindata?rid="+first.Find(`"rid":([0-9]+)`)), `"rid":`)
}

func delugeUpload(p *person, name string, data []byte) string {
	a := p.sendFile("/upload", "file", name, data)
	p.posted(a, `"success": true`)
	return ""
}

func delugeEvents(p *person) {
	p.posted(p.app.PostJSON("/json", `{"method": "web.register_event_listener", "params": ["PluginEnabledEvent"], "id": 6}`), `"error": null`)
	p.posted(p.app.PostJSON("/json", `{"method": "web.connected", "params": [], "id": 7}`), `"result": false`)
}

func transmissionAdd(p *person, _ string, data []byte) string {
	transmission := func(file []byte) legacy.Answer {
		return p.send(http.MethodPost, "/transmission/rpc", "application/json", fmt.Appendf(nil,
			`{"method": "torrent-add", "arguments": {"paused": true, "metainfo": %q}}`, base64.StdEncoding.EncodeToString(file)))
	}
	p.app.SignedIn() // which fetches the token of the session
	p.posted(transmission(torrent(data[:64])), "torrent-added")
	p.posted(transmission(data), "invalid or corrupt")
	return ""
}

// deployMany deploys a flow with a long text.
func deployMany(p *person, _ string, data []byte) string {
	flows := strings.TrimSuffix(strings.TrimSpace(p.app.Get("/flows").Body), "]")
	text, _ := json.Marshal(base64.StdEncoding.EncodeToString(data)) // a string
	a := p.send(http.MethodPost, "/flows", "application/json", fmt.Appendf(nil, `%s,{"id": "t3", "type": "tab", "label": "Long"},{"id": "c1", "type": "comment", "z": "t3", "name": "n", "info": %s}]`, flows, text))
	p.posted(a, "")
	p.shown("/flows", string(text))
	return ""
}

// showToken opens the socket of the editor, and shows the token that the browser has.
func showToken(p *person) *legacy.Socket {
	p.w.Helper()
	token := strings.TrimPrefix(p.app.Header.Get("Authorization"), "Bearer ")
	if p.w.wire.sets(token) != "" {
		p.w.Error("the browser has the app's own token")
	}
	s, a := p.app.Dial("/comms")
	if s == nil {
		p.w.Fatalf("the editor's socket answers %d: %.300s", a.Status, a.Body)
	}
	if err := s.Send(fmt.Sprintf(`{"auth": %q}`, token)); err != nil {
		p.w.Fatal(err)
	}
	if text, err := s.Receive(); err != nil || !strings.Contains(text, `"auth":"ok"`) {
		p.w.Fatalf("the token is answered with %q: %v", text, err)
	}
	return s
}

func putContents(p *person, name string, data []byte) string {
	p.forgery(func() {
		p.posted(p.send(http.MethodPut, "/api/contents/"+name, "application/json", fmt.Appendf(nil,
			`{"type": "file", "format": "base64", "content": %q}`, base64.StdEncoding.EncodeToString(data))), name)
	})
	return "/files/" + name
}

// forgery does something with the token that Jupyter's scripts send.
func (p *person) forgery(f func()) {
	for _, c := range p.Cookies() {
		if c.Name == "_xsrf" {
			p.app.Header.Set("X-XSRFToken", c.Value)
		}
	}
	defer p.app.Header.Del("X-XSRFToken")
	f()
}

// runKernel has Python compute something.
func runKernel(p *person) *legacy.Socket {
	p.w.Helper()
	var id string
	p.forgery(func() {
		id = p.app.PostJSON("/api/kernels", `{"name": "python3"}`).Find(`"id": ?"([^"]*)"`)
	})
	s, a := p.app.Dial("/api/kernels/" + id + "/channels?session_id=s1")
	if s == nil {
		p.w.Fatalf("the kernel's socket answers %d: %.300s", a.Status, a.Body)
	}
	const request = `{"header": {"msg_id": "m1", "username": "u", "session": "s1", "msg_type": "execute_request", "version": "5.3"},
		"parent_header": {}, "metadata": {}, "channel": "shell", "buffers": [],
		"content": {"code": "print(6 * 7)", "silent": false, "store_history": false, "user_expressions": {}, "allow_stdin": false}}`
	if err := s.Send(request); err != nil {
		p.w.Fatal(err)
	}
	for {
		text, err := s.Receive()
		if err != nil {
			p.w.Fatalf("the kernel does not answer: %v", err)
		}
		if strings.Contains(text, `"msg_type": "stream"`) && strings.Contains(text, `42\n`) {
			return s
		}
	}
}

func attach(p *person, name string, data []byte) string {
	compose := p.app.Get("/?_task=mail&_action=compose")
	at, err := url.Parse(compose.Header.Get("Location"))
	if err != nil || at.Query().Get("_id") == "" {
		p.w.Fatalf("writing a mail leads to %q (%d)", compose.Header.Get("Location"), compose.Status)
	}
	id := at.Query().Get("_id")
	token := p.app.Get("/?_task=mail&_action=compose&_id=" + id).Find(`"request_token":"([^"]*)"`)
	a := p.sendFile("/?_task=mail&_remote=1&_from=compose&_id="+id+"&_uploadid=upload1&_unlock=loading1&_action=upload", "_attachments[]", name, data, "_token", token)
	p.posted(a, "add2attachment_list")
	return "/?_task=mail&_id=" + id + "&_action=display-attachment&_file=" + a.Find(`(rcmfile[0-9]+)`)
}

func wordpressMedia(p *person, name string, data []byte) string {
	nonce := p.app.Get("/wp-admin/media-new.php").Find(`"_wpnonce":"([0-9a-f]+)"`)
	a := p.sendFile("/wp-admin/async-upload.php", "async-upload", name, data, "name", name, "action", "upload-attachment", "_wpnonce", nonce)
	p.posted(a, `"success":true`)
	at, err := url.Parse(strings.ReplaceAll(a.Find(`"url":"([^"]*)"`), `\/`, "/"))
	if err != nil {
		p.w.Fatal(err)
	}
	return at.Path
}

func redmineAttachment(p *person, name string, data []byte) string {
	p.app.Header.Set("X-CSRF-Token", p.app.Get("/my/account").Find(`name="csrf-token" content="([^"]*)"`))
	defer p.app.Header.Del("X-CSRF-Token")
	a := p.send(http.MethodPost, "/uploads.js?attachment_id=1&filename="+name+"&content_type=application%2Fzip", "application/octet-stream", data)
	p.posted(a, "attachments_1")
	return "/attachments/download/" + a.Find(`/attachments/([0-9]+)`) + "/" + name
}
