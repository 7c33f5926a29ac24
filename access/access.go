// Package access says who a caller is: it makes tokens, finds the viewer of a bearer token, and checks roles at the fields
// marked @hasRole. It never stores or logs a token, only its SHA-256.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"log/slog"
	"maps"
	"math/big"
	"strings"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"golang.org/x/time/rate"

	"github.com/rustbucket/alerts/models"
	"github.com/rustbucket/alerts/store"
)

// remember is how long a token that was found good is not looked up again; a revoked one is refused after this at the latest.
const remember = 5 * time.Second

// maxNone is how many tokens that are not good are remembered: none of them can become good, and whoever goes on trying one has it looked
// up once in a while only.
const maxNone = 10_000

// adminName is what the bearer of the setting ADMIN_TOKEN is called.
const adminName = "ADMIN_TOKEN"

// prefix marks our tokens, so that people and secret scanners recognise one.
const prefix = "rba_"

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewToken makes a random token: the prefix, 32 characters with 190 bits of randomness, and 6 characters of their CRC-32,
// so that a mistyped one is recognised without asking anybody.
func NewToken() string {
	var b strings.Builder
	for range 32 {
		n, _ := rand.Int(rand.Reader, big.NewInt(int64(len(base62)))) // the reader never fails
		b.WriteByte(base62[n.Int64()])
	}
	return prefix + b.String() + checksum(b.String())
}

// wellFormed reports whether a text can be a token: who mistypes one, or guesses, costs nobody a look into the database.
func wellFormed(token string) bool {
	random, ok := strings.CutPrefix(token, prefix)
	return ok && len(random) == 38 && checksum(random[:32]) == random[32:]
}

func checksum(random string) string {
	n := crc32.ChecksumIEEE([]byte(random))
	sum := make([]byte, 6)
	for i := range sum {
		sum[i] = base62[n%62]
		n /= 62
	}
	return string(sum)
}

// Hash is what is kept of a token.
func Hash(token string) []byte {
	h := sha256.Sum256([]byte(token))
	return h[:]
}

// Doorman finds out who a caller is.
type Doorman struct {
	store   *store.Store
	lookups *lookups
	log     *slog.Logger
	admin   *[sha256.Size]byte // hash of ADMIN_TOKEN; nil when it is not set

	mu    sync.Mutex
	known map[[sha256.Size]byte]known
	none  map[[sha256.Size]byte]time.Time // hashes of tokens that are not good, until when that is not looked up again
	open  map[[sha256.Size]byte]time.Time // by session, until when it is not looked up again whether it was ended
	used  map[int64]time.Time             // by token, when it is not stored yet
	paces map[int64]*rate.Limiter         // by token

	signIns map[string]*rate.Limiter // by the viewer's name: ADMIN_TOKEN has no id
}

type known struct {
	viewer *models.Viewer
	until  time.Time
}

// NewDoorman knows the stored tokens and, unless it is empty, adminToken.
func NewDoorman(s *store.Store, adminToken string, log *slog.Logger) *Doorman {
	d := &Doorman{
		store: s, lookups: &lookups{find: s.TokensByHash}, log: log, known: make(map[[sha256.Size]byte]known), none: make(map[[sha256.Size]byte]time.Time), open: make(map[[sha256.Size]byte]time.Time),
		used: make(map[int64]time.Time), paces: make(map[int64]*rate.Limiter),
		signIns: make(map[string]*rate.Limiter),
	}
	if adminToken != "" {
		hash := sha256.Sum256([]byte(adminToken))
		d.admin = &hash
	}
	return d
}

// FirstToken makes an admin token if the database has no token and ADMIN_TOKEN is not set, and gives it, or "".
func (d *Doorman) FirstToken(ctx context.Context) (string, error) {
	if d.admin != nil {
		return "", nil
	}
	token := NewToken()
	made, err := d.store.CreateFirstToken(ctx, &models.Token{Name: "admin", Role: models.Admin}, Hash(token))
	if err != nil || !made {
		return "", err
	}
	return token, nil
}

