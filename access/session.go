package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rustbucket/alerts/metrics"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
)

const (
	sessionLife    = 12 * time.Hour
	sessionCookie  = "rustbucket-alerts"
	sessionAD      = "session" // nothing else that is sealed has this associated data
	maxSessionBody = 4 << 10   // bytes, of a request with a token
	sessionTimeout = 10 * time.Second
)

// Sessions lets browsers keep a session cookie in place of a token, and answers /session, where one is begun (POST, with
// {"token": "…"}), shown (GET) and ended (DELETE).
//
// The cookie is out of reach of scripts and of other sites. Its value is sealed and has the token's SHA-256 and the moment of its
// end in it: it is good on every process of the database, gives the token away to nobody, and is nothing once the token is
// revoked, because each use looks the token up. Stored is only that a session was ended, until it would have been over anyway:
// a copy of the cookie is nothing then, either.
type Sessions struct {
	doorman *Doorman
	keyring *seal.Keyring
	refused func(reason string)
	pages   http.CrossOriginProtection
}

// NewSessions makes the sessions of the doorman's tokens. refused is called with the reason, one of metrics', for every request for
// a session that is refused because of its token.
func NewSessions(d *Doorman, k *seal.Keyring, refused func(reason string)) *Sessions {
	return &Sessions{doorman: d, keyring: k, refused: refused}
}

// FromRequest gives what a request shows: the token in its header, or else its session.
func (s *Sessions) FromRequest(r *http.Request) Credential {
	if given := r.Header.Values("Authorization"); len(given) > 0 {
		return Bearer(given[0])
	}
	return s.FromCookie(r)
}

// FromCookie gives the session of a request that comes from a page of this server and has no header Authorization.
func (s *Sessions) FromCookie(r *http.Request) Credential {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil || len(r.Header.Values("Authorization")) > 0 || !s.fromOwnPage(r) {
		return Credential{}
	}
	return s.open(cookie.Value)
}

// fromOwnPage reports whether a request comes from a page of this server, or from no page at all. SameSite=Strict alone does not
// say so: another port of the same host, or a sibling in its domain, is the same site.
func (s *Sessions) fromOwnPage(r *http.Request) bool {
	if r.Header.Get("Upgrade") != "" { // scripts may open sockets to anywhere and read them, and every browser names its page
		origin, err := url.Parse(r.Header.Get("Origin"))
		return err == nil && origin.Host != "" && strings.EqualFold(origin.Host, r.Host) && (origin.Scheme == "https" || !OverTLS(r.Context()))
	}
	held := *r
	held.Method = http.MethodPost // the check lets every GET pass, and ours can be a query
	return s.pages.Check(&held) == nil
}

// cookieName is such that over TLS a browser takes the cookie from this host alone, and over TLS alone.
func cookieName(r *http.Request) string {
	if OverTLS(r.Context()) {
		return "__Host-" + sessionCookie
	}
	return sessionCookie
}

// ServeHTTP begins, shows and ends sessions.
func (s *Sessions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.pages.Check(r) != nil {
		refuse(w, http.StatusForbidden, models.Forbidden, "this was sent by another site's page: only the server's own may sign in and out")
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		viewer, err := s.doorman.Who(r.Context(), s.FromRequest(r))
		switch {
		case err != nil:
			s.fail(w, err)
		case viewer == nil:
			w.WriteHeader(http.StatusNoContent) // no error: a page must ask to know
		default:
			show(w, viewer)
		}
	case http.MethodPost:
		s.begin(w, r)
	case http.MethodDelete:
		s.end(w, r)
	default:
		w.Header().Set("Allow", "GET, HEAD, POST, DELETE")
		refuse(w, http.StatusMethodNotAllowed, models.BadUserInput, "a session is begun by POST, shown by GET and ended by DELETE")
	}
}

