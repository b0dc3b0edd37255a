package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process is one that was started here.
type process struct{ cmd *exec.Cmd }

type processes []*process

// start starts a process and waits until it listens.
func (all *processes) start(address, gogc, name string, args ...string) (*process, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = nil
	cmd.Env = os.Environ()
	if gogc != "" {
		cmd.Env = append(cmd.Env, "GOGC="+gogc)
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd}
	*all = append(*all, p)
	for range 200 {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return p, conn.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, fmt.Errorf("%s %s does not listen at %s", name, strings.Join(args, " "), address)
}

func (all *processes) stop() {
	for _, p := range *all {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	for _, p := range *all {
		_ = p.cmd.Wait()
	}
}

// cpu returns the time that the process has spent, in its own code and in the
// kernel's: fields 14 and 15 of proc(5).
func (p *process) cpu() (time.Duration, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, errors.New("stat: too few fields")
	}
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ
}

// rss returns the process's memory in MiB.
func (p *process) rss() float64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseFloat(fields[1], 64)
	return pages * float64(os.Getpagesize()) / (1 << 20)
}

// upstream answers as a small app does.
func upstream(address string) error {
	server := &http.Server{Addr: address, ReadHeaderTimeout: time.Minute, Handler: app()}
	return server.ListenAndServe()
}

// A gateway is a Caddy in front of the upstream.
type gateway struct {
	*process
	url string
}

func startGateway(all *processes, dir, binary, upstream, gogc, gate string) (*gateway, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	// Both set the variable; the user is the same for all, so that no first
	// factor is measured.
	global := ""
	if gate != "" {
		global = fmt.Sprintf("mfa {\n\t\tstore badger %s/db\n\t\tkeyset %s/keyset.json\n\t}", dir, dir)
	}
	text := fmt.Sprintf("{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n\tstorage file_system %s/caddy\n\tlog {\n\t\tlevel ERROR\n\t}\n\t%s\n}\nhttp://localhost:%s {\n\tbind 127.0.0.1\n\tvars bench_user alice\n\t%s\n\treverse_proxy %s\n}\n",
		dir, global, port, gate, upstream)
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	p, err := all.start(address, gogc, binary, "run", "--config", file)
	return &gateway{p, "http://localhost:" + port}, err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
