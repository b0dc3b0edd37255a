package loginform

import (
	"errors"
	"net/http"
)

// A Recorder is a response writer that keeps an answer of the app back, to be
// judged. Informational answers and trailers are dropped, as is what goes beyond the limit:
// then Truncated is set. The zero value keeps up to MaxAnswer bytes.
type Recorder struct {
	Limit int // in bytes

	answer Answer
	header http.Header
	done   bool // the header was written
}

// Header implements http.ResponseWriter.
func (w *Recorder) Header() http.Header {
	if w.header == nil {
		w.header = make(http.Header)
	}
	return w.header
}

// WriteHeader implements http.ResponseWriter.
func (w *Recorder) WriteHeader(status int) {
	if w.done || status < 200 && status != http.StatusSwitchingProtocols {
		return
	}
	w.done = true
	w.answer.Status, w.answer.Header = status, w.Header().Clone()
}

var errTooLong = errors.New("loginform: answer too long to be held")

// Write implements http.ResponseWriter. It fails beyond the limit, so that an
// endless answer ends.
func (w *Recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	limit := w.Limit
	if limit == 0 {
		limit = MaxAnswer
	}
	room := limit - len(w.answer.Body)
	if len(p) > room {
		w.answer.Truncated = true
		w.answer.Body = append(w.answer.Body, p[:room]...)
		return room, errTooLong
	}
	w.answer.Body = append(w.answer.Body, p...)
	return len(p), nil
}

// Flush implements http.Flusher: there is nobody to send anything to yet.
func (w *Recorder) Flush() { w.WriteHeader(http.StatusOK) }

// Full tells whether there was more than the limit, so that whoever wrote it may have broken off.
func (w *Recorder) Full() bool { return w.answer.Truncated }

// Answer returns what was recorded.
func (w *Recorder) Answer() *Answer {
	w.WriteHeader(http.StatusOK)
	return &w.answer
}
