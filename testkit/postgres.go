package testkit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	oldestPostgres = 13               // the oldest major version that the server supports
	startTimeout   = 3 * time.Minute  // for a start, recovery after a crash included
	stopTimeout    = 20 * time.Second // for a fast shutdown, before it is forced
	folderPrefix   = "alerts-postgres-"
)

// Option changes how StartPostgres sets the server up.
type Option func(*Postgres)

// Durable keeps PostgreSQL's own defaults, fsync above all, so that a commit costs what it costs in earnest. Without it
// the server is made for tests: a commit holds over a crash of the server, but not over a power cut.
func Durable() Option { return func(p *Postgres) { p.durable = true } }

// Setting sets a parameter of postgresql.conf, such as Setting("max_connections", "500").
func Setting(name, value string) Option {
	return func(p *Postgres) { p.settings = append(p.settings, "-c", name+"="+value) }
}

// Postgres is a PostgreSQL server of our own: its own folder, port and password. Its methods may be called from several
// goroutines.
type Postgres struct {
	folder   string // holds everything; removed by Stop
	bin      string // where initdb and postgres are
	port     int
	password string
	durable  bool
	settings []string
	account  *account // who runs the server; nil = the user of this process

	mu      sync.Mutex
	process *process // nil while the server is down
	unlock  func()   // lets others clear the folder away
	letGo   func()   // lets others have the port; nil = nobody keeps it for us
}

// account is an operating system user.
type account struct {
	name     string
	uid, gid int
}

// StartPostgres starts a PostgreSQL server (13 or later) in a new folder below dir, or below os.TempDir() when dir is
// empty, and returns when it takes connections. The programs come from TEST_POSTGRES_BIN when it is set, else from PATH,
// else from where the packages of Linux distributions put them, the newest first. The caller must Stop it.
//
// PostgreSQL refuses to run as root, so a root process runs it as the user postgres, or nobody: dir and its parents must
// then be open (mode o+x) to that user, which t.TempDir() is not.
func StartPostgres(dir string, opts ...Option) (_ *Postgres, err error) {
	p := &Postgres{password: rand.Text()}
	for _, opt := range opts {
		opt(p)
	}
	if p.bin, err = findPostgres(); err != nil {
		return nil, err
	}
	if p.account, err = serverAccount(); err != nil {
		return nil, err
	}
	if dir == "" {
		dir = os.TempDir()
		removeAbandoned(dir)
	}
	if err := p.makeFolder(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Stop())
		}
	}()
	if err := p.initialise(); err != nil {
		return nil, err
	}
	// Where the port cannot be kept it may be taken when PostgreSQL does: then another one is tried.
	for range 5 {
		if p.port, p.letGo, err = keepPort(); err != nil {
			return nil, err
		}
		if err = p.Start(); !errors.Is(err, errPortTaken) {
			break
		}
		p.leavePort()
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Postgres) leavePort() {
	if p.letGo != nil {
		p.letGo()
		p.letGo = nil
	}
}

// URL is the address of a database on this server, as its superuser: postgres://…
func (p *Postgres) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword("postgres", p.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// CreateDatabase makes an empty database.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) error {
	return p.exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
}

// DropDatabase removes a database if there is one of that name, and closes the connections to it.
func (p *Postgres) DropDatabase(ctx context.Context, name string) error {
	return p.exec(ctx, "DROP DATABASE IF EXISTS "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

func (p *Postgres) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connecting to the test PostgreSQL: %w", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for deadline := time.Now().Add(startTimeout); ; {
		_, err := conn.Exec(ctx, sql)
		// PostgreSQL waits five seconds for the sessions that it ends, however long they take to end.
		var inUse *pgconn.PgError
		if errors.As(err, &inUse) && inUse.Code == "55006" && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", sql, err)
		}
		return nil
	}
}

// Crash kills the server without any warning (SIGKILL); nothing is cleaned up. Start brings it back, on the same address
// and with every commit. It does nothing when the server is down.
func (p *Postgres) Crash() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.process == nil {
		return nil
	}
	if err := p.process.signal(syscall.SIGKILL); err != nil {
		return fmt.Errorf("killing PostgreSQL: %w", err)
	}
	<-p.process.done
	p.process = nil
	return nil
}

// Stop shuts the server down (a fast shutdown: open connections are closed), waits for its end and removes its folder.
// The server cannot be started again. It may be called twice.
func (p *Postgres) Stop() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	if p.process != nil {
		err = p.process.stop()
		p.process = nil
	}
	if p.unlock != nil {
		p.unlock()
		p.unlock = nil
	}
	p.leavePort()
	return errors.Join(err, p.removeFolder())
}

