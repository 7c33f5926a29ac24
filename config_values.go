package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rustbucket/alerts/seal"
)

// The kinds of value in config. Each UnmarshalText says in a few words what is wrong; what is accepted stands in config's
// tags. No error of a secret's type, or of databaseURL, shows the value.

type listenAddr string

func (a *listenAddr) UnmarshalText(text []byte) error {
	s := trim(text)
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New("this is not host:port")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q is not a port (0 to 65535; 0 takes any free one)", port)
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" && !isHostName(host) {
		return fmt.Errorf("%q is neither an address nor a host name", host)
	}
	*a = listenAddr(s)
	return nil
}

// publicURL has no slash at its end.
type publicURL string

func (u *publicURL) UnmarshalText(text []byte) error {
	s := strings.TrimRight(trim(text), "/")
	parsed, err := url.Parse(s)
	switch {
	case err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https"):
		return errors.New("this is no http or https URL")
	case parsed.User != nil || strings.ContainsAny(s, "?#"):
		return errors.New("it has more than scheme, host, port and path")
	}
	*u = publicURL(s)
	return nil
}

const (
	sqliteScheme = "sqlite:"
	hidden       = "(not shown)"
)

// postgresHost is one of the hosts in a URL, where no password can pass for a port.
var postgresHost = regexp.MustCompile(`^(\[[0-9A-Fa-f:.%]*\]|[^\[\]:@#]*)(:\d{1,5})?$`)

// databaseURL is empty for the SQLite database in the data folder.
type databaseURL string

func (u *databaseURL) UnmarshalText(text []byte) error {
	v := databaseURL(trim(text))
	path, isSQLite := strings.CutPrefix(string(v), sqliteScheme)
	switch {
	case isSQLite && path == "":
		return errors.New("sqlite: has no path after it")
	case isSQLite && strings.HasPrefix(path, "//"):
		return errors.New("a path starts with one slash at most: sqlite:alerts.db or sqlite:/var/lib/alerts/alerts.db")
	case isSQLite && strings.HasPrefix(path, ":memory:"):
		return errors.New("the alerts must outlive the server, so the database is a file")
	case isSQLite && strings.Contains(path, "?"):
		return errors.New("the path takes no parameters")
	case isSQLite:
	case !v.isPostgres():
		return errors.New("this is neither SQLite nor PostgreSQL")
	case strings.Contains(v.String(), hidden):
		return errors.New("it cannot be taken apart: percent-encode @ / ? # : in the user name and the password (@ is %40, / is %2F)")
	default:
		if _, err := pgxpool.ParseConfig(string(v)); err != nil {
			return errors.New(withoutURL(err))
		}
	}
	*u = v
	return nil
}

func (u databaseURL) isPostgres() bool {
	return strings.HasPrefix(string(u), "postgres://") || strings.HasPrefix(string(u), "postgresql://")
}

// String shows the URL without its password. Where a password could hide elsewhere, because somebody did not encode it,
// nothing is shown.
func (u databaseURL) String() string {
	s := string(u)
	if !u.isPostgres() {
		if strings.ContainsAny(s, "@=") || strings.Contains(s, "://") && !strings.HasPrefix(s, sqliteScheme) {
			return hidden
		}
		return s
	}
	scheme, rest, _ := strings.Cut(s, "://")
	rest, parameters, _ := strings.Cut(rest, "?")
	user, where, hasUser := strings.Cut(rest, "@")
	if !hasUser {
		user, where = "", rest
	}
	hosts, database, _ := strings.Cut(where, "/")
	odd := strings.Contains(user, "/") || strings.ContainsAny(database, "@#:") || strings.Contains(parameters, "@")
	for host := range strings.SplitSeq(hosts, ",") {
		odd = odd || !postgresHost.MatchString(host)
	}
	if odd {
		return scheme + "://" + hidden
	}
	if name, _, hasPassword := strings.Cut(user, ":"); hasPassword {
		user = name + ":***"
	}
	if hasUser {
		where = user + "@" + where
	}
	if parameters != "" {
		where += "?***"
	}
	return scheme + "://" + where
}

// GoString keeps %#v, and MarshalText keeps logs and JSON, from showing what String does not.
func (u databaseURL) GoString() string             { return strconv.Quote(u.String()) }
func (u databaseURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// withoutURL is what pgx complains of, less the URL that it starts with.
func withoutURL(err error) string {
	s := err.Error()
	if i := strings.LastIndex(s, "`: "); i >= 0 {
		return "pgx cannot use it: " + s[i+len("`: "):]
	}
	return "pgx cannot use it"
}

type adminToken string

func (t *adminToken) UnmarshalText(text []byte) error {
	s := string(text)
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return errors.New("it has blanks, or characters that are not printable ASCII")
	}
	*t = adminToken(s)
	return nil
}

// short reports whether the token could be guessed by trying.
func (t adminToken) short() bool { return t != "" && len(t) < 16 }

