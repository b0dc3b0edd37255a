package pages

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"time"
)

const staticRoot = "/.mfa/static/"

// An asset is a file that the pages refer to. Its path holds a hash of its
// content, so that browsers can keep it for ever.
type asset struct {
	contentType string
	etag        string
	data        []byte
}

// contentTypes are those that the pages' policy lets a page load. They are not
// taken from the machine's tables, which differ.
var contentTypes = map[string]string{
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".png":  "image/png",
	".jpg":  "image/jpeg",
	".webp": "image/webp",
	".ico":  "image/vnd.microsoft.icon",
}

func (s *Set) loadAssets(files overlay) error {
	names, err := files.names("static")
	if err != nil {
		return err
	}
	s.assets, s.paths = map[string]asset{}, map[string]string{}
	for name := range names {
		ext := path.Ext(name)
		contentType, ok := contentTypes[ext]
		if !ok {
			return fmt.Errorf("static/%s: files may end in .css, .js, .svg, .png, .jpg, .webp and .ico", name)
		}
		data, err := files.read("static/" + name)
		if err != nil {
			return fmt.Errorf("reading static/%s: %w", name, err)
		}
		sum := sha256.Sum256(data)
		hash := hex.EncodeToString(sum[:8])
		at := staticRoot + strings.TrimSuffix(name, ext) + "." + hash + ext
		s.paths[name] = at
		s.assets[at] = asset{contentType: contentType, etag: `"` + hash + `"`, data: data}
	}
	return nil
}

// StaticPath is the path of one of the pages' files, such as "login.js", with the
// hash of its content; empty if there is no such file.
func (s *Set) StaticPath(name string) string { return s.paths[name] }

// ServeStatic serves the files under /.mfa/static/ to GET and HEAD. Nothing in
// them depends on who asks, so they may be cached anywhere.
func (s *Set) ServeStatic(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	a, ok := s.assets[r.URL.Path]
	if !ok {
		w.Header().Set("Cache-Control", "no-store")
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("ETag", a.etag)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'") // for a picture that is opened by itself
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.data))
}