// Create stores a new token by its name, role, expiry and limit, and gives its secret, which is kept nowhere. Errors name the fields
// below path.
func (d *Doorman) Create(ctx context.Context, path string, t *models.Token) (secret string, err error) {
	if err := models.ValidText(path+"name", t.Name, models.MaxName); err != nil {
		return "", err
	}
	for _, own := range []string{adminName, models.ServerName, models.CommandLineName} {
		if strings.EqualFold(t.Name, own) {
			return "", models.Invalid(path+"name", "is what the audit log calls %s: choose another", own)
		}
	}
	if t.ExpiresAt != nil {
		at := t.ExpiresAt.UTC().Truncate(time.Microsecond)
		if !at.After(time.Now()) {
			return "", models.Invalid(path+"expiresAt", "is not in the future: leave it out for a token that does not end by itself")
		}
		t.ExpiresAt = &at
	}
	if n := t.AlertsPerMinute; n != nil && (*n < 1 || *n > MaxAlertsPerMinute) {
		return "", models.Invalid(path+"alertsPerMinute", "is %d: give 1 to %d, or leave it out for no limit", *n, MaxAlertsPerMinute)
	}
	secret = NewToken()
	err = d.store.CreateToken(ctx, t, Hash(secret))
	if models.HasCode(err, models.Conflict) {
		err = models.Conflicting(path+"name", "there is a token named %q already: choose another name, or revoke that one", t.Name)
	}
	if err != nil {
		return "", err
	}
	return secret, nil
}

// Revoke ends a token. Other processes refuse it within seconds, this one at once.
func (d *Doorman) Revoke(ctx context.Context, id int64) (*models.Token, error) {
	token, err := d.store.EndToken(ctx, id)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.known, func(_ [sha256.Size]byte, k known) bool { return k.viewer.TokenID == id })
	return token, nil
}

// Credential is what a caller shows to say who it is: a token, or a session that stands for one. The zero Credential says
// nobody.
type Credential struct {
	hash   [sha256.Size]byte // of the token
	stored bool              // the database may have the token

	// Of a session: what it is known by, and when it ends, whatever becomes of the token. Zero for a token.
	session [sha256.Size]byte
	until   time.Time
}

// Bearer reads an Authorization value ("Bearer TOKEN").
func Bearer(authorization string) Credential {
	scheme, token, ok := strings.Cut(authorization, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return Credential{}
	}
	return bearing(strings.TrimSpace(token))
}

func bearing(token string) Credential {
	return Credential{hash: sha256.Sum256([]byte(token)), stored: wellFormed(token)}
}

// Viewer finds who bears this Authorization value, as Who does.
func (d *Doorman) Viewer(ctx context.Context, authorization string) (*models.Viewer, error) {
	return d.Who(ctx, Bearer(authorization))
}

// Who finds out who shows this. Nil means nobody: the token is missing, unknown, expired or revoked, or the session is over. An
// error means that it could not be found out.
func (d *Doorman) Who(ctx context.Context, c Credential) (*models.Viewer, error) {
	now, hash := time.Now(), c.hash
	if !c.until.IsZero() {
		if over, err := d.isOver(ctx, c, now); over || err != nil {
			return nil, err
		}
	}
	// Comparing hashes gives nothing away by its timing: whoever could use it would need the token to make the hash.
	if d.admin != nil && hash == *d.admin {
		return &models.Viewer{Name: adminName, Role: models.Admin}, nil
	}
	if !c.stored {
		return nil, nil
	}
	d.mu.Lock()
	k, ok := d.known[hash]
	ok = ok && now.Before(k.until)
	if ok {
		d.used[k.viewer.TokenID] = now
	}
	refused := now.Before(d.none[hash])
	d.mu.Unlock()
	if ok {
		return k.viewer, nil
	}
	if refused {
		return nil, nil
	}
	t, err := d.lookups.get(ctx, hash)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if t == nil || t.RevokedAt != nil || t.ExpiresAt != nil && !now.Before(*t.ExpiresAt) {
		delete(d.known, hash)
		if len(d.none) >= maxNone { // all at once: who tries so many different ones is not to have the oldest looked for as well
			clear(d.none)
		}
		d.none[hash] = now.Add(remember)
		return nil, nil
	}
	viewer := &models.Viewer{TokenID: t.ID, Name: t.Name, Role: t.Role}
	if t.AlertsPerMinute != nil {
		viewer.AlertsPerMinute = *t.AlertsPerMinute
	}
	until := now.Add(remember)
	if t.ExpiresAt != nil && t.ExpiresAt.Before(until) {
		until = *t.ExpiresAt
	}
	d.known[hash], d.used[t.ID] = known{viewer, until}, now
	return viewer, nil
}

