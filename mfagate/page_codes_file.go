package mfagate

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/mfagate/caddy-mfagate/pages"
	"github.com/mfagate/caddy-mfagate/storage"
)

// downloadCodes sends the set as a text file.
func (v *visit) downloadCodes() error {
	t := newTxn(v.r.Context(), v.gate.records.store)
	shown, err := t.shown(hashOf(v.token).String())
	if errors.Is(err, storage.ErrNotFound) || err == nil && shown.Set != v.field("set") {
		return v.showCodes(http.StatusConflict, pages.Text{Key: "error.codes_replaced"})
	}
	if err != nil {
		return err
	}
	v.sendCodes(shown.Codes)
	return nil
}

// sendCodes sends codes as a text file.
func (v *visit) sendCodes(codes []string) {
	f := v.frame()
	text := v.gate.pages.Text(f.Language, pages.Text{Key: "download.head", Args: []any{f.Site, v.Name, v.now.UTC().Format(time.DateOnly)}})
	text = isolates.Replace(text) // which a page needs and a text file does not
	h := v.w.Header()
	pages.SetHeaders(h)
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", `attachment; filename="`+fileName(f.Site, v.Name)+`"`)
	body := text + "\r\n\r\n" + strings.Join(codes, "\r\n") + "\r\n"
	_, _ = v.w.Write([]byte(body)) // the client may have left
}

var isolates = strings.NewReplacer("\u2068", "", "\u2069", "")

// fileName names the site, the user and what it is, in letters that every system
// takes.
func fileName(site, user string) string {
	clean := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '.' || r == '-' {
				return r
			}
			return '_'
		}, s[:min(len(s), 60)])
	}
	return clean(site) + "-" + clean(user) + "-recovery-codes.txt"
}
