package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/mail"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/caarlos0/env/v11"
	"github.com/joho/godotenv"
)

// config is what the operator decides. The tags are the one description of every setting: the parser, the messages about
// wrong values and docs/settings.md read them. A value of a setting tagged secret is never shown.
type config struct {
	ListenAddr listenAddr `env:"LISTEN_ADDR" envDefault:"127.0.0.1:8080" about:"where the server listens" accepts:"host:port, such as 127.0.0.1:8080, or :8080 for every address of the machine"`

	TLSCertFile string `env:"TLS_CERT_FILE" default:"plain HTTP, for a proxy in front" about:"certificate to serve HTTPS with, and its chain; read again when it changes" accepts:"path of a PEM file; TLS_KEY_FILE goes with it"`
	TLSKeyFile  string `env:"TLS_KEY_FILE" default:"none" about:"the certificate's key" accepts:"path of a PEM file"`

	TrustedProxies prefixes `env:"TRUSTED_PROXIES" default:"none" about:"proxies whose X-Forwarded-For says where a request comes from, and X-Forwarded-Proto whether over TLS; limits, the audit log and session cookies go by it" accepts:"comma-separated CIDRs and addresses, such as 10.0.0.0/8,192.168.1.7"`

	DatabaseURL databaseURL `env:"DATABASE_URL" default:"SQLite at $DATA_DIR/alerts.db" about:"where alerts are kept; with PostgreSQL any number of servers may share one" accepts:"sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/DATABASE (special characters in the password percent-encoded)"`
	DataDir     string      `env:"DATA_DIR" envDefault:"./data" about:"folder of what the server keeps on disk; created, for its owner alone" accepts:"a path"`

	AdminToken        adminToken `env:"ADMIN_TOKEN" secret:"yes" default:"generated and printed once, on the first start" about:"a token with the role ADMIN" accepts:"printable ASCII characters without blanks, better 16 or more (openssl rand -hex 32)"`
	SecretKey         secretKey  `env:"SECRET_KEY" secret:"yes" default:"generated into $DATA_DIR/secret.key with SQLite; required with PostgreSQL" about:"the key that seals the channels' secrets in the database; the same for every server on it" accepts:"32 bytes in base64: openssl rand -base64 32"`
	SecretKeyPrevious secretKeys `env:"SECRET_KEY_PREVIOUS" secret:"yes" default:"none" about:"former keys, while what they sealed is read; the command reseal puts everything under SECRET_KEY" accepts:"comma-separated keys in the form of SECRET_KEY"`

	EgressAllow    prefixes       `env:"EGRESS_ALLOW" default:"public addresses only" about:"private addresses that channels may call; a cloud's metadata address opens only when named by itself (/32, /128)" accepts:"comma-separated CIDRs and addresses, such as 10.0.0.0/8,192.168.1.7"`
	AllowedOrigins allowedOrigins `env:"ALLOWED_ORIGINS" default:"the server's own" about:"web pages whose scripts may use the API from a browser" accepts:"comma-separated origins (scheme://host[:port], http or https), such as https://console.example.com"`

	PublicURL publicURL `env:"PUBLIC_URL" default:"messages have no links" about:"where people reach this server; messages then link to their alert" accepts:"an http or https URL without query, such as https://alerts.example.com"`

	EmailBackend      emailBackend `env:"EMAIL_BACKEND" about:"read so that an .env made for Django can stay as it is" accepts:"django.core.mail.backends.smtp.EmailBackend, which says nothing new: leave it out"`
	EmailHost         emailHost    `env:"EMAIL_HOST" default:"no mail is sent" about:"mail server" accepts:"a host name or an IP address; the port goes into EMAIL_PORT"`
	EmailPort         emailPort    `env:"EMAIL_PORT" envDefault:"587" about:"its port" accepts:"1 to 65535"`
	EmailUseTLS       onOff        `env:"EMAIL_USE_TLS" envDefault:"False" about:"True: STARTTLS, and no mail without it" accepts:"True or False (also 1, 0, yes, no, on, off)"`
	EmailUseSSL       onOff        `env:"EMAIL_USE_SSL" envDefault:"False" about:"True: TLS from the first byte, mostly on port 465" accepts:"True or False (also 1, 0, yes, no, on, off)"`
	EmailHostUser     string       `env:"EMAIL_HOST_USER" default:"no login" about:"user name for the mail server" accepts:"any text"`
	EmailHostPassword password     `env:"EMAIL_HOST_PASSWORD" secret:"yes" default:"no login" about:"password for the mail server" accepts:"any text"`
	EmailTimeout      emailTimeout `env:"EMAIL_TIMEOUT" envDefault:"10" about:"seconds until an attempt to send a mail is given up" accepts:"whole seconds, 1 to 300"`
	DefaultFromEmail  fromAddress  `env:"DEFAULT_FROM_EMAIL" default:"EMAIL_HOST_USER when that is an address, else webmaster@localhost" about:"sender of the mails" accepts:"an address, such as alerts@example.com or \"Alerts <alerts@example.com>\""`

	DeliveryTimeout deliveryTimeout `env:"DELIVERY_TIMEOUT" envDefault:"10s" about:"time until an attempt to tell a channel is given up: connecting, sending and the whole answer" accepts:"a duration from 1s to 5m, such as 10s"`

	Retention retentionTime `env:"RETENTION" envDefault:"90d" about:"how long alerts are kept, with their deliveries, attempts and events, and silences that are over; older ones are removed, unless a delivery of theirs still waits, or an alert names the silence" accepts:"days, such as 90d, or a duration such as 2160h, 1h or more; 0 or off keeps everything"`

	Introspection onOff `env:"INTROSPECTION" envDefault:"True" about:"whether the API tells its schema to whoever has a token, as the playground needs it to; the schema is public all the same" accepts:"True or False (also 1, 0, yes, no, on, off)"`

	CostPerSecond costPerSecond `env:"COST_PER_SECOND" envDefault:"250000" about:"what the operations of one token may cost a second on one server, and four times that those from one address, see security.md; who asks for more waits, and is refused beyond 5 s" accepts:"a whole number from 1000 to 1000000000; 0 or off bounds nothing"`

	ShutdownDelay shutdownDelay `env:"SHUTDOWN_DELAY" envDefault:"0s" about:"how long a server that is told to stop goes on as before, with /readyz saying no, so that load balancers send callers elsewhere first" accepts:"a duration from 0s to 5m, such as 10s"`

	LogLevel  logLevel  `env:"LOG_LEVEL" envDefault:"info" about:"the least that is logged" accepts:"debug, info, warn, error"`
	LogFormat logFormat `env:"LOG_FORMAT" envDefault:"text" about:"how it is logged" accepts:"text, json"`
}