// isOver reports whether a session has come to its end, or was ended before.
func (d *Doorman) isOver(ctx context.Context, c Credential, now time.Time) (bool, error) {
	if !now.Before(c.until) {
		return true, nil
	}
	d.mu.Lock()
	known := now.Before(d.open[c.session])
	d.mu.Unlock()
	if known {
		return false, nil
	}
	ended, err := d.store.SessionEnded(ctx, c.session[:])
	if err != nil || ended {
		return ended, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open[c.session] = now.Add(remember)
	return false, nil
}

// End ends a session before its time. Other processes refuse it within seconds, this one at once.
func (d *Doorman) End(ctx context.Context, c Credential) error {
	if !time.Now().Before(c.until) { // a token, nothing, or over already
		return nil
	}
	if err := d.store.EndSession(ctx, c.session[:], c.until); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.open, c.session)
	return nil
}

// noteEvery is how often it is stored when tokens were last used: no request waits for that.
const noteEvery = time.Minute

// Run stores when tokens were last used, until ctx ends and once more then.
func (d *Doorman) Run(ctx context.Context) {
	tick := time.NewTicker(noteEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			d.note(last)
			return
		case <-tick.C:
			d.note(ctx)
		}
	}
}

func (d *Doorman) note(ctx context.Context) {
	d.mu.Lock()
	used := d.used
	d.used = make(map[int64]time.Time)
	d.forgetPaces()
	for hash, k := range d.known { // what was long over would stay for ever
		if time.Since(k.until) > noteEvery {
			delete(d.known, hash)
		}
	}
	maps.DeleteFunc(d.none, func(_ [sha256.Size]byte, until time.Time) bool { return time.Since(until) > 0 })
	maps.DeleteFunc(d.open, func(_ [sha256.Size]byte, until time.Time) bool { return time.Since(until) > noteEvery })
	d.mu.Unlock()
	if err := d.store.NoteTokensUsed(ctx, used); err != nil && ctx.Err() == nil {
		d.log.Warn("it could not be stored when tokens were last used", "error", err)
	}
}

type viewerKey struct{}

// WithViewer notes who the caller is.
func WithViewer(ctx context.Context, v *models.Viewer) context.Context {
	actor := models.Actor{Name: v.Name, TokenID: v.TokenID}
	if from := AddressFrom(ctx); from.IsValid() {
		actor.Address = from.String()
	}
	return context.WithValue(models.WithActor(ctx, actor), viewerKey{}, v)
}

// ViewerFrom gives the caller, or nil when nobody was noted.
func ViewerFrom(ctx context.Context) *models.Viewer {
	v, _ := ctx.Value(viewerKey{}).(*models.Viewer)
	return v
}

// HasRole is the directive @hasRole.
func HasRole(ctx context.Context, _ any, next graphql.Resolver, anyOf []models.Role) (any, error) {
	v := ViewerFrom(ctx)
	if v.May(anyOf...) {
		return next(ctx)
	}
	role := models.Role("none")
	if v != nil {
		role = v.Role
	}
	needed := make([]string, 0, len(anyOf)+1)
	for _, r := range append(anyOf, models.Admin) {
		needed = append(needed, string(r))
	}
	return nil, &models.Error{Code: models.Forbidden, Message: fmt.Sprintf("the token's role is %s; this needs %s", role, strings.Join(needed, " or "))}
}