// removeFolder removes the folder. The helpers of a killed server write to it until they have noticed.
func (p *Postgres) removeFolder() (err error) {
	for deadline := time.Now().Add(stopTimeout); ; time.Sleep(20 * time.Millisecond) {
		if err = os.RemoveAll(p.folder); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// Start starts the server again after a Crash, and returns when it takes connections. It does nothing when the server is
// up.
func (p *Postgres) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unlock == nil {
		return errors.New("starting PostgreSQL: it was stopped for good")
	}
	if p.process != nil {
		return nil
	}
	deadline := time.Now().Add(startTimeout)
	for {
		err := p.startOnce(deadline)
		// The helpers of a killed server end by themselves, but take a moment to.
		if !errors.Is(err, errHelpersAlive) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

var (
	errPortTaken    = errors.New("the port is taken")
	errHelpersAlive = errors.New("processes of the killed server are still there")
)

func (p *Postgres) startOnce(deadline time.Time) error {
	log, err := os.Create(p.path("log"))
	if err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	defer func() { _ = log.Close() }()
	args := []string{
		"-D", p.path("data"), "-p", strconv.Itoa(p.port), "-k", p.path("socket"),
		"-c", "listen_addresses=127.0.0.1", "-c", "logging_collector=off", "-c", "log_destination=stderr",
	}
	if !p.durable {
		// synchronous_commit stays on: without it a Crash would lose commits.
		args = append(args, "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300")
	}
	cmd := p.command("postgres", append(args, p.settings...)...)
	cmd.Stdout, cmd.Stderr = log, log
	server, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	if err := p.waitReady(server, deadline); err != nil {
		return errors.Join(err, server.stop())
	}
	p.process = server
	return nil
}

// waitReady returns when a connection can be had, when the server ended, or when the time is over.
func (p *Postgres) waitReady(server *process, deadline time.Time) error {
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-server.done:
			return p.startError()
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL did not answer within %v: %w", startTimeout, err)
		case <-tick.C:
		}
	}
}

// startError says why the server ended, from its log.
func (p *Postgres) startError() error {
	log, _ := os.ReadFile(p.path("log"))
	switch {
	case bytes.Contains(log, []byte("could not bind")):
		return fmt.Errorf("starting PostgreSQL on port %d: %w", p.port, errPortTaken)
	case bytes.Contains(log, []byte("pre-existing shared memory block")),
		bytes.Contains(log, []byte("lock file \"postmaster.pid\" already exists")):
		return fmt.Errorf("starting PostgreSQL: %w", errHelpersAlive)
	}
	return fmt.Errorf("PostgreSQL ended while starting: %s", oneLine(log))
}

// makeFolder makes the server's folder and those in it. Whoever runs the server owns only the inner ones.
func (p *Postgres) makeFolder(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("making PostgreSQL's folder: %w", err)
	}
	if p.account != nil {
		if err := mayEnter(p.account, dir); err != nil {
			return err
		}
	}
	if p.folder, err = os.MkdirTemp(dir, folderPrefix); err != nil {
		return fmt.Errorf("making PostgreSQL's folder: %w", err)
	}
	if p.unlock, err = lockFolder(p.folder); err != nil {
		return errors.Join(fmt.Errorf("locking PostgreSQL's folder: %w", err), os.RemoveAll(p.folder))
	}
	if p.account != nil {
		err = os.Chmod(p.folder, 0o711)
	}
	for _, name := range []string{"data", "socket"} {
		err = errors.Join(err, os.Mkdir(p.path(name), 0o700))
		if p.account != nil {
			err = errors.Join(err, os.Chown(p.path(name), p.account.uid, p.account.gid))
		}
	}
	if err != nil {
		return errors.Join(fmt.Errorf("making PostgreSQL's folder: %w", err), p.Stop())
	}
	return nil
}

// initialise runs initdb. The superuser is postgres; nobody gets in without the password, from this machine either.
func (p *Postgres) initialise() error {
	passwordFile := p.path("password")
	if err := os.WriteFile(passwordFile, []byte(p.password+"\n"), 0o600); err != nil {
		return fmt.Errorf("initdb: %w", err)
	}
	defer func() { _ = os.Remove(passwordFile) }()
	if p.account != nil {
		if err := os.Chown(passwordFile, p.account.uid, p.account.gid); err != nil {
			return fmt.Errorf("initdb: %w", err)
		}
	}
	locale := "C.UTF-8" // letters beyond ASCII have an upper and a lower case, as on a user's server
	if runtime.GOOS == "darwin" {
		locale = "en_US.UTF-8"
	}
	args := []string{
		"-D", p.path("data"), "--username=postgres", "--pwfile=" + passwordFile, "--auth=scram-sha-256",
		"--encoding=UTF8", "--locale=" + locale,
	}
	if !p.durable {
		args = append(args, "--no-sync")
	}
	if out, err := p.command("initdb", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, oneLine(out))
	}
	return nil
}