func (t adminToken) String() string               { return set(t != "") }
func (t adminToken) GoString() string             { return t.String() }
func (t adminToken) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// secretKey is nil or seal.KeySize bytes.
type secretKey []byte

func (k *secretKey) UnmarshalText(text []byte) error {
	key, err := seal.ParseKey(string(text))
	if err != nil {
		if decoded, err := base64.StdEncoding.DecodeString(trim(text)); err == nil {
			return fmt.Errorf("it is base64 of %d bytes", len(decoded))
		}
		return errors.New("it is not base64 (Django's SECRET_KEY is something else: give this server a key of its own)")
	}
	*k = key
	return nil
}

func (k secretKey) String() string               { return set(k != nil) }
func (k secretKey) GoString() string             { return k.String() }
func (k secretKey) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// secretKeys are keys, separated by commas.
type secretKeys [][]byte

func (k *secretKeys) UnmarshalText(text []byte) error {
	var keys [][]byte
	for i, part := range strings.Split(string(text), ",") {
		var key secretKey
		if err := key.UnmarshalText([]byte(part)); err != nil {
			return fmt.Errorf("key %d: %w", i+1, err)
		}
		keys = append(keys, key)
	}
	*k = keys
	return nil
}

func (k secretKeys) String() string               { return set(k != nil) }
func (k secretKeys) GoString() string             { return k.String() }
func (k secretKeys) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

type password string

func (p *password) UnmarshalText(text []byte) error {
	if strings.ContainsFunc(string(text), unicode.IsControl) {
		return errors.New("it has control characters, such as a line break")
	}
	*p = password(text)
	return nil
}

func (p password) String() string               { return set(p != "") }
func (p password) GoString() string             { return p.String() }
func (p password) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// set is how a secret shows itself.
func set(yes bool) string {
	if yes {
		return "(set)"
	}
	return ""
}

// prefixes holds single addresses as /32 or /128, and IPv4 in its own form only.
type prefixes []netip.Prefix

func (a *prefixes) UnmarshalText(text []byte) error {
	prefixes, err := parseList(text, parsePrefix)
	*a = prefixes
	return err
}

func (a prefixes) String() string { return joinList(a) }

func parsePrefix(s string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%.60q is neither a CIDR nor an address", s)
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, fmt.Errorf("%q mixes IPv4 and IPv6: write them apart", s)
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%q has digits beyond its /%d: write %v for all of them, or %v for the one", s, p.Bits(), p.Masked(), p.Addr())
	}
	return p, nil
}

// allowedOrigins are as browsers send them: lower case, without a default port.
type allowedOrigins []string

func (o *allowedOrigins) UnmarshalText(text []byte) error {
	origins, err := parseList(text, parseOrigin)
	*o = origins
	return err
}

func (o allowedOrigins) String() string { return joinList(o) }

func parseOrigin(s string) (string, error) {
	if s == "*" {
		return "", errors.New("* would let every web page use the API from the browsers of the people behind your firewall")
	}
	u, err := url.Parse(strings.ToLower(s))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" ||
		u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.HasSuffix(s, "#") {
		return "", fmt.Errorf("%.100q is not scheme://host[:port] (no path, no slash at the end)", s)
	}
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err != nil && !isHostName(host) {
		return "", fmt.Errorf("%.100q has no host name that a browser would send (letters beyond ASCII are sent as xn--…)", s)
	}
	if strings.HasSuffix(u.Host, ":") {
		return "", fmt.Errorf("%.100q ends with a colon but has no port", s)
	}
	if port := u.Port(); port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return "", fmt.Errorf("%.100q has no port between 1 and 65535", s)
		}
		if u.Scheme == "http" && n == 80 || u.Scheme == "https" && n == 443 {
			u.Host = strings.TrimSuffix(u.Host, ":"+port)
		}
	}
	return u.Scheme + "://" + u.Host, nil
}

type emailBackend string

func (b *emailBackend) UnmarshalText(text []byte) error {
	s := trim(text)
	if s != "django.core.mail.backends.smtp.EmailBackend" {
		return errors.New("mail is sent by SMTP only")
	}
	*b = emailBackend(s)
	return nil
}

type emailHost string

func (h *emailHost) UnmarshalText(text []byte) error {
	s := trim(text)
	if _, err := netip.ParseAddr(s); err != nil && !isHostName(s) {
		return errors.New("this is not a host")
	}
	*h = emailHost(s)
	return nil
}

type emailPort uint16

func (p *emailPort) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(trim(text), 10, 16)
	if err != nil || n == 0 {
		return errors.New("this is not a port")
	}
	*p = emailPort(n)
	return nil
}

// onOff takes the spellings that Django's loaders of .env files take.
type onOff bool

func (b *onOff) UnmarshalText(text []byte) error {
	switch strings.ToLower(trim(text)) {
	case "true", "t", "yes", "y", "on", "1":
		*b = true
	case "false", "f", "no", "n", "off", "0":
		*b = false
	default:
		return errors.New("this is neither True nor False")
	}
	return nil
}

