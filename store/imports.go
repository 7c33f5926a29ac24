package store

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strconv"
	"time"

	"github.com/uptrace/bun"

	"github.com/rustbucket/alerts/models"
)

// Origin says which row of another system's database something was: its key there, and when it was created there, which
// tells the rows of two such databases apart.
type Origin struct {
	PK        string
	CreatedAt time.Time // zero when nothing tells
}

// ChannelImport is a channel to be taken over. Its CreatedAt is kept; zero = now.
type ChannelImport struct {
	Origin  Origin
	Channel *models.Channel
}

// Fate is what becomes of a channel that is to be taken over.
type Fate int

// The fates of channels.
const (
	FateNew     Fate = iota
	FateRenamed      // another channel has its name
	FateKnown        // it was taken over before: it stays as it is here
	FateDeleted      // it was taken over before, and somebody has deleted it here
	FateThere        // a channel with its name and its config stands here already, made by hand
)

// ImportedChannel says what became of a channel.
type ImportedChannel struct {
	Fate Fate
	Name string // that it has here
}

type importRow struct {
	bun.BaseModel `bun:"table:imports,alias:i"`

	Model      string    `bun:",pk"`
	PK         string    `bun:"pk,pk"`
	CreatedAt  time.Time `bun:",pk"`
	TargetID   int64
	ImportedAt time.Time
}

// The models in the table.
const (
	channelModel = "notificationchannel"
	alertModel   = "alert"
)

