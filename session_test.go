package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/seal"
	"github.com/rustbucket/alerts/testkit"
)

const (
	plainCookie  = "rustbucket-alerts"
	secureCookie = "__Host-rustbucket-alerts"
	askViewer    = `{"query": "{ viewer { name role } }"}`
	foreign      = "https://console.example.com"
)

// signIn gives the cookie of a new session, as a browser sends it.
func (s *server) signIn(token string, headers ...string) string {
	s.t.Helper()
	body, _ := json.Marshal(map[string]string{"token": token})
	res, text := s.send(http.MethodPost, "/session", string(body), headers...)
	if res.StatusCode != http.StatusOK || len(res.Cookies()) != 1 {
		s.t.Fatalf("status %d, %v: %s", res.StatusCode, res.Header, text)
	}
	cookie := res.Cookies()[0]
	s.t.Cleanup(func() {
		if s.log != nil && (strings.Contains(s.log.String(), cookie.Value) || strings.Contains(s.log.String(), token)) {
			s.t.Error("the log has a token or a cookie")
		}
	})
	return cookie.Name + "=" + cookie.Value
}

// newToken makes a token, and gives its id and the token itself.
func (s *server) newToken(name string, role models.Role) (id, secret string) {
	s.t.Helper()
	made := s.do(`mutation ($name: String!, $role: Role!) { createToken(input: {name: $name, role: $role}) { secret token { id } } }`,
		map[string]any{"name": name, "role": role})["createToken"]
	return at(made, "token", "id").(string), at(made, "secret").(string)
}

// who asks with a cookie who its bearer is; "" when it is nobody.
func (s *server) who(headers ...string) string {
	s.t.Helper()
	res, text := s.send(http.MethodPost, "/graphql", askViewer, headers...)
	var a answer
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		s.t.Fatalf("status %d: %s", res.StatusCode, text)
	}
	if res.StatusCode == http.StatusUnauthorized && a.Errors[0].Extensions.Code == "UNAUTHENTICATED" {
		return ""
	}
	return at(a.Data, "viewer", "name").(string)
}

// open opens a socket, says hello, and gives it with what the server says to that: "connection_ack", or the code it closes with.
func (s *server) open(init string, headers ...string) (*websocket.Conn, any) {
	s.t.Helper()
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	dialer := websocket.Dialer{Subprotocols: []string{"graphql-transport-ws"}}
	conn, res, err := dialer.DialContext(s.t.Context(), strings.Replace(s.url, "http", "ws", 1)+"/graphql", header)
	if err != nil {
		if res != nil {
			return nil, res.StatusCode
		}
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { conn.Close() })
	if err := conn.WriteMessage(websocket.TextMessage, []byte(init)); err != nil {
		s.t.Fatal(err)
	}
	return conn, heard(s.t, conn)
}

// closeWithin is how long a socket or a stream may stay open that is to be closed: 10 s, and as long as a machine stands still.
const closeWithin = 45 * time.Second

// heard gives the type of the next message that is no ping, or the code with which the socket is closed.
func heard(t testing.TB, conn *websocket.Conn) any {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(closeWithin))
	for {
		var message struct{ Type string }
		err := conn.ReadJSON(&message)
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed):
			return closed.Code
		case err != nil:
			t.Fatal(err)
		case message.Type != "ping":
			return message.Type
		}
	}
}

// sessionValue makes a cookie as the server does: with it a test says what the server cannot be brought to say.
func sessionValue(t *testing.T, key []byte, ad, token string, until time.Time) string {
	t.Helper()
	keyring, err := seal.New(key)
	if err != nil {
		t.Fatal(err)
	}
	plain := binary.BigEndian.AppendUint64(access.Hash(token), uint64(until.Unix()))
	return base64.RawURLEncoding.EncodeToString(keyring.Seal(plain, []byte(ad)))
}

