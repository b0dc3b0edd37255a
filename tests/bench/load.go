package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// A load is what to send.
type load struct {
	url, cookie string
	connections int
	length      time.Duration
}

// A generator sends a load and returns the number of answers, all of which were 200.
type generator func(load) (int64, error)

// A result is what one run tells.
type result struct {
	rate          float64 // requests per second
	cpu, upstream float64 // microseconds per request
	rss           float64 // MiB
}

func (r result) relative() float64 { return r.cpu / r.upstream }

func (r result) print(pair int, name string) {
	fmt.Printf("%4d  %-6s %9.0f %14.1f %17.2f %9.0f\n", pair, name, r.rate, r.cpu, r.relative(), r.rss)
}

// run measures one gateway once.
func (g *gateway) run(up *process, l load, generate generator) (result, error) {
	before, err := g.cpu()
	if err != nil {
		return result{}, err
	}
	upBefore, err := up.cpu()
	if err != nil {
		return result{}, err
	}
	start := time.Now()
	n, err := generate(l)
	if err != nil {
		return result{}, err
	}
	if n == 0 {
		return result{}, fmt.Errorf("no answers from %s", l.url)
	}
	took := time.Since(start)
	after, err := g.cpu()
	if err != nil {
		return result{}, err
	}
	upAfter, err := up.cpu()
	if err != nil {
		return result{}, err
	}
	perRequest := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(n) }
	return result{float64(n) / took.Seconds(), perRequest(after - before), perRequest(upAfter - upBefore), g.rss()}, nil
}

// ownLoad sends requests from this process.
func ownLoad(l load) (int64, error) {
	client := &http.Client{Transport: loopback(l.connections)}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), l.length)
	defer cancel()
	var n, wrong atomic.Int64
	var wg sync.WaitGroup
	for range l.connections {
		wg.Go(func() {
			for ctx.Err() == nil {
				switch status := one(ctx, client, l); {
				case status == http.StatusOK:
					n.Add(1)
				case status != 0:
					wrong.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if w := wrong.Load(); w > 0 {
		return 0, fmt.Errorf("%d answers from %s were not 200", w, l.url)
	}
	return n.Load(), nil
}

// one returns the status of one answer, or 0 if there was none.
func one(ctx context.Context, client *http.Client, l load) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Cookie", l.cookie)
	resp, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0
	}
	return resp.StatusCode
}

// loopback finds localhost on IPv4 without asking anybody.
func loopback(connections int) *http.Transport {
	return loopbackFrom(nil, connections)
}

// loopbackFrom does so from an address of this machine; nil leaves that to the system.
func loopbackFrom(from net.Addr, connections int) *http.Transport {
	d := net.Dialer{LocalAddr: from}
	return &http.Transport{
		MaxIdleConnsPerHost: connections,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
		},
	}
}

var (
	wrkCount = regexp.MustCompile(`(\d+) requests in`)
	wrkWrong = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// wrk sends requests with the program of that name, which needs less CPU.
func wrk(path string) generator {
	return func(l load) (int64, error) {
		out, err := exec.Command(path, "-t", "2", "-c", strconv.Itoa(l.connections), "-d", fmt.Sprintf("%.0fs", l.length.Seconds()),
			"-H", "Cookie: "+l.cookie, l.url).Output()
		if err != nil {
			return 0, fmt.Errorf("wrk: %w", err)
		}
		count := wrkCount.FindSubmatch(out)
		if wrong := wrkWrong.FindSubmatch(out); wrong != nil || count == nil {
			return 0, fmt.Errorf("wrk:\n%s", out)
		}
		return strconv.ParseInt(string(count[1]), 10, 64)
	}
}