func (s *Sessions) begin(w http.ResponseWriter, r *http.Request) {
	// A form of another site can send other types without being asked first whether it may.
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, models.BadUserInput, "send JSON, with the header Content-Type: application/json")
		return
	}
	controller := http.NewResponseController(w)
	_ = controller.SetReadDeadline(time.Now().Add(sessionTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSessionBody))
	_ = controller.SetReadDeadline(time.Time{})
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		refuse(w, http.StatusRequestEntityTooLarge, models.BadUserInput, "the body is larger than 4 KB")
		return
	}
	var given struct{ Token *string }
	if err != nil || json.Unmarshal(body, &given) != nil || given.Token == nil {
		refuse(w, http.StatusBadRequest, models.BadUserInput, `the body is not a request for a session: send JSON such as {"token": "rba_…"}`)
		return
	}
	shown := bearing(strings.TrimSpace(*given.Token))
	viewer, err := s.doorman.Who(r.Context(), shown)
	if err != nil {
		s.fail(w, err)
		return
	}
	if viewer == nil {
		s.refused(metrics.RequestToken)
		w.Header().Set("WWW-Authenticate", "Bearer")
		refuse(w, http.StatusUnauthorized, models.Unauthenticated, "the token is not valid: it is mistyped, expired or revoked")
		return
	}
	if !s.doorman.mayBegin(viewer) {
		s.refused(metrics.RequestPace)
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, models.Overloaded, "the token has begun as many sessions as it may in a minute: try again in a moment")
		return
	}
	setCookie(w, r, s.sealed(shown.hash, time.Now().Add(sessionLife)), int(sessionLife/time.Second))
	show(w, viewer)
}

func (s *Sessions) end(w http.ResponseWriter, r *http.Request) {
	if cookie, err := r.Cookie(cookieName(r)); err == nil {
		// When that cannot be stored the browser keeps the cookie: it is what the session can be ended by the next time.
		if err := s.doorman.End(r.Context(), s.open(cookie.Value)); err != nil {
			s.fail(w, err)
			return
		}
	}
	setCookie(w, r, "", -1)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sessions) sealed(hash [sha256.Size]byte, until time.Time) string {
	plain := binary.BigEndian.AppendUint64(hash[:], uint64(until.Unix()))
	return base64.RawURLEncoding.EncodeToString(s.keyring.Seal(plain, []byte(sessionAD)))
}

// open gives what sealed put in; the zero Credential for anything else.
func (s *Sessions) open(value string) Credential {
	b, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return Credential{}
	}
	plain, err := s.keyring.Open(b, []byte(sessionAD))
	if err != nil || len(plain) != sha256.Size+8 {
		return Credential{}
	}
	// Every bit of what is sealed is authenticated: no other bytes are the same session.
	c := Credential{stored: true, session: sha256.Sum256(b), until: time.Unix(int64(binary.BigEndian.Uint64(plain[sha256.Size:])), 0)}
	copy(c.hash[:], plain)
	return c
}

func setCookie(w http.ResponseWriter, r *http.Request, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: cookieName(r), Value: value, Path: "/", MaxAge: maxAge,
		HttpOnly: true, Secure: OverTLS(r.Context()), SameSite: http.SameSiteStrictMode,
	})
}

func show(w http.ResponseWriter, v *models.Viewer) {
	write(w, http.StatusOK, struct {
		Name string      `json:"name"`
		Role models.Role `json:"role"`
	}{v.Name, v.Role})
}

func (s *Sessions) fail(w http.ResponseWriter, err error) {
	incident := strings.ToLower(rand.Text()[:12])
	s.doorman.log.Error("a session could not be looked up, begun or ended", "incident", incident, "error", err)
	refuse(w, http.StatusServiceUnavailable, models.Internal, "something went wrong in the server; its log tells of incident "+incident)
}

// refuse answers with an error as the API has them.
func refuse(w http.ResponseWriter, status int, code models.ErrorCode, message string) {
	type extensions struct {
		Code models.ErrorCode `json:"code"`
	}
	type problem struct {
		Message    string     `json:"message"`
		Extensions extensions `json:"extensions"`
	}
	write(w, status, map[string][]problem{"errors": {{message, extensions{code}}}})
}

func write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