func TestSessions_ATokenIsExchangedForACookie(t *testing.T) {
	onBoth(t, func(t *testing.T, s *server) {
		_, token := s.newToken("browser", models.Viewing)
		res, text := s.send(http.MethodPost, "/session", `{"token": " `+token+` "}`)
		if res.StatusCode != http.StatusOK || strings.TrimSpace(text) != `{"name":"browser","role":"VIEWER"}` {
			t.Fatalf("status %d: %s", res.StatusCode, text)
		}
		set := res.Header.Get("Set-Cookie")
		value, attributes, _ := strings.Cut(strings.TrimPrefix(set, plainCookie+"="), ";")
		if attributes != " Path=/; Max-Age=43200; HttpOnly; SameSite=Strict" {
			t.Errorf("over HTTP the cookie is %s", set)
		}
		sealed, err := base64.RawURLEncoding.DecodeString(value)
		if err != nil || bytes.Contains(sealed, access.Hash(token)) || strings.Contains(set, token) {
			t.Errorf("the cookie gives the token away, or %v", err)
		}
		cookie := plainCookie + "=" + value
		if got := s.who("Cookie", cookie); got != "browser" {
			t.Errorf("with the cookie it is %q", got)
		}
		if res, text := s.send(http.MethodGet, "/graphql?query=%7Bviewer%7Bname%7D%7D", "", "Cookie", cookie); res.StatusCode != http.StatusOK {
			t.Errorf("by GET: %d %s", res.StatusCode, text)
		}
		if res, text := s.send(http.MethodGet, "/session", "", "Cookie", cookie); res.StatusCode != http.StatusOK || !strings.Contains(text, `"browser"`) {
			t.Errorf("shown: %d %s", res.StatusCode, text)
		}
		if res, text := s.send(http.MethodGet, "/session", ""); res.StatusCode != http.StatusNoContent {
			t.Errorf("shown to nobody: %d %s", res.StatusCode, text)
		}
		if res, _ := s.send(http.MethodGet, "/metrics", "", "Cookie", cookie); res.StatusCode != http.StatusUnauthorized {
			t.Errorf("the metrics, which are not for browsers: %d", res.StatusCode)
		}
		for range 2 { // there is nothing to end the second time
			res, _ := s.send(http.MethodDelete, "/session", "", "Cookie", cookie)
			if got := res.Header.Get("Set-Cookie"); res.StatusCode != http.StatusNoContent || got != plainCookie+"=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict" {
				t.Errorf("ended: %d %s", res.StatusCode, got)
			}
			cookie = plainCookie + "="
		}
		if got := s.who("Cookie", cookie); got != "" {
			t.Errorf("without the cookie it is %q", got)
		}
		if strings.Contains(s.log.String(), token) || strings.Contains(s.log.String(), value) {
			t.Error("the log has the token or the cookie")
		}
	})
}

func TestSessions_RefusesWhatIsNoToken(t *testing.T) {
	s := startServer(t, "")
	_, token := s.newToken("browser", models.Viewing)
	wrong := token[:len(token)-1] + map[bool]string{true: "y", false: "x"}[strings.HasSuffix(token, "x")]
	for _, c := range []struct {
		name, method, contentType, body, code string
		status                                int
	}{
		{"a wrong token", http.MethodPost, "application/json", `{"token": "` + wrong + `"}`, "UNAUTHENTICATED", 401},
		{"an unknown token", http.MethodPost, "application/json", `{"token": "` + access.NewToken() + `"}`, "UNAUTHENTICATED", 401},
		{"an empty token", http.MethodPost, "application/json", `{"token": ""}`, "UNAUTHENTICATED", 401},
		{"no token", http.MethodPost, "application/json", `{}`, "BAD_USER_INPUT", 400},
		{"no JSON", http.MethodPost, "application/json", token, "BAD_USER_INPUT", 400},
		{"another type", http.MethodPost, "application/json", `{"token": [1]}`, "BAD_USER_INPUT", 400},
		{"too long", http.MethodPost, "application/json; charset=utf-8", `{"token": "` + strings.Repeat("x", 4<<10) + `"}`, "BAD_USER_INPUT", 413},
		{"text", http.MethodPost, "text/plain", `{"token": "` + token + `"}`, "BAD_USER_INPUT", 415},
		{"a form", http.MethodPost, "application/x-www-form-urlencoded", "token=" + token, "BAD_USER_INPUT", 415},
		{"another method", http.MethodPut, "application/json", `{}`, "BAD_USER_INPUT", 405},
	} {
		res, text := s.send(c.method, "/session", c.body, "Content-Type", c.contentType)
		var a answer
		if err := json.Unmarshal([]byte(text), &a); err != nil || len(a.Errors) != 1 || a.Errors[0].Extensions.Code != c.code ||
			res.StatusCode != c.status || res.Header.Get("Set-Cookie") != "" || strings.Contains(text, token) {
			t.Errorf("%s: %d %s", c.name, res.StatusCode, text)
		}
	}
	if _, text := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken); !strings.Contains(text, `requests_refused_total{reason="token"} 3`) {
		t.Error("the wrong tokens are not counted")
	}
}

