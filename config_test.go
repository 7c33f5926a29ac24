package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	goodKey   = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	goodToken = "0123456789abcdef"
)

// load reads the settings with no .env and with only these variables.
func load(t *testing.T, vars map[string]string) (config, error) {
	t.Helper()
	return loadConfig(environ(vars), filepath.Join(t.TempDir(), ".env"))
}

func environ(vars map[string]string) []string {
	var list []string
	for name, value := range vars {
		list = append(list, name+"="+value)
	}
	return list
}

func TestLoadConfig_NeedsNothing(t *testing.T) {
	c, err := load(t, map[string]string{"HOME": "/root", "EMAIL_HOSST": "in the environment this is nobody's business"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"LISTEN_ADDR": "127.0.0.1:8080", "DATA_DIR": "./data", "EMAIL_PORT": "587", "EMAIL_USE_TLS": "false", "EMAIL_USE_SSL": "false",
		"EMAIL_TIMEOUT": "10s", "DEFAULT_FROM_EMAIL": "<webmaster@localhost>", "DELIVERY_TIMEOUT": "10s", "RETENTION": "90d", "INTROSPECTION": "true", "COST_PER_SECOND": "250000", "SHUTDOWN_DELAY": "0s", "LOG_LEVEL": "info", "LOG_FORMAT": "text",
	}
	for _, a := range c.redacted() {
		if got := a.Value.String(); got != want[a.Key] {
			t.Errorf("%s is %q, want %q", a.Key, got, want[a.Key])
		}
		delete(want, a.Key)
	}
	if len(want) > 0 {
		t.Errorf("not in the list: %v", want)
	}
	if got := c.sqlitePath(); got != "data/alerts.db" {
		t.Errorf("the database is %q", got)
	}
}

func TestLoadConfig_Takes(t *testing.T) {
	tests := map[string][]struct{ value, shown string }{ // as redacted() shows it
		"LISTEN_ADDR": {
			{"0.0.0.0:80", "0.0.0.0:80"}, {":8080", ":8080"}, {"[::1]:0", "[::1]:0"}, {" localhost:8080 ", "localhost:8080"}, {"", "127.0.0.1:8080"},
		},
		"DATABASE_URL": {
			{"", ""}, {"sqlite:alerts.db", "sqlite:alerts.db"}, {"sqlite:/var/lib/a b.db", "sqlite:/var/lib/a b.db"},
			{"postgres://u:hunter2@db:5432/alerts", "postgres://u:***@db:5432/alerts"},
			{"postgresql://u@db/alerts?sslmode=disable&password=hunter2", "postgresql://u@db/alerts?***"},
			{"postgres://u:hunter2%40%2F%23@[::1]:5432/alerts?pool_max_conns=4", "postgres://u:***@[::1]:5432/alerts?***"},
			{"postgres://u:hunter2@one:5432,two:5433/alerts", "postgres://u:***@one:5432,two:5433/alerts"},
			{"postgres:///alerts?host=/run/postgresql", "postgres:///alerts?***"},
		},
		"TLS_CERT_FILE":       {{"cert.pem", "cert.pem"}, {"", ""}},
		"TLS_KEY_FILE":        {{"key.pem", "key.pem"}, {"", ""}},
		"DATA_DIR":            {{"/var/lib/alerts", "/var/lib/alerts"}, {"", "./data"}},
		"ADMIN_TOKEN":         {{goodToken, "(set)"}, {"short", "(set)"}, {"!~" + strings.Repeat("x", 200), "(set)"}, {"", ""}},
		"SECRET_KEY":          {{goodKey, "(set)"}, {strings.TrimRight(goodKey, "="), "(set)"}, {"", ""}},
		"SECRET_KEY_PREVIOUS": {{goodKey, "(set)"}, {goodKey + ", " + goodKey, "(set)"}, {"", ""}},
		"EGRESS_ALLOW": {
			{"127.0.0.0/8,10.0.0.0/8", "127.0.0.0/8,10.0.0.0/8"}, {"192.168.1.7", "192.168.1.7/32"}, {"fd00::1", "fd00::1/128"}, {" 10.0.0.0/8 , ", "10.0.0.0/8"},
			{"::ffff:10.0.0.1", "10.0.0.1/32"}, {"::ffff:10.0.0.0/104", "10.0.0.0/8"}, {"fd00::/8", "fd00::/8"}, {"0.0.0.0/0,::/0", "0.0.0.0/0,::/0"},
			{"169.254.169.254/32", "169.254.169.254/32"}, {"", ""},
		},
		"TRUSTED_PROXIES": {{"10.0.0.0/8, ::1", "10.0.0.0/8,::1/128"}, {"", ""}},
		"ALLOWED_ORIGINS": {
			{"https://console.example.com", "https://console.example.com"}, {"http://localhost:3000, https://A.example.com", "http://localhost:3000,https://a.example.com"},
			{"https://a.example.com:443", "https://a.example.com"}, {"http://[::1]:80", "http://[::1]"}, {"https://a.example.com:8443", "https://a.example.com:8443"}, {"", ""},
		},
		"PUBLIC_URL":          {{"https://alerts.example.com/", "https://alerts.example.com"}, {"http://localhost:8080/alerts", "http://localhost:8080/alerts"}, {"", ""}},
		"EMAIL_BACKEND":       {{"django.core.mail.backends.smtp.EmailBackend", "django.core.mail.backends.smtp.EmailBackend"}, {"", ""}},
		"EMAIL_HOST":          {{"smtp.example.com", "smtp.example.com"}, {"localhost", "localhost"}, {"10.0.0.1", "10.0.0.1"}, {"::1", "::1"}, {"mail_relay", "mail_relay"}, {"", ""}},
		"EMAIL_PORT":          {{"25", "25"}, {"65535", "65535"}, {"", "587"}},
		"INTROSPECTION":       {{"False", "false"}, {"on", "true"}, {"", "true"}},
		"EMAIL_USE_TLS":       onOffValues(),
		"EMAIL_USE_SSL":       onOffValues(),
		"EMAIL_HOST_USER":     {{"relay user", "relay user"}, {"", ""}},
		"EMAIL_HOST_PASSWORD": {{" any $text# ", "(set)"}, {"", ""}},
		"EMAIL_TIMEOUT":       {{"1", "1s"}, {"300", "5m0s"}, {"", "10s"}},
		"DEFAULT_FROM_EMAIL": {
			{"alerts@example.com", "<alerts@example.com>"}, {"Alerts <alerts@example.com>", `"Alerts" <alerts@example.com>`}, {"root@localhost", "<root@localhost>"},
		},
		"DELIVERY_TIMEOUT": {{"1s", "1s"}, {"5m", "5m0s"}, {"1500ms", "1.5s"}, {"", "10s"}},
		"RETENTION": {
			{"30d", "30d"}, {"2160h", "90d"}, {"1h", "1h0m0s"}, {"36h30m", "36h30m0s"}, {"36500d", "36500d"}, {" 7D ", "7d"}, {"0", "off"}, {"off", "off"}, {"", "90d"},
		},
		"COST_PER_SECOND": {{"1000", "1000"}, {"1000000000", "1000000000"}, {"0", "off"}, {" OFF ", "off"}, {"", "250000"}},
		"SHUTDOWN_DELAY":  {{"0s", "0s"}, {"10s", "10s"}, {"5m", "5m0s"}, {" 1500ms ", "1.5s"}, {"", "0s"}},
		"LOG_LEVEL":       {{"debug", "debug"}, {"INFO", "info"}, {"warn", "warn"}, {"error", "error"}, {"", "info"}},
		"LOG_FORMAT":      {{"text", "text"}, {"JSON", "json"}, {"", "text"}},
	}
	for _, s := range settings() {
		if len(tests[s.name]) == 0 {
			t.Errorf("%s has no test", s.name)
		}
		for _, tt := range tests[s.name] {
			t.Run(s.name+"="+tt.value, func(t *testing.T) {
				vars := map[string]string{s.name: tt.value}
				switch {
				case strings.HasPrefix(tt.value, "postgres"):
					vars["SECRET_KEY"] = goodKey
				case tt.value == "cert.pem":
					vars["TLS_KEY_FILE"] = "key.pem"
				case tt.value == "key.pem":
					vars["TLS_CERT_FILE"] = "cert.pem"
				}
				c, err := load(t, vars)
				if err != nil {
					t.Fatal(err)
				}
				for _, a := range c.redacted() {
					if got := a.Value.String(); a.Key == s.name && got != tt.shown {
						t.Errorf("shown as %q, want %q", got, tt.shown)
					}
				}
			})
		}
	}
}

func onOffValues() (values []struct{ value, shown string }) {
	for _, v := range []string{"True", "true", "TRUE", "t", "yes", "Y", "on", "1", " True "} {
		values = append(values, struct{ value, shown string }{v, "true"})
	}
	for _, v := range []string{"False", "false", "f", "no", "N", "off", "0", ""} {
		values = append(values, struct{ value, shown string }{v, "false"})
	}
	return values
}

func TestLoadConfig_Refuses(t *testing.T) {
	tests := map[string]map[string]string{ // value: part of the message
		"LISTEN_ADDR": {
			"8080": "not host:port", "localhost": "not host:port", ":http": `"http" is not a port`, ":65536": "is not a port", "http://localhost:80": "not host:port",
			"a b:80": "neither an address nor a host name", " ": "not host:port",
		},
		"DATABASE_URL": {
			"alerts.db": "neither SQLite nor PostgreSQL", "mysql://u:hunter2@db/alerts": "neither", "sqlite:": "has no path", "sqlite3:alerts.db": "neither",
			"sqlite:///alerts.db": "one slash", "sqlite::memory:": "outlive", "sqlite:a.db?mode=ro": "no parameters",
			"user=u password=hunter2 host=db": "neither", "postgres://u:hunter2/x@db/alerts": "percent-encode", "postgres://u:hunter2@x@db/alerts": "percent-encode",
			"postgres://u:hunter2": "percent-encode", "postgres://u:12#hunter2@db/alerts?sslmode=hunter": "sslmode is invalid",
			"postgres://u:hunter2@db:99999/alerts": "pgx cannot use it", "postgres://u:hunter2@db/alerts?pool_max_conns=none": "pgx cannot use it",
		},
		"ADMIN_TOKEN": {"hunter2 hunter2 hunter2": "blanks", "hunter2hunter2hunter2\t": "blanks", "hunter2hunter2hunterü": "printable ASCII"},
		"SECRET_KEY": {
			"django-insecure-hunter2-hunter2-hunter2-hunter2": "Django's SECRET_KEY", "aHVudGVyMg==": "base64 of 7 bytes", " ": "accepted: 32 bytes in base64: openssl rand -base64 32",
		},
		"SECRET_KEY_PREVIOUS": {goodKey + ",hunter2": "key 2", "hunter2": "key 1", goodKey + ",": "key 2"},
		"EGRESS_ALLOW": {
			"10.0.0.0/8,private": `"private" is neither`, "10.0.0.0/33": "neither", "10.1.2.3/8": "write 10.0.0.0/8 for all of them, or 10.1.2.3 for the one",
			"localhost": "neither", "fe80::1%eth0": "neither", "*": "neither", "10.0.0.0-10.0.0.9": "neither", "::ffff:0:0/95": "mixes", "http://10.0.0.1": "neither", "010.0.0.1": "neither",
		},
		"TRUSTED_PROXIES": {"proxy.example.com": "neither", "10.1.2.3/8": "write 10.0.0.0/8"},
		"ALLOWED_ORIGINS": {
			"*": "every web page", "https://a.example.com,*": "every web page", "https://a.example.com/": "no slash at the end", "https://a.example.com/x": "not scheme://", "a.example.com": "not scheme://",
			"ftp://a.example.com": "not scheme://", "null": "not scheme://", "https://u:p@a.example.com": "not scheme://", "https://a.example.com?": "not scheme://", "https://a.example.com#": "not scheme://",
			"https://ä.example.com": "xn--", "https://*.example.com": "no host name", "https://a.example.com:0": "no port between", "https://a.example.com:": "no port", "https://": "not scheme://",
		},
		"PUBLIC_URL": {
			"alerts.example.com": "no http or https", "ftp://alerts.example.com": "no http or https", "https://": "no http or https", "https://u:p@alerts.example.com": "more than scheme",
			"https://alerts.example.com/?x=1": "more than scheme", "https://alerts.example.com/#x": "more than scheme", "https://alerts.example.com?": "more than scheme",
		},
		"EMAIL_BACKEND": {"django.core.mail.backends.console.EmailBackend": "SMTP only"},
		"EMAIL_HOST":    {"smtp.example.com:587": "not a host", "smtp://smtp.example.com": "not a host", "a b": "not a host", " ": "not a host", "-x": "not a host", strings.Repeat("a", 64): "not a host"},
		"EMAIL_PORT":    {"0": "not a port", "65536": "not a port", "smtp": "not a port", "-1": "not a port", "5 87": "not a port"},
		"EMAIL_USE_TLS": {"starttls": "neither True nor False", "2": "neither", "ok": "neither"},
		"INTROSPECTION": {"maybe": "neither"},
		"EMAIL_USE_SSL": {"ssl": "neither True nor False"},
		"EMAIL_TIMEOUT": {"0": "out of range", "301": "out of range", "10s": "not a whole number", "1.5": "not a whole number", "None": "not a whole number"},
		"DEFAULT_FROM_EMAIL": {
			"alerts": "not a mail address", "Alerts": "not a mail address", "a@example.com, b@example.com": "not a mail address", "a@example.com\nBcc: b@example.com": "control characters",
		},
		"DELIVERY_TIMEOUT": {"10": "with its unit", "999ms": "out of range", "5m1s": "out of range", "-1s": "out of range", "soon": "with its unit"},
		"RETENTION": {
			"90": "with its unit", "90 days": "with its unit", "d": "with its unit", "-1d": "with its unit", "1.5d": "with its unit", "59m": "out of range", "0d": "out of range",
			"0s": "out of range", "-2h": "out of range", "36501d": "out of range", "4294967295d": "out of range", "4294967296d": "with its unit", "never": "with its unit",
		},
		"COST_PER_SECOND":     {"999": "out of range", "1000000001": "out of range", "-1": "not a whole number", "1e6": "not a whole number", "many": "not a whole number"},
		"SHUTDOWN_DELAY":      {"10": "with its unit", "-1s": "out of range", "5m1s": "out of range", "soon": "with its unit"},
		"LOG_LEVEL":           {"loud": "no such level", "info+1": "no such level", "warning": "no such level"},
		"LOG_FORMAT":          {"xml": "no such format"},
		"EMAIL_HOST_PASSWORD": {"hunter2\nhunter2": "control characters"},
		"DATA_DIR":            nil,
		"TLS_CERT_FILE":       nil,
		"TLS_KEY_FILE":        nil,
		"EMAIL_HOST_USER":     nil,
	}
	for _, s := range settings() {
		if _, ok := tests[s.name]; !ok {
			t.Errorf("%s has no test", s.name)
		}
		for value, part := range tests[s.name] {
			t.Run(s.name+"="+value, func(t *testing.T) {
				_, err := load(t, map[string]string{s.name: value, "EMAIL_HOST_USER": "alerts@example.com"})
				if err == nil {
					t.Fatal("was taken")
				}
				msg := err.Error()
				if !strings.HasPrefix(msg, s.name) || !strings.Contains(msg, part) || !strings.HasSuffix(msg, "; accepted: "+s.accepts) {
					t.Errorf("%q does not start with the name, say %q, and end with what is accepted", msg, part)
				}
				if strings.Contains(msg, "hunter2") || strings.Contains(msg, "\n") {
					t.Errorf("%q shows a secret or has several lines", msg)
				}
				if !s.secret && s.name != "DATABASE_URL" && !strings.Contains(msg, fmt.Sprintf("%s=%q:", s.name, value)) {
					t.Errorf("%q does not show the value", msg)
				}
			})
		}
	}
}

func TestLoadConfig_RefusesWhatDoesNotGoTogether(t *testing.T) {
	for name, tt := range map[string]struct {
		vars map[string]string
		part string
	}{
		"a certificate without its key": {map[string]string{"TLS_CERT_FILE": "cert.pem"}, "set both, or none"},
		"a key without its certificate": {map[string]string{"TLS_KEY_FILE": "key.pem"}, "set both, or none"},
		"two ways of encryption":        {map[string]string{"EMAIL_USE_TLS": "yes", "EMAIL_USE_SSL": "1"}, "EMAIL_USE_SSL=True exclude each other"},
		"PostgreSQL, no key":            {map[string]string{"DATABASE_URL": "postgres://u:hunter2@db/alerts"}, "`openssl rand -base64 32`"},
	} {
		_, err := load(t, tt.vars)
		if err == nil || !strings.Contains(err.Error(), tt.part) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestLoadConfig_GivesTypedValues(t *testing.T) {
	c, err := load(t, map[string]string{
		"DATABASE_URL": "postgres://u:hunter2@db/alerts", "SECRET_KEY": goodKey, "ADMIN_TOKEN": goodToken, "EGRESS_ALLOW": "10.0.0.0/8,::1",
		"ALLOWED_ORIGINS": "https://a.example.com", "EMAIL_TIMEOUT": "7", "EMAIL_HOST_PASSWORD": " hunter2 ", "LOG_LEVEL": "warn",
	})
	if err != nil {
		t.Fatal(err)
	}
	var egress []netip.Prefix = c.EgressAllow
	var origins []string = c.AllowedOrigins
	if !slices.Equal(egress, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}) {
		t.Errorf("egress is %v", egress)
	}
	if !slices.Equal(origins, []string{"https://a.example.com"}) {
		t.Errorf("origins are %v", origins)
	}
	if len(c.SecretKey) != 32 || c.SecretKey[31] != 31 || string(c.AdminToken) != goodToken || string(c.EmailHostPassword) != " hunter2 " {
		t.Error("a secret did not come through as it was given")
	}
	if time.Duration(c.EmailTimeout) != 7*time.Second || slog.Level(c.LogLevel) != slog.LevelWarn {
		t.Errorf("timeout %v, level %v", c.EmailTimeout, c.LogLevel)
	}
	if c.sqlitePath() != "" || !c.DatabaseURL.isPostgres() || string(c.DatabaseURL) != "postgres://u:hunter2@db/alerts" {
		t.Error("the database is not the PostgreSQL that was named")
	}
}

func TestLoadConfig_SendsFromTheMailUser(t *testing.T) {
	for user, want := range map[string]string{"alerts@example.com": "alerts@example.com", "apikey": "webmaster@localhost", "": "webmaster@localhost"} {
		c, err := load(t, map[string]string{"EMAIL_HOST_USER": user})
		if err != nil || c.DefaultFromEmail.Address != want {
			t.Errorf("with user %q mail comes from %q, %v", user, c.DefaultFromEmail.Address, err)
		}
	}
}

func TestConfig_NeverShowsSecrets(t *testing.T) {
	secrets := map[string]string{
		"ADMIN_TOKEN": goodToken, "SECRET_KEY": goodKey, "EMAIL_HOST_PASSWORD": "hunter2", "DATABASE_URL": "postgres://u:hunter2@db/alerts?password=hunter2",
	}
	c, err := load(t, secrets)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", "config", c, "token", c.AdminToken)
	slog.New(slog.NewTextHandler(&log, nil)).Info("start", "config", c, "url", c.DatabaseURL, "key", c.SecretKey)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := log.String() + string(asJSON) + fmt.Sprintf("%v %+v %#v %s", c, c, c, c) + fmt.Sprintf("%v %+v %#v", c.AdminToken, &c, c.EmailHostPassword) +
		fmt.Sprintf("%v %#v %v %#v", c.SecretKey, c.SecretKey, c.DatabaseURL, c.DatabaseURL)
	for _, s := range []string{"hunter2", goodToken, goodKey, "\x1f", "0x1f", "28 29 30 31"} {
		if strings.Contains(shown, s) {
			t.Errorf("%q is shown in %s", s, shown)
		}
	}
	if !strings.Contains(shown, "postgres://u:***@db/alerts") {
		t.Errorf("the database's host is not shown in %s", shown)
	}
}

func TestLoadConfig_ReadsDotenv(t *testing.T) {
	// The old application's file as its manual gives it, between other things of Django's.
	c, err := loadDotenv(t, map[string]string{"EMAIL_PORT": "2525", "EMAIL_HOST": ""}, "\ufeff# mail\r\n"+`
DEBUG=True
DJANGO_SETTINGS_MODULE=rustbucket.settings
ALLOWED_HOSTS=localhost,127.0.0.1
EMAIL_SUBJECT_PREFIX="[alerts] "
EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend
EMAIL_HOST=smtp.example.com
EMAIL_PORT=587 # STARTTLS
export EMAIL_USE_TLS=True
EMAIL_HOST_USER=your-email@example.com
EMAIL_HOST_PASSWORD=pa$WORD$$9${X
ADMIN_TOKEN='0123456789$abc${LOG_LEVEL}'
LOG_LEVEL="debug"
DATA_DIR=/srv/${LOG_LEVEL}
`)
	if err != nil {
		t.Fatal(err)
	}
	for name, ok := range map[string]bool{
		"TLS is on":                           bool(c.EmailUseTLS),
		"the environment wins":                c.EmailPort == 2525,
		"the environment wins, empty as well": c.EmailHost == "",
		"a $ in a password is a $":            c.EmailHostPassword == "pa$WORD$$9${X",
		"nothing is put in in single quotes":  c.AdminToken == "0123456789$abc${LOG_LEVEL}",
		"${NAME} is put in":                   c.DataDir == "/srv/debug",
	} {
		if !ok {
			t.Errorf("%s: no", name)
		}
	}
	if _, err := loadConfig(nil, filepath.Join(t.TempDir(), "nothing.env")); err != nil {
		t.Errorf("a missing file: %v", err)
	}
}

func loadDotenv(t *testing.T, vars map[string]string, text string) (config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile(".env", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return loadConfig(environ(vars), ".env")
}

func TestLoadConfig_RefusesDotenv(t *testing.T) {
	for text, want := range map[string]string{
		"LOG_LEVEL=info\nEMAIL_HOST_PASSWORD=\"hunter2\nLOG_FORMAT=json\n": ".env, line 2: cannot be read",
		"EMAIL_HOST_PASSWORD=hunter2\n\nhunter2\nLOG_LEVEL=info\n":         ".env, line 3: cannot be read",
		"EMAIL_HOST_PASSWORD=hunter2\nhunter2":                             ".env, line 2: cannot be read",
		"EMAIL_HOST_PASSWORD hunter2=x":                                    ".env, line 1: cannot be read",
		"LOG_LEVEL=info\nX='a\nb'\nEMAIL-HOST=hunter2":                     ".env, line 4: cannot be read",
		"A=\x00":                               ".env, line 1: cannot be read",
		"EMAIL_PASSWORD=hunter2":               ".env: there is no setting EMAIL_PASSWORD: did you mean EMAIL_HOST_PASSWORD?",
		"EMAIL_TLS=True":                       "did you mean EMAIL_USE_TLS?",
		"EGRESS_ALLOWED=10.0.0.0/8":            "did you mean EGRESS_ALLOW?",
		"SECRETKEY=hunter2":                    "did you mean SECRET_KEY?",
		"ADMIN_TOKENS=hunter2":                 "did you mean ADMIN_TOKEN?",
		"LOG_LVL=debug":                        "did you mean LOG_LEVEL?",
		"LOGLEVEL=debug":                       "did you mean LOG_LEVEL?",
		"DATABASE_NAME=alerts":                 "did you mean DATABASE_URL?",
		"LISTEN_PORT=80":                       "did you mean LISTEN_ADDR?",
		"ALLOWED_ORIGIN=https://a.example.com": "did you mean ALLOWED_ORIGINS?",
		"email_host=smtp.example.com":          "did you mean EMAIL_HOST?",
		"DELIVERY_TIMEOUT_S=10":                "did you mean DELIVERY_TIMEOUT?",
		"RETENTION_DAYS=90":                    "did you mean RETENTION?",
		"LOG_LEVEL=loud":                       `LOG_LEVEL="loud" (in .env): there is no such level; accepted: debug, info, warn, error`,
		"DATABASE_URL=postgres://u:hunter2@db:x/alerts\nSECRET_KEY=" + goodKey: "DATABASE_URL=",
	} {
		_, err := loadDotenv(t, nil, text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: the error is %v", text, err)
		}
	}
	if _, err := loadConfig(nil, t.TempDir()); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder in place of the file: %v", err)
	}
}

func FuzzParseDotenv(f *testing.F) {
	for _, s := range []string{"A=1\n", "A='$b", "export A: \"${A}\\n\"", "\ufeff#\r\nA=$", "=", "A"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		if values, ok := parseDotenv(text); ok {
			for name := range maps.Keys(values) {
				if !dotenvKey.MatchString(name) {
					t.Errorf("%q is a name", name)
				}
			}
		} else if line := brokenLine(text); line < 0 || line > bytes.Count(text, []byte("\n"))+1 {
			t.Errorf("line %d of %q", line, text)
		}
		if !bytes.Equal(before, text) {
			t.Error("the text was changed")
		}
	})
}

func FuzzDatabaseURL_HidesThePassword(f *testing.F) {
	for _, s := range []string{"/", "@", "#", "?", ":", "%", "x/y@", "12/", "12?", "//", "\\", "[", ","} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "hunter2hunter2"
		u := databaseURL("postgres://user:" + before + secret + after + "@db:5432/alerts")
		if strings.Contains(u.String(), secret) {
			t.Errorf("%q is shown as %q", string(u), u.String())
		}
		if err := new(databaseURL).UnmarshalText([]byte(u)); err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%q is refused with %v", string(u), err)
		}
	})
}