type emailTimeout time.Duration

func (t *emailTimeout) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(trim(text))
	if err != nil {
		return errors.New("this is not a whole number")
	}
	if n < 1 || n > 300 {
		return errors.New("this is out of range")
	}
	*t = emailTimeout(time.Duration(n) * time.Second)
	return nil
}

func (t emailTimeout) String() string { return time.Duration(t).String() }

type fromAddress mail.Address

func (a *fromAddress) UnmarshalText(text []byte) error {
	if strings.ContainsFunc(string(text), unicode.IsControl) {
		return errors.New("it has control characters, such as a line break")
	}
	parsed, err := mail.ParseAddress(trim(text))
	if err != nil {
		return errors.New("this is not a mail address")
	}
	*a = fromAddress(*parsed)
	return nil
}

func (a fromAddress) String() string { return (*mail.Address)(&a).String() }

type deliveryTimeout time.Duration

func (t *deliveryTimeout) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(trim(text))
	if err != nil {
		return errors.New("this is not a duration with its unit")
	}
	if d < time.Second || d > 5*time.Minute {
		return errors.New("this is out of range")
	}
	*t = deliveryTimeout(d)
	return nil
}

func (t deliveryTimeout) String() string { return time.Duration(t).String() }

type shutdownDelay time.Duration

func (s *shutdownDelay) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(trim(text))
	if err != nil {
		return errors.New("this is not a duration with its unit")
	}
	if d < 0 || d > 5*time.Minute {
		return errors.New("this is out of range")
	}
	*s = shutdownDelay(d)
	return nil
}

func (s shutdownDelay) String() string { return time.Duration(s).String() }

const (
	day         = 24 * time.Hour
	maxKeptDays = 100 * 365 // a time.Duration ends after 292 years
)

// costPerSecond is 0 when nothing is bounded.
type costPerSecond int

func (c *costPerSecond) UnmarshalText(text []byte) error {
	s := strings.ToLower(trim(text))
	if s == "off" || s == "0" {
		*c = 0
		return nil
	}
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case err != nil:
		return errors.New("this is not a whole number")
	case n < 1000 || n > 1e9:
		return errors.New("this is out of range")
	}
	*c = costPerSecond(n)
	return nil
}

func (c costPerSecond) String() string {
	if c == 0 {
		return "off"
	}
	return strconv.Itoa(int(c))
}

// retentionTime is 0 when everything is kept.
type retentionTime time.Duration

func (r *retentionTime) UnmarshalText(text []byte) error {
	s := strings.ToLower(trim(text))
	if s == "off" || s == "0" {
		*r = 0
		return nil
	}
	d, err := time.ParseDuration(s)
	if days, isDays := strings.CutSuffix(s, "d"); isDays {
		var n uint64
		if n, err = strconv.ParseUint(days, 10, 32); err == nil {
			d = time.Duration(min(n, maxKeptDays+1)) * day
		}
	}
	if err != nil {
		return errors.New("this is not a duration with its unit")
	}
	if d < time.Hour || d > maxKeptDays*day {
		return errors.New("this is out of range")
	}
	*r = retentionTime(d)
	return nil
}

func (r retentionTime) String() string {
	switch d := time.Duration(r); {
	case d == 0:
		return "off"
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	default:
		return d.String()
	}
}

type logLevel slog.Level

func (l *logLevel) UnmarshalText(text []byte) error {
	switch strings.ToLower(trim(text)) {
	case "debug":
		*l = logLevel(slog.LevelDebug)
	case "info":
		*l = logLevel(slog.LevelInfo)
	case "warn":
		*l = logLevel(slog.LevelWarn)
	case "error":
		*l = logLevel(slog.LevelError)
	default:
		return errors.New("there is no such level")
	}
	return nil
}

func (l logLevel) String() string { return strings.ToLower(slog.Level(l).String()) }

type logFormat string

func (f *logFormat) UnmarshalText(text []byte) error {
	s := strings.ToLower(trim(text))
	if s != "text" && s != "json" {
		return errors.New("there is no such format")
	}
	*f = logFormat(s)
	return nil
}

func trim(text []byte) string { return strings.TrimSpace(string(text)) }

// parseList reads a comma-separated list; blanks around the elements and a comma too many do no harm.
func parseList[T any](text []byte, parse func(string) (T, error)) ([]T, error) {
	var list []T
	for part := range strings.SplitSeq(string(text), ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		v, err := parse(part)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func joinList[T any](list []T) string {
	parts := make([]string, len(list))
	for i, v := range list {
		parts[i] = fmt.Sprint(v)
	}
	return strings.Join(parts, ",")
}

// isHostName reports whether s can be a host's name: labels of ASCII letters, digits, hyphens and underscores.
func isHostName(s string) bool {
	if len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(s, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if c != '-' && c != '_' && (c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c)) {
				return false
			}
		}
	}
	return true
}