func TestSessions_NoTokenBeginsThemWithoutEnd(t *testing.T) {
	s := startServer(t, "")
	_, token := s.newToken("browser", models.Viewing)
	begun, began := 0, time.Now()
	for time.Since(began) < 5*time.Minute {
		res, text := s.send(http.MethodPost, "/session", `{"token": "`+token+`"}`)
		if res.StatusCode == http.StatusOK {
			begun++
			continue
		}
		if res.StatusCode != http.StatusTooManyRequests || !strings.Contains(text, "OVERLOADED") || res.Header.Get("Retry-After") != "1" || res.Header.Get("Set-Cookie") != "" {
			t.Fatalf("refused with %d: %s", res.StatusCode, text)
		}
		break
	}
	if most := 61 + int(time.Since(began)/time.Second); begun < 60 || begun > most { // it is one more a second meanwhile
		t.Errorf("%d sessions were begun, at most %d may be", begun, most)
	}
	_, other := s.newToken("another browser", models.Viewing)
	if res, text := s.send(http.MethodPost, "/session", `{"token": "`+other+`"}`); res.StatusCode != http.StatusOK {
		t.Errorf("another token: %d %s", res.StatusCode, text)
	}
	if _, text := s.send(http.MethodGet, "/metrics", "", "Authorization", "Bearer "+testToken); !strings.Contains(text, `requests_refused_total{reason="pace"} 1`) {
		t.Error("the refusal is not counted")
	}
}

func TestSessions_TheHeaderWins(t *testing.T) {
	s := startServer(t, "")
	_, token := s.newToken("script", models.Viewing)
	cookie := s.signIn(testToken)
	for header, want := range map[string]string{"Bearer " + token: "script", "Bearer wrong": "", "Basic eDp5": "", "": ""} {
		if got := s.who("Cookie", cookie, "Authorization", header); got != want {
			t.Errorf("with %q beside the cookie it is %q, want %q", header, got, want)
		}
	}
}

func TestSessions_RefusesWhatItDidNotSeal(t *testing.T) {
	key, former := make([]byte, seal.KeySize), seal.NewKey() // the first is that of startServer
	s := startServer(t, "", "SECRET_KEY_PREVIOUS="+base64.StdEncoding.EncodeToString(former))
	later := time.Now().Add(time.Hour)
	good := sessionValue(t, key, "session", testToken, later)
	for name, value := range map[string]string{
		"its own":      good,
		"a former key": sessionValue(t, former, "session", testToken, later),
	} {
		if got := s.who("Cookie", plainCookie+"="+value); got != "ADMIN_TOKEN" {
			t.Errorf("%s: it is %q", name, got)
		}
	}
	bad := map[string]string{
		"another key":     sessionValue(t, seal.NewKey(), "session", testToken, later),
		"something else":  sessionValue(t, key, "7", testToken, later),
		"over":            sessionValue(t, key, "session", testToken, time.Now().Add(-time.Second)),
		"another token":   sessionValue(t, key, "session", "another", later),
		"the token":       testToken,
		"the hash":        base64.RawURLEncoding.EncodeToString(access.Hash(testToken)),
		"cut":             good[:len(good)-4],
		"nothing":         "",
		"another charset": strings.Repeat("=", 40),
	}
	for i := 0; i < len(good); i += 7 {
		changed := []byte(good)
		changed[i] = map[bool]byte{true: 'B', false: 'A'}[changed[i] == 'A']
		bad["changed "+string(changed)] = string(changed)
	}
	for name, value := range bad {
		if got := s.who("Cookie", plainCookie+"="+value); got != "" {
			t.Errorf("%s: it is %q", name, got)
		}
	}
}