// command prepares one of PostgreSQL's programs. Its environment is empty but for what is named here: PGDATA, PGPORT and
// their like in ours would change what it does.
func (p *Postgres) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, program), args...)
	cmd.Dir = p.folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "LC_ALL=C"}
	if libraries := os.Getenv("LD_LIBRARY_PATH"); libraries != "" {
		cmd.Env = append(cmd.Env, "LD_LIBRARY_PATH="+libraries)
	}
	cmd.SysProcAttr = processAttributes(p.account)
	return cmd
}

func (p *Postgres) path(name string) string { return filepath.Join(p.folder, name) }

// process is a program that we started, and nothing else.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it ended
}

// startProcess starts the program on a thread that lives as long as the program does: Linux sends the signal that ends it
// together with us when the thread dies that started it.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// stop asks for a fast shutdown, then insists.
func (p *process) stop() error {
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.signal(s); err != nil {
			return fmt.Errorf("stopping PostgreSQL: %w", err)
		}
		select {
		case <-p.done:
			return nil
		case <-time.After(stopTimeout):
		}
	}
	return errors.New("stopping PostgreSQL: it does not end")
}

// findPostgres is the folder of PostgreSQL's programs.
func findPostgres() (string, error) {
	bin := os.Getenv("TEST_POSTGRES_BIN")
	switch {
	case bin != "" && !hasPostgres(bin):
		return "", fmt.Errorf("TEST_POSTGRES_BIN=%q: initdb and postgres are not there", bin)
	case bin == "":
		bin = installedPostgres()
	}
	if bin == "" {
		return "", errors.New("PostgreSQL is not installed: apt-get install postgresql (or name the folder of initdb and postgres in TEST_POSTGRES_BIN)")
	}
	out, err := exec.Command(filepath.Join(bin, "postgres"), "--version").Output()
	if err != nil {
		return "", fmt.Errorf("asking PostgreSQL in %s for its version: %w", bin, err)
	}
	if v := firstNumber(string(out)); v < oldestPostgres {
		return "", fmt.Errorf("PostgreSQL in %s is version %d: install %d or later", bin, v, oldestPostgres)
	}
	return bin, nil
}

// installedPostgres looks into PATH and then where Debian, Red Hat and Homebrew keep several versions side by side.
func installedPostgres() string {
	if program, err := exec.LookPath("initdb"); err == nil {
		if program, err = filepath.EvalSymlinks(program); err == nil && hasPostgres(filepath.Dir(program)) {
			return filepath.Dir(program)
		}
	}
	var found []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		dirs, _ := filepath.Glob(pattern) // fails on a bad pattern only
		found = append(found, slices.DeleteFunc(dirs, func(d string) bool { return !hasPostgres(d) })...)
	}
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int { return firstNumber(a) - firstNumber(b) })
}

func hasPostgres(dir string) bool {
	for _, program := range []string{"initdb", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, program)); err != nil {
			return false
		}
	}
	return true
}

func firstNumber(s string) int {
	n, _ := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(s))
	return n
}

// serverAccount is who runs the server when we are root, else nil.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.Atoi(u.Uid)
		gid, err2 := strconv.Atoi(u.Gid)
		if err := errors.Join(err1, err2); err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &account{name: name, uid: uid, gid: gid}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is no user postgres or nobody to run it as")
}

// mayEnter reports the first folder on the way to dir that the account cannot pass through.
func mayEnter(a *account, dir string) error {
	for ; ; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("making PostgreSQL's folder: %w", err)
		}
		if info.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("PostgreSQL's folder cannot be below %s: user %s may not enter it (mode %v)", dir, a.name, info.Mode().Perm())
		}
		if dir == filepath.Dir(dir) {
			return nil
		}
	}
}

// removeAbandoned clears away the folders of processes that ended without Stop. A living one holds its lock.
func removeAbandoned(dir string) {
	locks, _ := filepath.Glob(filepath.Join(dir, folderPrefix+"*", lockName))
	for _, lock := range locks {
		if abandoned(lock) {
			_ = os.RemoveAll(filepath.Dir(lock)) // what cannot be removed is not ours to worry about
		}
	}
}

// lockName is the file whose lock says that a folder is in use.
const lockName = "lock"

// lockFolder takes the folder's lock until the function that it returns is called, or this process ends.
func lockFolder(folder string) (func(), error) {
	// The file gets its name when it is locked, so that nobody ever sees it unlocked.
	early := filepath.Join(folder, lockName+".new")
	f, err := os.OpenFile(early, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := os.Rename(early, filepath.Join(folder, lockName)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}

// abandoned reports whether nobody holds this lock.
func abandoned(lock string) bool {
	f, err := os.OpenFile(lock, os.O_RDWR, 0)
	if err != nil {
		return false // gone already, or somebody else's
	}
	defer func() { _ = f.Close() }()
	return lockFile(f) == nil
}

// oneLine is the end of a program's output, where it says what went wrong, without line breaks.
func oneLine(out []byte) string {
	s := strings.Join(strings.Fields(string(out)), " ")
	return s[max(0, len(s)-600):]
}
