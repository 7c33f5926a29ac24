package main

import (
	"bytes"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rustbucket/alerts/testkit"
)

// program builds the program once for all tests that run it as a user does.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(programDir(), "alerts")
	if err := os.MkdirAll(programDir(), 0o700); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// programDir is removed when the tests end.
func programDir() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("alerts-program-%d", os.Getpid()))
}

// process is the program as a process of its own.
type process struct {
	t              *testing.T
	dir, url       string
	env            []string
	stdout, stderr *logBuffer
	cmd            *exec.Cmd
	ended          chan error
}

func newProcess(t *testing.T, env ...string) *process {
	t.Helper()
	port, err := testkit.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprint("127.0.0.1:", port)
	p := &process{t: t, dir: t.TempDir(), url: "http://" + addr}
	p.env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.dir, "LISTEN_ADDR=" + addr, "EGRESS_ALLOW=127.0.0.0/8", "DELIVERY_TIMEOUT=1m"}, env...)
	return p
}

func (p *process) command(args ...string) *exec.Cmd {
	p.t.Helper()
	path, err := program()
	if err != nil {
		p.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	return cmd
}

// run runs a command to its end.
func (p *process) run(args ...string) (stdout, stderr string, status int) {
	p.t.Helper()
	cmd := p.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	defer time.AfterFunc(longestEnd, func() {
		p.t.Errorf("%v did not end within %v", args, longestEnd)
		_ = cmd.Process.Kill()
	}).Stop()
	_ = cmd.Wait()
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// start launches it and waits until it is ready, and has said so.
func (p *process) start() {
	p.t.Helper()
	p.launch()
	defer func() {
		if p.t.Failed() {
			p.t.Logf("it says %s%s", p.stdout, p.stderr)
		}
	}()
	testkit.Until(p.t, "the server to be ready", func() bool {
		return p.status("/readyz") == http.StatusOK && strings.Contains(p.stdout.String(), "is ready")
	})
}

func (p *process) launch() {
	p.t.Helper()
	http.DefaultClient.CloseIdleConnections() // those to a process that was here before lead nowhere
	p.stdout, p.stderr = new(logBuffer), new(logBuffer)
	p.cmd = p.command()
	p.cmd.Stdout, p.cmd.Stderr = p.stdout, p.stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.ended = make(chan error, 1)
	go func() { p.ended <- p.cmd.Wait() }()
	process := p.cmd.Process
	p.t.Cleanup(func() { _ = process.Kill() })
}

func (p *process) status(path string) int {
	res, err := http.Get(p.url + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// longestEnd is how long a process has to end, whatever it still has to do.
const longestEnd = 90 * time.Second

// stop stops it as an operator does.
func (p *process) stop() {
	p.t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.waitForEnd()
}

func (p *process) waitForEnd() {
	p.t.Helper()
	select {
	case err := <-p.ended:
		if err != nil {
			p.t.Errorf("ended with %v: %s", err, p.stderr)
		}
	case <-time.After(longestEnd):
		p.t.Fatalf("did not stop: %s", p.stderr)
	}
}

// api gives a client for it.
func (p *process) api() *server { return &server{t: p.t, url: p.url} }

func TestProcess_FirstStartSetsItselfUp(t *testing.T) {
	p := newProcess(t)
	p.start()
	token := regexp.MustCompile(`admin token +(rba_[0-9A-Za-z]{38}) `).FindStringSubmatch(p.stdout.String())
	if token == nil || !strings.Contains(p.stdout.String(), p.url+"/graphql") || !strings.Contains(p.stdout.String(), "SQLite at data/alerts.db") {
		t.Fatalf("printed %s", p.stdout)
	}
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/": 200, "/playground": 200, "/graphql": 401, "/nothing": 404} {
		if got := p.status(path); got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
	if a := p.api().as(token[1], `{ viewer { name role } }`, nil); at(a.Data, "viewer", "role") != "ADMIN" {
		t.Errorf("the first token: %+v", a)
	}
	for path, want := range map[string]os.FileMode{"data": 0o700, "data/secret.key": 0o600} {
		if info, err := os.Stat(filepath.Join(p.dir, path)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	second := newProcess(t)
	second.dir = p.dir
	if _, stderr, status := second.run(); status != 1 || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "PostgreSQL") {
		t.Errorf("a second server on the file: status %d, %q", status, stderr)
	}
	p.stop()
	p.start()
	if strings.Contains(p.stdout.String(), "rba_") {
		t.Errorf("the second start printed %s", p.stdout)
	}
	if a := p.api().as(token[1], `{ viewer { name role } }`, nil); at(a.Data, "viewer", "name") != "admin" {
		t.Errorf("the first token after a restart: %+v", a)
	}
	p.stop()
}

func TestProcess_AStartThatFailsSaysSoInOneLine(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		env     []string
		dotenv  string
		args    []string
		prepare func(t *testing.T, p *process)
		says    []string
	}{
		"wrong log level":    {env: []string{"LOG_LEVEL=loud"}, says: []string{"LOG_LEVEL", "loud", "debug"}},
		"wrong egress":       {env: []string{"EGRESS_ALLOW=banana"}, says: []string{"EGRESS_ALLOW", "banana"}},
		"wrong mail port":    {dotenv: "EMAIL_PORT=many\n", says: []string{"EMAIL_PORT", "many", "65535"}},
		"misspelt":           {dotenv: "EMAIL_HOTS=smtp.example.com\n", says: []string{"EMAIL_HOTS", "EMAIL_HOST"}},
		"PostgreSQL, no key": {env: []string{"DATABASE_URL=postgres://127.0.0.1:1/x"}, says: []string{"SECRET_KEY", "openssl rand -base64 32"}},
		"short key":          {env: []string{"SECRET_KEY=aGVsbG8="}, says: []string{"SECRET_KEY", "openssl rand -base64 32"}},
		"PostgreSQL is away": {env: []string{"DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x", "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}, says: []string{"PostgreSQL"}},
		"address in use":     {env: []string{"LISTEN_ADDR=" + taken.Addr().String()}, says: []string{"LISTEN_ADDR", taken.Addr().String()}},
		"unknown command":    {args: []string{"dance"}, says: []string{"dance"}},
		"not set up":         {args: []string{"token", "list"}, says: []string{"migrate"}},
		"another key":        {prepare: changeKey, says: []string{"SECRET_KEY"}},
		"a newer database":   {prepare: makeNewer, says: []string{"newer"}},
		"a read-only file":   {prepare: makeReadOnly, says: []string{"read-only"}},
		"no database at all": {prepare: makeGarbage, says: []string{"alerts.db"}},
		"data dir is no dir": {env: []string{"DATA_DIR=/dev/null/x"}, says: []string{"DATA_DIR"}},
		"token without role": {args: []string{"token", "create", "--name", "x"}, says: []string{"--role"}},
		"two ways to test":   {args: []string{"test-notification", "--all", "--list"}, says: []string{"--all"}},
		"nothing to test":    {args: []string{"test-notification"}, says: []string{"--list"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, c.env...)
			if c.prepare != nil {
				c.prepare(t, p)
			}
			if c.dotenv != "" {
				if err := os.WriteFile(filepath.Join(p.dir, ".env"), []byte(c.dotenv), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			stdout, stderr, status := p.run(c.args...)
			if status != 1 || strings.Count(stderr, "\n") != 1 || stdout != "" {
				t.Errorf("status %d, stdout %q, stderr %q", status, stdout, stderr)
			}
			for _, part := range c.says {
				if !strings.Contains(stderr, part) {
					t.Errorf("%q does not say %q", stderr, part)
				}
			}
			if strings.Contains(stderr, "hunter2") {
				t.Errorf("a secret: %s", stderr)
			}
		})
	}
}

// setUp makes the process's database.
func setUp(t *testing.T, p *process) *sql.DB {
	t.Helper()
	if _, stderr, status := p.run("migrate"); status != 0 {
		t.Fatal(stderr)
	}
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "data", "alerts.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func changeKey(t *testing.T, p *process) {
	setUp(t, p).Close()
	p.env = append(p.env, "ADMIN_TOKEN="+testToken)
	p.start()
	p.api().createChannel("hook", webhook("https://example.com/"))
	p.stop()
	if err := os.Remove(filepath.Join(p.dir, "data", "secret.key")); err != nil {
		t.Fatal(err)
	}
}

func makeNewer(t *testing.T, p *process) {
	if _, err := setUp(t, p).Exec(`INSERT INTO bun_migrations (name, group_id, migrated_at) VALUES ('9999', 99, '2030-01-01 00:00:00')`); err != nil {
		t.Fatal(err)
	}
}

func makeReadOnly(t *testing.T, p *process) {
	url := testkit.NewDatabase(t)
	p.env = append(p.env, "DATABASE_URL="+url, "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	readOnly(t, url)
}

// readOnly makes a PostgreSQL database refuse writes on new connections, as a standby does.
func readOnly(t *testing.T, url string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	name := pgx.Identifier{conn.Config().Database}.Sanitize()
	if _, err := conn.Exec(t.Context(), "ALTER DATABASE "+name+" SET default_transaction_read_only = on"); err != nil {
		t.Fatal(err)
	}
	// Connections that are open already keep their setting: end them.
	if _, err := conn.Exec(t.Context(), "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"); err != nil {
		t.Fatal(err)
	}
}

func makeGarbage(t *testing.T, p *process) {
	if err := os.MkdirAll(filepath.Join(p.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "data", "alerts.db"), bytes.Repeat([]byte("not a database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestProcess_CommandsWorkBesideARunningServer(t *testing.T) {
	for name, env := range map[string][]string{
		"SQLite":     nil,
		"PostgreSQL": {"DATABASE_URL=" + testkit.NewDatabase(t), "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, append(env, "ADMIN_TOKEN="+testToken)...)
			p.start()
			r := newReceiver(t)
			api := p.api()
			api.createChannel("Good one", webhook(r.URL))
			api.createChannel("off", webhook(r.URL), "isActive", false)
			if stdout, stderr, status := p.run("test-notification", "--list"); status != 0 || !strings.Contains(stdout, "Good one") || !strings.Contains(stdout, "off") {
				t.Errorf("--list: status %d, %s%s", status, stdout, stderr)
			}
			if stdout, stderr, status := p.run("test-notification", "--all"); status != 0 || !strings.Contains(stdout, "Good one") || strings.Contains(stdout, "off ") {
				t.Errorf("--all: status %d, %s%s", status, stdout, stderr)
			}
			if stdout, stderr, status := p.run("test-notification", "--channel", "off"); status != 0 || !strings.Contains(stdout, "ok") {
				t.Errorf("--channel off: status %d, %s%s", status, stdout, stderr)
			}
			if len(r.all()) != 2 {
				t.Errorf("%d tests arrived", len(r.all()))
			}
			r.answer(http.StatusInternalServerError, "broken")
			if stdout, stderr, status := p.run("test-notification", "--channel", "Good one"); status != 1 || !strings.Contains(stdout, "FAILED") || !strings.Contains(stdout, "500") {
				t.Errorf("a failing test: status %d, %s%s", status, stdout, stderr)
			}
			tests := at(api.do(`{ auditLog(filter: {actions: [CHANNEL_TESTED], by: "command line"}) { nodes { subjectName changes } } }`, nil), "auditLog", "nodes").([]any)
			if len(tests) != 3 || at(tests[0], "subjectName") != "Good one" || at(tests[0], "changes", "statusCode") != 500.0 {
				t.Errorf("in the audit log: %v", tests)
			}
			if _, stderr, status := p.run("test-notification", "--channel", "nobody"); status != 1 || strings.Count(stderr, "\n") != 1 {
				t.Errorf("an unknown channel: status %d, %s", status, stderr)
			}
			stdout, stderr, status := p.run("token", "create", "--name", "node 1", "--role", "REPORTER", "--expires", "720h")
			token := strings.TrimSpace(stdout)
			if status != 0 || !regexp.MustCompile(`^rba_\w{38}\n$`).MatchString(stdout) {
				t.Fatalf("token create: status %d, %q %s", status, stdout, stderr)
			}
			if a := api.as(token, `{ viewer { name role } }`, nil); at(a.Data, "viewer", "name") != "node 1" || at(a.Data, "viewer", "role") != "REPORTER" {
				t.Errorf("the new token: %+v", a)
			}
			if stdout, _, status := p.run("token", "list"); status != 0 || !strings.Contains(stdout, "node 1") || strings.Contains(stdout, token) {
				t.Errorf("token list: status %d, %s", status, stdout)
			}
			if _, stderr, status := p.run("token", "revoke", "node 1"); status != 0 {
				t.Errorf("token revoke: status %d, %s", status, stderr)
			}
			api.until("the token to be refused", func() bool { return api.as(token, `{ viewer { name } }`, nil).Status == http.StatusUnauthorized })
			p.stop()
		})
	}
}

func TestProcess_StopsInGoodOrder(t *testing.T) {
	for name, database := range map[string]string{"SQLite": "", "PostgreSQL": testkit.NewDatabase(t)} {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, "ADMIN_TOKEN="+testToken, "DATABASE_URL="+database, "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
			p.start()
			api := p.api()
			arrived, release := make(chan struct{}, 1000), make(chan struct{})
			slow := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
				arrived <- struct{}{}
				select {
				case <-release:
				case <-r.Context().Done():
				}
			})
			api.createChannel("slow", webhook(slow))
			var inputs []any
			for i := range 100 { // some in flight, the others wait for their turn
				inputs = append(inputs, map[string]any{"type": "error", "message": fmt.Sprint(i)})
			}
			api.do(createAlertsQuery, map[string]any{"inputs": inputs})
			<-arrived
			_ = p.cmd.Process.Signal(syscall.SIGTERM)
			api.until("the server to say that it stops", func() bool { return p.status("/readyz") != http.StatusOK })
			close(release)
			p.waitForEnd()
			p.start()
			// What was in flight has ended as it did, what waited was handed back and goes out at once.
			api.until("all deliveries to be made", func() bool {
				return at(api.do(`{ deliveries(filter: {statuses: [DELIVERED]}) { totalCount } }`, nil), "deliveries", "totalCount") == 100.0
			})
			if n := len(arrived) + 1; n != 100 {
				t.Errorf("%d requests for 100 deliveries", n)
			}
			p.stop()
		})
	}
}

func TestProcess_GoesOnForAWhileWhenToldToStop(t *testing.T) {
	p := newProcess(t, "ADMIN_TOKEN="+testToken)
	env := p.env
	for _, delay := range []time.Duration{time.Second, 5 * time.Minute} {
		p.env = append(slices.Clone(env), fmt.Sprint("SHUTDOWN_DELAY=", delay))
		p.start()
		told := time.Now()
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if delay == time.Second {
			p.waitForEnd()
			if took := time.Since(told); took < delay {
				t.Errorf("it ended after %v", took)
			}
			continue
		}
		api := p.api()
		api.until("the server to say that it is not ready", func() bool { return p.status("/readyz") == http.StatusServiceUnavailable })
		api.createAlert(nil)
		if p.status("/healthz") != http.StatusOK {
			t.Error("it does not live any more")
		}
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
		case <-time.After(longestEnd):
			t.Error("a second signal does not end it at once")
		}
	}
}

// httpServer is a real HTTP endpoint.
func httpServer(t *testing.T, f http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	return s.URL
}

func TestProcess_SaysSoWhenItsDatabaseCannotBeWritten(t *testing.T) {
	url := testkit.NewDatabase(t)
	p := newProcess(t, "ADMIN_TOKEN="+testToken, "DATABASE_URL="+url, "SECRET_KEY=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
	p.start()
	before := p.api().createAlert(nil)
	readOnly(t, url)
	var last answer
	p.api().until("the refusal", func() bool {
		last = p.api().try(`mutation { createAlert(input: {type: "x", message: "m"}) { id } }`, nil)
		return len(last.Errors) == 1 && strings.Contains(last.Errors[0].Message, "read-only")
	})
	if e := last.Errors[0]; e.Extensions.Code != "INTERNAL" || !strings.Contains(e.Message, "nothing was stored") {
		t.Errorf("error %+v", e)
	}
	// The connections that only read were ended as well, and are made anew.
	p.api().until("the alerts to be read", func() bool {
		last = p.api().try(`{ alerts { nodes { id } totalCount } }`, nil)
		return len(last.Errors) == 0
	})
	if n := at(last.Data, "alerts", "nodes", 0, "id"); n != before {
		t.Errorf("the newest alert is %v, was %v", n, before)
	}
	p.stop()
}
