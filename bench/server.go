package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 20 * time.Second
)

// buildServer builds the program of the module that we are part of.
func buildServer(ctx context.Context, folder string) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("looking for the module (run the bench in its folder, or name a -server): %w", err)
	}
	binary := filepath.Join(folder, "rustbucket-alerts")
	cmd := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	cmd.Dir = strings.TrimSpace(string(root))
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the server: %w\n%s", err, out)
	}
	return binary, nil
}

// server is a process of the server under test.
type server struct {
	addr   string
	token  string
	folder string
	cmd    *exec.Cmd
	ended  chan struct{}
	client *http.Client
}

// startServer starts the server on a database (empty = SQLite) in a new folder below dir, and returns when it is ready.
func startServer(ctx context.Context, binary, dir, databaseURL string) (*server, error) {
	folder, err := os.MkdirTemp(dir, "alerts-bench-")
	if err != nil {
		return nil, fmt.Errorf("making the server's folder: %w", err)
	}
	log, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the server's log: %w", err), os.RemoveAll(folder))
	}
	defer func() { _ = log.Close() }()
	s := &server{token: rand.Text(), folder: folder, ended: make(chan struct{}), client: &http.Client{Timeout: callTimeout}}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails, as its documentation says
	s.cmd = exec.Command(binary)
	s.cmd.Dir = folder // no .env here
	s.cmd.Env = []string{
		"LISTEN_ADDR=127.0.0.1:0", "ADMIN_TOKEN=" + s.token, "DATA_DIR=" + filepath.Join(folder, "data"), "EGRESS_ALLOW=127.0.0.0/8",
		"DATABASE_URL=" + databaseURL, "SECRET_KEY=" + base64.StdEncoding.EncodeToString(key[:]), "LOG_LEVEL=warn",
	}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GODEBUG"} {
		if v, ok := os.LookupEnv(name); ok {
			s.cmd.Env = append(s.cmd.Env, name+"="+v)
		}
	}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the server: %w", err), os.RemoveAll(folder))
	}
	go func() {
		defer close(s.ended)
		_ = s.cmd.Wait() // its log says more
	}()
	if err := s.waitReady(ctx); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// greeted finds in what the server greets with where it listens: on a port of its own choice, which nobody can take before it does.
var greeted = regexp.MustCompile(`\shttp://(\S+)/graphql\s`)

// waitReady returns when the server has greeted: it takes requests then.
func (s *server) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		log, _ := os.ReadFile(filepath.Join(s.folder, "log"))
		if found := greeted.FindSubmatch(log); found != nil {
			s.addr = string(found[1])
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended at its start: %s", s.logged())
		case <-ctx.Done():
			return fmt.Errorf("the server did not get ready: %w: %s", ctx.Err(), s.logged())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// stop ends the server gracefully, or by force when that takes too long, and removes its folder.
func (s *server) stop() error {
	var err error
	if e := s.cmd.Process.Signal(os.Interrupt); e != nil && !errors.Is(e, os.ErrProcessDone) {
		err = fmt.Errorf("stopping the server: %w", e)
	}
	select {
	case <-s.ended:
	case <-time.After(stopTimeout):
		err = errors.Join(err, errors.New("the server did not stop when it was asked to"), s.cmd.Process.Kill())
		<-s.ended
	}
	return errors.Join(err, os.RemoveAll(s.folder))
}

// logged gives the end of what the server has said, on one line. At LOG_LEVEL=warn that is nothing when all goes well,
// but for the addresses that it greets with.
func (s *server) logged() string {
	log, err := os.ReadFile(filepath.Join(s.folder, "log"))
	if err != nil {
		return err.Error()
	}
	text := strings.Join(strings.Fields(string(log)), " ")
	return text[max(0, len(text)-1000):]
}

// warnings gives the number of warnings and errors in the server's log, and the first of them.
func (s *server) warnings() (n int, first string) {
	log, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	for line := range bytes.Lines(log) {
		if bytes.Contains(line, []byte(" level=")) {
			if n++; n == 1 {
				first = strings.TrimSpace(string(line))
			}
		}
	}
	return n, first
}