func TestSessions_HoldInEveryProcess(t *testing.T) {
	url := testkit.NewDatabase(t)
	one, two := startServer(t, url), startServer(t, url)
	_, token := one.newToken("browser", models.Viewing)
	if got := two.who("Cookie", one.signIn(token)); got != "browser" {
		t.Errorf("in the other process it is %q", got)
	}
}

func TestSessions_EndWithTheirTokenOrByThemselves(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, databaseURL string) {
		s := startServer(t, databaseURL)
		id, token := s.newToken("browser", models.Viewing)
		cookie := s.signIn(token)
		revoked, hello := s.open(`{"type": "connection_init"}`, "Cookie", cookie, "Origin", s.url)
		if hello != "connection_ack" {
			t.Fatalf("the socket is told %v", hello)
		}
		stream := make(chan struct{})
		go func() {
			defer close(stream)
			s.send(http.MethodPost, "/graphql", `{"query": "subscription { feed { cursor } }"}`, "Cookie", cookie, "Accept", "text/event-stream")
		}()
		s.until("the stream to begin", func() bool { return s.feed.Readers() > 0 })
		s.do(`mutation ($id: ID!) { revokeToken(id: $id) { id } }`, map[string]any{"id": id})
		if got := s.who("Cookie", cookie); got != "" {
			t.Errorf("after the token was revoked it is %q", got)
		}
		if res, _ := s.send(http.MethodGet, "/session", "", "Cookie", cookie); res.StatusCode != http.StatusNoContent {
			t.Errorf("the session of a revoked token is shown: %d", res.StatusCode)
		}
		if got := heard(t, revoked); got != 4401 {
			t.Errorf("the socket of a revoked token: %v", got)
		}
		select {
		case <-stream:
		case <-time.After(closeWithin):
			t.Error("the event stream does not end")
		}

		// A session that is over soon: not before the socket is open, on a slow machine either.
		var ended *websocket.Conn
		var until time.Time
		for life := 3 * time.Second; ended == nil; life *= 2 {
			until = time.Now().Add(life)
			short := plainCookie + "=" + sessionValue(t, make([]byte, seal.KeySize), "session", testToken, until)
			conn, hello := s.open(`{"type": "connection_init"}`, "Cookie", short, "Origin", s.url)
			switch {
			case hello == "connection_ack":
				ended = conn
			case time.Now().Before(until.Add(-time.Second)): // it is sealed in whole seconds
				t.Fatalf("before its end the socket is told %v", hello)
			}
		}
		if got := heard(t, ended); got != 4401 || time.Now().Before(until.Add(-time.Second)) {
			t.Errorf("the socket of a session that is over at %v: %v at %v", until, got, time.Now())
		}
	})
}

// Signing out ends the session itself: a copy of its cookie is of no use any more, in any process, and its open streams close.
func TestSessions_EndWhenSomebodySignsOut(t *testing.T) {
	onBothAtOnce(t, func(t *testing.T, databaseURL string) {
		one := startServer(t, databaseURL)
		two := one
		if one.store.Shared() {
			two = startServer(t, databaseURL)
		}
		_, token := one.newToken("browser", models.Viewing)
		stolen, other := one.signIn(token), one.signIn(token)
		admins := one.signIn(testToken)
		if got := two.who("Cookie", stolen); got != "browser" { // and is remembered there
			t.Fatalf("in the other process it is %q", got)
		}
		conn, hello := two.open(`{"type": "connection_init"}`, "Cookie", stolen, "Origin", two.url)
		kept, hello2 := two.open(`{"type": "connection_init"}`, "Cookie", other, "Origin", two.url)
		if hello != "connection_ack" || hello2 != "connection_ack" {
			t.Fatalf("the sockets are told %v and %v", hello, hello2)
		}
		stream := make(chan struct{})
		go func() {
			defer close(stream)
			two.send(http.MethodPost, "/graphql", `{"query": "subscription { feed { cursor } }"}`, "Cookie", stolen, "Accept", "text/event-stream")
		}()
		two.until("the stream to begin", func() bool { return two.feed.Readers() > 0 })

		for _, cookie := range []string{stolen, stolen, admins} {
			if res, text := one.send(http.MethodDelete, "/session", "", "Cookie", cookie); res.StatusCode != http.StatusNoContent || res.Header.Get("Set-Cookie") == "" {
				t.Fatalf("signing out: %d %s", res.StatusCode, text)
			}
		}
		for _, cookie := range []string{stolen, stolen + "=", admins} {
			if got := one.who("Cookie", cookie); got != "" {
				t.Errorf("where it was ended it is %q", got)
			}
		}
		if res, _ := one.send(http.MethodGet, "/session", "", "Cookie", stolen); res.StatusCode != http.StatusNoContent {
			t.Errorf("it is shown: %d", res.StatusCode)
		}
		if _, got := one.open(`{"type": "connection_init"}`, "Cookie", stolen, "Origin", one.url); got != 4403 {
			t.Errorf("a new socket with it: %v", got)
		}
		if got := heard(t, conn); got != 4401 {
			t.Errorf("its socket: %v", got)
		}
		select {
		case <-stream:
		case <-time.After(closeWithin):
			t.Error("its event stream does not end")
		}
		two.until("the other process to refuse it", func() bool { return two.who("Cookie", stolen) == "" })
		// Another session of the same token goes on.
		if got := two.who("Cookie", other); got != "browser" {
			t.Errorf("another session of the token is %q", got)
		}
		if err := kept.WriteMessage(websocket.TextMessage, []byte(`{"type": "ping"}`)); err != nil || heard(t, kept) != "pong" {
			t.Errorf("its socket is closed: %v", err)
		}
	})
}