// ImportChannels takes channels over, all or none, and says in their order what became of each. One that was taken over
// before, or that stands here already, is left as it is. With dryRun nothing is changed.
func (s *Store) ImportChannels(ctx context.Context, imports []ChannelImport, dryRun bool) ([]ImportedChannel, error) {
	var results []ImportedChannel
	err := s.inTx(ctx, "import channels", func(tx bun.Tx) error {
		if err := s.lockImports(ctx, tx, dryRun); err != nil {
			return err
		}
		plan, err := s.planChannels(ctx, tx, imports)
		if err != nil {
			return err
		}
		results = plan.results
		if dryRun {
			return nil
		}
		at := s.Now()
		for i, in := range imports {
			c := *in.Channel
			switch plan.results[i].Fate {
			case FateNew, FateRenamed:
				c.Name = plan.results[i].Name
				if c.CreatedAt.IsZero() {
					c.CreatedAt = at
				}
				if err := s.insertChannel(ctx, tx, &c, at); err != nil {
					return err
				}
			case FateThere:
				c.ID = plan.there[i]
			default:
				continue
			}
			row := in.Origin.row(channelModel, c.ID, at)
			if _, err := tx.NewInsert().Model(row).Returning("NULL").Exec(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	return results, err
}

// lockImports lets one import at a time decide what is new.
func (s *Store) lockImports(ctx context.Context, tx bun.Tx, dryRun bool) error {
	if dryRun || !s.isPostgres() { // on SQLite one transaction writes at a time anyway
		return nil
	}
	_, err := tx.NewRaw("LOCK TABLE imports IN SHARE ROW EXCLUSIVE MODE").Exec(ctx)
	return err
}

// channelPlan is what is to be done with channels, in their order.
type channelPlan struct {
	results []ImportedChannel
	there   map[int]int64 // the id of a channel that stands here already, by place
}

func (s *Store) planChannels(ctx context.Context, tx bun.Tx, imports []ChannelImport) (*channelPlan, error) {
	var rows []*channelRow
	if err := tx.NewSelect().Model(&rows).Where("deleted_at IS NULL").Scan(ctx); err != nil {
		return nil, err
	}
	channels, err := s.channelModels(rows)
	if err != nil {
		return nil, err
	}
	byName, byID := make(map[string]*models.Channel), make(map[int64]*models.Channel)
	for _, c := range channels {
		byName[c.Name], byID[c.ID] = c, c
	}
	origins := make([]Origin, len(imports))
	for i, in := range imports {
		origins[i] = in.Origin
	}
	known, err := knownImports(ctx, tx, channelModel, origins)
	if err != nil {
		return nil, err
	}
	mayBe := make(map[int64]bool, len(byID)) // what a channel of the old system may be here
	for id := range byID {
		mayBe[id] = true
	}
	for _, id := range known {
		delete(mayBe, id)
	}
	plan := &channelPlan{results: make([]ImportedChannel, len(imports)), there: make(map[int]int64)}
	seen := make(map[originKey]bool)
	for i, in := range imports {
		target, isKnown := known[in.Origin.key()]
		here, sameName := byID[target], byName[in.Channel.Name]
		result := ImportedChannel{FateNew, in.Channel.Name}
		switch {
		case seen[in.Origin.key()]:
			result.Fate = FateKnown
		case isKnown && here == nil:
			result.Fate = FateDeleted
		case isKnown:
			result = ImportedChannel{FateKnown, here.Name}
		case sameName == nil:
		case mayBe[sameName.ID] && reflect.DeepEqual(sameName.Config, in.Channel.Config):
			result.Fate, plan.there[i] = FateThere, sameName.ID
			delete(mayBe, sameName.ID)
		default:
			result = ImportedChannel{FateRenamed, freeName(in.Channel.Name, byName)}
		}
		seen[in.Origin.key()] = true
		plan.results[i] = result
		if result.Fate == FateNew || result.Fate == FateRenamed {
			byName[result.Name] = in.Channel // names were not unique there
		}
	}
	return plan, nil
}

// freeName adds to a name what makes it one that no channel has.
func freeName(name string, taken map[string]*models.Channel) string {
	for n := 1; ; n++ {
		suffix := " (imported)"
		if n > 1 {
			suffix = " (imported " + strconv.Itoa(n) + ")"
		}
		letters := []rune(name)
		free := string(letters[:min(len(letters), models.MaxName-len(suffix))]) + suffix
		if taken[free] == nil {
			return free
		}
	}
}

// MaxAlertImports is how many alerts ImportAlerts takes at a time.
const MaxAlertImports = 1000

// AlertImport is an alert to be taken over, with its times.
type AlertImport struct {
	Origin     Origin // with its CreatedAt, which the alert keeps
	New        *models.NewAlert
	ResolvedAt *time.Time
}

// ImportAlerts takes up to MaxAlertImports alerts over, all or none, and says for each whether it is new. Nobody is told of
// them, and no event tells of them either: the feed is for what happens now. One that was taken over before is known, unless
// retention has removed it meanwhile and would keep it now, being no older than kept. With dryRun nothing is changed.
func (s *Store) ImportAlerts(ctx context.Context, imports []AlertImport, kept time.Time, dryRun bool) ([]bool, error) {
	var isNew []bool
	err := s.inTx(ctx, "import alerts", func(tx bun.Tx) error {
		if err := s.lockImports(ctx, tx, dryRun); err != nil {
			return err
		}
		var n int
		var err error
		if isNew, n, err = newAlerts(ctx, tx, imports, kept); err != nil || dryRun || n == 0 {
			return err
		}
		return s.insertImports(ctx, tx, imports, isNew, n)
	})
	return isNew, err
}

// newAlerts says which alerts are to be stored, and how many.
func newAlerts(ctx context.Context, tx bun.Tx, imports []AlertImport, kept time.Time) (isNew []bool, n int, err error) {
	origins := make([]Origin, len(imports))
	for i, in := range imports {
		origins[i] = in.Origin
	}
	known, err := knownImports(ctx, tx, alertModel, origins)
	if err != nil {
		return nil, 0, err
	}
	targets := make([]int64, 0, len(known))
	for _, id := range known {
		targets = append(targets, id)
	}
	var left []int64
	if len(targets) > 0 {
		if err := tx.NewRaw("SELECT id FROM alerts WHERE id IN (?)", bun.List(targets)).Scan(ctx, &left); err != nil {
			return nil, 0, err
		}
	}
	slices.Sort(left)
	isNew = make([]bool, len(imports))
	seen := make(map[originKey]bool, len(imports))
	for i, in := range imports {
		key := in.Origin.key()
		target, isKnown := known[key]
		_, isThere := slices.BinarySearch(left, target)
		isNew[i] = !seen[key] && (!isKnown || !isThere && !in.Origin.CreatedAt.Before(kept))
		seen[key] = true
		if isNew[i] {
			n++
		}
	}
	return isNew, n, nil
}

func (s *Store) insertImports(ctx context.Context, tx bun.Tx, imports []AlertImport, isNew []bool, n int) error {
	at := s.Now()
	ids, _, _, err := s.nextIDs(ctx, tx, n, 0)
	if err != nil {
		return err
	}
	alerts, rows := make([]*alertRow, 0, n), make([]*importRow, 0, n)
	machines := make(map[string]rustbucketRow)
	for i, in := range imports {
		if !isNew[i] {
			continue
		}
		alert, err := newAlertRow(AlertInsert{New: in.New}, 1, in.Origin.CreatedAt)
		if err != nil {
			return err
		}
		alert.ID, ids = ids[0], ids[1:]
		alert.ResolvedAt = in.ResolvedAt
		alerts = append(alerts, alert)
		rows = append(rows, in.Origin.row(alertModel, alert.ID, at))
		if m := in.New.Rustbucket; m != nil {
			machines[m.ID] = rustbucketRow{ID: m.ID, Name: m.Name, CreatedAt: at}
		}
	}
	var statements []bun.Query
	if len(machines) > 0 {
		list := make([]rustbucketRow, 0, len(machines))
		for _, m := range machines {
			list = append(list, m)
		}
		slices.SortFunc(list, func(a, b rustbucketRow) int { return cmp.Compare(a.ID, b.ID) }) // as upsertRustbuckets
		// A name that is here already is newer than the old system's.
		statements = append(statements, tx.NewInsert().Model(&list).On("CONFLICT (id) DO NOTHING").Returning("NULL"))
	}
	statements = append(statements,
		tx.NewInsert().Model(&alerts).Returning("NULL"),
		tx.NewInsert().Model(&rows).Returning("NULL").On("CONFLICT (model, pk, created_at) DO UPDATE").
			Set("target_id = EXCLUDED.target_id").Set("imported_at = EXCLUDED.imported_at"))
	return s.run(ctx, tx, statements)
}

// originKey is an Origin as the key of a map.
type originKey struct {
	pk     string
	micros int64
}

func (o Origin) key() originKey { return originKey{o.PK, o.at().UnixMicro()} }

// at is the moment of creation as it is stored; 1970 stands for one that nothing tells.
func (o Origin) at() time.Time {
	if o.CreatedAt.IsZero() {
		return time.Unix(0, 0).UTC()
	}
	return o.CreatedAt.UTC()
}

func (o Origin) row(model string, target int64, at time.Time) *importRow {
	return &importRow{Model: model, PK: o.PK, CreatedAt: o.at(), TargetID: target, ImportedAt: at}
}

// knownImports gives the ids here of what was taken over before.
func knownImports(ctx context.Context, tx bun.Tx, model string, origins []Origin) (map[originKey]int64, error) {
	known := make(map[originKey]int64)
	if len(origins) == 0 {
		return known, nil
	}
	keys := make([]string, len(origins))
	for i, o := range origins {
		keys[i] = o.PK
	}
	var rows []*importRow
	if err := tx.NewSelect().Model(&rows).Where("model = ? AND pk IN (?)", model, bun.List(keys)).Scan(ctx); err != nil {
		return nil, err
	}
	for _, r := range rows {
		known[originKey{r.PK, r.CreatedAt.UTC().UnixMicro()}] = r.TargetID
	}
	return known, nil
}