var update = flag.Bool("update", false, "write docs/settings.md anew")

// TestSettingsPage_IsUpToDate: `go test -run TestSettingsPage . -update` writes the page.
func TestSettingsPage_IsUpToDate(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Settings\n\n" +
		"Environment variables, or lines `NAME=value` in a file `.env` in the working directory; the environment wins. An empty\n" +
		"value counts as none. A wrong value, or a misspelt name in `.env`, stops the start with one line that says what is\n" +
		"accepted. Django's names and spellings are kept, so the `.env` of the former application works as it is; other names in\n" +
		"it are left alone. In `.env`, `${NAME}` stands for a value further up, and any other `$` for itself.\n\n" +
		"OpenTelemetry's own variables (`OTEL_…`) turn traces on, see [monitoring.md](monitoring.md#traces). They are read from the\n" +
		"environment alone, not from `.env`.\n\n" +
		"| name | default | what | accepted |\n| --- | --- | --- | --- |\n")
	for _, s := range settings() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.name, s.fallback, s.about, strings.NewReplacer("|", `\|`, "<", `\<`).Replace(s.accepts))
	}
	const page = "docs/settings.md"
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != b.String() {
		t.Errorf("%s is not what config.go says (%v): go test -run TestSettingsPage . -update", page, err)
	}
}