// loadConfig reads the settings from environ (NAME=value, as os.Environ gives them) and, below that, from the file dotenv,
// which may be missing. An empty value counts as none. Any error is one line for the operator; it names the variable, the
// value unless that is a secret, and what is accepted.
func loadConfig(environ []string, dotenv string) (config, error) {
	fromFile, err := readDotenv(dotenv)
	if err != nil {
		return config{}, err
	}
	values, source := map[string]string{}, map[string]string{}
	for _, s := range settings() {
		if v, ok := fromFile[s.name]; ok {
			values[s.name], source[s.name] = v, " (in "+dotenv+")"
		}
	}
	given := env.ToMap(environ)
	for _, s := range settings() {
		if v, ok := given[s.name]; ok {
			values[s.name], source[s.name] = v, ""
		}
	}
	c, err := env.ParseAsWithOptions[config](env.Options{Environment: values})
	if err != nil {
		return config{}, describe(err, values, source)
	}
	if err := c.complete(); err != nil {
		return config{}, err
	}
	return c, nil
}

// complete checks what takes more than one setting to judge, and fills in what follows from others.
func (c *config) complete() error {
	if c.EmailUseTLS && c.EmailUseSSL {
		return errors.New("EMAIL_USE_TLS=True and EMAIL_USE_SSL=True exclude each other: EMAIL_USE_TLS=True alone for STARTTLS (port 587), EMAIL_USE_SSL=True alone for TLS from the first byte (port 465)")
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		return errors.New("TLS_CERT_FILE and TLS_KEY_FILE go together: set both, or none")
	}
	if c.DatabaseURL.isPostgres() && c.SecretKey == nil {
		return errors.New("SECRET_KEY is not set, and PostgreSQL needs it, the same for every server on the database: make one with `openssl rand -base64 32`, keep it, and set SECRET_KEY to it")
	}
	if c.DefaultFromEmail.Address == "" && c.DefaultFromEmail.UnmarshalText([]byte(c.EmailHostUser)) != nil {
		c.DefaultFromEmail = fromAddress(mail.Address{Address: "webmaster@localhost"}) // as Django does
	}
	return nil
}

// sqlitePath is the file of the SQLite database, or empty with PostgreSQL.
func (c config) sqlitePath() string {
	if c.DatabaseURL.isPostgres() {
		return ""
	}
	if path, ok := strings.CutPrefix(string(c.DatabaseURL), sqliteScheme); ok {
		return path
	}
	return filepath.Join(c.DataDir, "alerts.db")
}

// redacted lists every setting with its value, secrets only as set or not set: it may be logged.
func (c config) redacted() []slog.Attr {
	var attrs []slog.Attr
	for _, s := range settings() {
		value := reflect.ValueOf(c).FieldByName(s.field)
		shown := fmt.Sprint(value.Interface())
		if s.secret {
			shown = ""
			if !value.IsZero() {
				shown = "(set)"
			}
		}
		attrs = append(attrs, slog.String(s.name, shown))
	}
	return attrs
}

// LogValue lets a config be logged without its secrets.
func (c config) LogValue() slog.Value { return slog.GroupValue(c.redacted()...) }

func (c config) String() string {
	var b strings.Builder
	for i, a := range c.redacted() {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%q", a.Key, a.Value.String())
	}
	return b.String()
}

// GoString keeps %#v from showing secrets.
func (c config) GoString() string { return c.String() }