// Who could not be signed out is told so, and can try again.
func TestSessions_StayWhenTheirEndCannotBeStored(t *testing.T) {
	s := startServer(t, testkit.NewDatabase(t))
	cookie := s.signIn(testToken)
	s.store.Close()
	res, text := s.send(http.MethodDelete, "/session", "", "Cookie", cookie)
	if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Set-Cookie") != "" || !strings.Contains(text, "incident") {
		t.Errorf("%d %v %s", res.StatusCode, res.Header, text)
	}
	if res, _ := s.send(http.MethodPost, "/graphql", askViewer, "Cookie", cookie); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a session that cannot be looked up: %d", res.StatusCode)
	}
}

func TestSessions_OnlyOurOwnPagesHaveThem(t *testing.T) {
	s := startServer(t, "", "ALLOWED_ORIGINS="+foreign)
	for _, c := range []struct {
		name    string
		headers []string
		own     bool
	}{
		{"our page", []string{"Origin", s.url, "Sec-Fetch-Site", "same-origin"}, true},
		{"our page in an older browser", []string{"Origin", s.url}, true},
		{"no page", nil, true},
		{"a person", []string{"Sec-Fetch-Site", "none"}, true},
		{"another site", []string{"Origin", "https://evil.example.com", "Sec-Fetch-Site", "cross-site"}, false},
		{"another site in an older browser", []string{"Origin", "https://evil.example.com"}, false},
		{"an allowed site", []string{"Origin", foreign, "Sec-Fetch-Site", "cross-site"}, false},
		{"another port of the same host", []string{"Origin", "http://127.0.0.1:1", "Sec-Fetch-Site", "same-site"}, false},
		{"another port in an older browser", []string{"Origin", "http://127.0.0.1:1"}, false},
		{"no origin of its own", []string{"Origin", "null", "Sec-Fetch-Site", "cross-site"}, false},
	} {
		cookie := s.signIn(testToken, "Origin", s.url, "Sec-Fetch-Site", "same-origin")
		want := map[bool]string{true: "ADMIN_TOKEN"}[c.own]
		if got := s.who(append(c.headers, "Cookie", cookie)...); got != want {
			t.Errorf("%s posts as %q", c.name, got)
		}
		if got := s.who(append(c.headers, "Authorization", "Bearer "+testToken)...); got != "ADMIN_TOKEN" {
			t.Errorf("%s posts with a token as %q", c.name, got)
		}
		status := map[bool][4]int{true: {200, 200, 200, 204}, false: {401, 204, 403, 403}}[c.own]
		for i, call := range [][3]string{
			{http.MethodGet, "/graphql?query=%7Bviewer%7Bname%7D%7D"},
			{http.MethodGet, "/session"},
			{http.MethodPost, "/session", `{"token": "` + testToken + `"}`},
			{http.MethodDelete, "/session"},
		} {
			res, text := s.send(call[0], call[1], call[2], append(c.headers, "Cookie", cookie)...)
			if res.StatusCode != status[i] || res.Header.Get("Set-Cookie") != "" != (c.own && i > 1) || res.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s, %s %s: %d %v %s", c.name, call[0], call[1], res.StatusCode, res.Header, text)
			}
		}
	}
}

