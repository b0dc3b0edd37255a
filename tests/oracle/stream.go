package oracle

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// zeroTime keeps Last-Modified out of the answers.
var zeroTime time.Time

// lineEvery is the time between two lines of a stream.
const lineEvery = 20 * time.Millisecond

// serveStream sends server-sent events until the client is gone. Each is an act.
func (q *request) serveStream() {
	q.act(View, q.user, q.channel, "")
	q.counted(func() {
		q.w.Header().Set("Content-Type", "text/event-stream")
		flush := http.NewResponseController(q.w)
		for {
			fmt.Fprintf(q.w, "data: %s %s\n\n", q.user, q.mark())
			if flush.Flush() != nil {
				return
			}
			select {
			case <-q.Context().Done():
				return
			case <-time.After(lineEvery):
				q.act(Line, q.user, q.channel, "")
			}
		}
	})
}

// serveSocket upgrades to lines that are answered with who is asking: the least
// that counts as a WebSocket for a proxy. Each line is an act.
func (q *request) serveSocket() {
	if !strings.EqualFold(q.Header.Get("Upgrade"), "websocket") {
		q.act(View, q.user, q.channel, "")
		http.Error(q.w, "sockets only", http.StatusUpgradeRequired)
		return
	}
	q.act(View, q.user, q.channel, "")
	conn, rw, err := http.NewResponseController(q.w).Hijack()
	if err != nil {
		http.Error(q.w, "no upgrade here", http.StatusInternalServerError)
		return
	}
	defer conn.Close()
	q.counted(func() {
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		for {
			line, err := rw.ReadString('\n')
			if err != nil {
				return
			}
			q.act(Line, q.user, q.channel, "")
			if _, err := fmt.Fprintf(conn, "%s %s %s", q.user, q.mark(), line); err != nil {
				return
			}
		}
	})
}

func (q *request) counted(f func()) {
	q.count(1)
	defer q.count(-1)
	f()
}

func (q *request) count(n int) {
	q.app.mu.Lock()
	defer q.app.mu.Unlock()
	q.app.open += n
}