// setting is one line of the table of settings.
type setting struct {
	field    string // of config
	name     string // of the environment variable
	fallback string // what holds when it is not set
	about    string
	accepts  string
	secret   bool
}

// settings is the table, in the order of config's fields.
func settings() []setting {
	var all []setting
	for _, f := range reflect.VisibleFields(reflect.TypeFor[config]()) {
		all = append(all, setting{
			field:    f.Name,
			name:     f.Tag.Get("env"),
			fallback: f.Tag.Get("envDefault") + f.Tag.Get("default"),
			about:    f.Tag.Get("about"),
			accepts:  f.Tag.Get("accepts"),
			secret:   f.Tag.Get("secret") != "",
		})
	}
	return all
}

// describe puts the parser's first complaint into the operator's terms.
func describe(err error, values, source map[string]string) error {
	var wrong env.ParseError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("reading the settings: %w", err)
	}
	for _, s := range settings() {
		if s.field != wrong.Name {
			continue
		}
		shown := fmt.Sprintf("%s=%.200q", s.name, values[s.name])
		switch {
		case s.secret:
			shown = s.name + " (its value is not shown)"
		case s.name == "DATABASE_URL":
			shown = fmt.Sprintf("%s=%.200q", s.name, databaseURL(values[s.name]).String())
		}
		return fmt.Errorf("%s%s: %w; accepted: %s", shown, source[s.name], wrong.Err, s.accepts)
	}
	return fmt.Errorf("reading the settings: %w", err)
}

// dotenvKey is what a name in the file may be; the parser itself would also take names with blanks in them, or none.
var dotenvKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)

// dotenvReference is where another value is put in.
var dotenvReference = regexp.MustCompile(`^\$\{[A-Z0-9_]+\}`)

// readDotenv reads the file, which may be missing, and refuses names in it that can only be misspelt ones of ours. Nothing
// of the file's text appears in an error: it holds secrets.
func readDotenv(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the settings: %w", err)
	}
	values, ok := parseDotenv(text)
	if !ok {
		return nil, fmt.Errorf("%s, line %d: cannot be read; accepted: NAME=value, in quotes when the value has blanks or a # in it", path, brokenLine(text))
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if meant := misspelt(name); meant != "" {
			return nil, fmt.Errorf("%s: there is no setting %s: did you mean %s? (docs/settings.md has them all)", path, name, meant)
		}
	}
	return values, nil
}

// parseDotenv reads the text of the file. ${NAME} stands for a value further up, as it does for python-dotenv and Compose; any
// other $ is itself. The library would take $NAME for a variable too, and silently cut it out of a password.
func parseDotenv(text []byte) (map[string]string, bool) {
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, false
	}
	text = bytes.Clone(bytes.TrimPrefix(text, []byte("\ufeff"))) // some editors on Windows put it there
	for i, c := range text {
		if c == '$' && !dotenvReference.Match(text[i:]) {
			text[i] = 0
		}
	}
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, false
	}
	for name, value := range values {
		if !dotenvKey.MatchString(name) {
			return nil, false
		}
		values[name] = strings.ReplaceAll(value, "\x00", "$")
	}
	return values, true
}

// brokenLine is the number of the first line that the text cannot be read beyond.
func brokenLine(text []byte) int {
	good, end, line := 0, 0, 0
	for part := range bytes.Lines(text) {
		line++
		end += len(part)
		if _, ok := parseDotenv(text[:end]); ok {
			good = line
		}
	}
	return min(good+1, line)
}

// ourPrefixes start names that are surely meant for this server, when they stand in its .env.
var ourPrefixes = []string{"EMAIL_", "EGRESS_", "SECRET_", "ADMIN_", "LOG_", "DATABASE_", "LISTEN_", "DELIVERY_", "RETENTION_"}

// djangosOwn are Django's settings that start like ours, and change nothing in the mails that we send.
var djangosOwn = []string{"EMAIL_SUBJECT_PREFIX", "EMAIL_USE_LOCALTIME", "EMAIL_FILE_PATH", "SECRET_KEY_FALLBACKS", "DATABASE_ROUTERS"}

// misspelt is the setting that name was probably meant to be, or empty when name is right or somebody else's.
func misspelt(name string) string {
	upper := strings.ToUpper(name)
	ours := slices.ContainsFunc(ourPrefixes, func(p string) bool { return strings.HasPrefix(upper, p) })
	nearest, distance := "", len(name)+100
	for _, s := range settings() {
		if s.name == name {
			return ""
		}
		d := levenshtein.ComputeDistance(upper, s.name)
		if ours && leavesOutWords(upper, s.name) {
			d = min(d, 1) // EMAIL_TLS is nearer to EMAIL_USE_TLS than to EMAIL_HOST
		}
		if d < distance {
			nearest, distance = s.name, d
		}
	}
	if slices.Contains(djangosOwn, name) || !ours && distance > 2 {
		return ""
	}
	return nearest
}

// leavesOutWords reports whether name has only words that full has too.
func leavesOutWords(name, full string) bool {
	words := strings.Split(full, "_")
	for word := range strings.SplitSeq(name, "_") {
		if !slices.Contains(words, word) {
			return false
		}
	}
	return true
}