func TestSessions_OnlyOurOwnPagesOpenSocketsWithThem(t *testing.T) {
	s := startServer(t, "", "ALLOWED_ORIGINS="+foreign, "TRUSTED_PROXIES=127.0.0.0/8")
	cookie := s.signIn(testToken)
	secure := s.signIn(testToken, "X-Forwarded-Proto", "https")
	host := strings.TrimPrefix(s.url, "http://")
	const silent = `{"type": "connection_init"}`
	withToken := func(token string) string {
		return `{"type": "connection_init", "payload": {"Authorization": "Bearer ` + token + `"}}`
	}
	for _, c := range []struct {
		name, init string
		headers    []string
		want       any
	}{
		{"our page", silent, []string{"Cookie", cookie, "Origin", s.url}, "connection_ack"},
		{"our page, signed out", silent, []string{"Origin", s.url}, 4403},
		{"our page with a wrong token", withToken("wrong"), []string{"Cookie", cookie, "Origin", s.url}, 4403},
		{"our page with a header", silent, []string{"Cookie", cookie, "Origin", s.url, "Authorization", "Bearer " + testToken}, 4403},
		{"no page", silent, []string{"Cookie", cookie}, 4403},
		{"a page without an origin", silent, []string{"Cookie", cookie, "Origin", "null"}, http.StatusForbidden},
		{"an allowed page", silent, []string{"Cookie", cookie, "Origin", foreign}, 4403},
		{"an allowed page with a token", withToken(testToken), []string{"Cookie", cookie, "Origin", foreign}, "connection_ack"},
		{"another port", silent, []string{"Cookie", cookie, "Origin", "http://127.0.0.1:1"}, http.StatusForbidden},
		{"our page over TLS", silent, []string{"Cookie", secure, "Origin", "https://" + host, "X-Forwarded-Proto", "https"}, "connection_ack"},
		{"a page of our host over HTTP", silent, []string{"Cookie", secure, "Origin", s.url, "X-Forwarded-Proto", "https"}, 4403},
	} {
		conn, got := s.open(c.init, c.headers...)
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if conn != nil {
			conn.Close()
		}
	}
}

func TestSessions_OverTLSTheCookieIsTheHostsAlone(t *testing.T) {
	const https = "X-Forwarded-Proto"
	behind := startServer(t, "", "TRUSTED_PROXIES=127.0.0.0/8")
	res, _ := behind.send(http.MethodPost, "/session", `{"token": "`+testToken+`"}`, https, "https")
	set := res.Header.Get("Set-Cookie")
	value, attributes, _ := strings.Cut(strings.TrimPrefix(set, secureCookie+"="), ";")
	if !strings.HasPrefix(set, secureCookie+"=") || attributes != " Path=/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict" {
		t.Errorf("over TLS the cookie is %s", set)
	}
	for _, c := range []struct{ name, proto, want string }{
		{secureCookie, "https", "ADMIN_TOKEN"},
		{plainCookie, "https", ""}, // a sibling domain, or somebody on the line, may have set it
		{secureCookie, "http", ""},
		{plainCookie, "http", "ADMIN_TOKEN"},
	} {
		if got := behind.who("Cookie", c.name+"="+value, https, c.proto); got != c.want {
			t.Errorf("%s over %s: it is %q", c.name, c.proto, got)
		}
	}
	res, _ = behind.send(http.MethodDelete, "/session", "", https, "https")
	if got := res.Header.Get("Set-Cookie"); got != secureCookie+"=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Strict" {
		t.Errorf("ended over TLS: %s", got)
	}
	alone := startServer(t, "")
	res, _ = alone.send(http.MethodPost, "/session", `{"token": "`+testToken+`"}`, https, "https")
	if got := res.Header.Get("Set-Cookie"); !strings.HasPrefix(got, plainCookie+"=") {
		t.Errorf("a stranger's word for TLS is believed: %s", got)
	}
}
