package graph

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/rustbucket/alerts/access"
	"github.com/rustbucket/alerts/models"
)

const maxPage = 500

// AlertConnection is a page of alerts.
type AlertConnection struct {
	Edges    []*AlertEdge
	Nodes    []*models.Alert
	PageInfo *PageInfo
	filter   *models.AlertFilter
}

// DeliveryConnection is a page of deliveries.
type DeliveryConnection struct {
	Edges    []*DeliveryEdge
	Nodes    []*models.Delivery
	PageInfo *PageInfo
	filter   *models.DeliveryFilter
}

// AuditConnection is a page of the audit log.
type AuditConnection struct {
	Edges    []*AuditEdge
	Nodes    []*models.AuditEntry
	PageInfo *PageInfo
	filter   *models.AuditFilter
}

// RustbucketConnection is a page of rustbuckets.
type RustbucketConnection struct {
	Edges    []*RustbucketEdge
	Nodes    []*models.Rustbucket
	PageInfo *PageInfo
	filter   *models.RustbucketFilter
}

// What a cursor belongs to.
const (
	alertCursor    = "a"
	deliveryCursor = "d"
	feedCursor     = "f"
	auditCursor    = "u"
	bucketCursor   = "r"
)

// cursor names a place in a list of this database; it means nothing in another list or database.
func (r *Resolver) cursor(list string, n int64) string {
	return encodeCursor(list, r.Store.DatabaseID(), strconv.FormatInt(n, 10))
}

// position gives the place that a cursor names, or BAD_USER_INPUT for a cursor from elsewhere.
func (r *Resolver) position(list, cursor string) (int64, error) {
	return parseNumber(list, r.Store.DatabaseID(), cursor)
}

func encodeCursor(list, database, place string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(list + ":" + database + ":" + place))
}

// parseCursor takes exactly what encodeCursor gives.
func parseCursor(list, database, cursor string) (string, error) {
	if b, err := base64.RawURLEncoding.Strict().DecodeString(cursor); err == nil {
		if place, ok := strings.CutPrefix(string(b), list+":"+database+":"); ok && encodeCursor(list, database, place) == cursor {
			return place, nil
		}
	}
	return "", models.Invalid("after", "is not a cursor of this list: hand back one that it gave you, or leave it out to begin anew")
}

// parseNumber takes exactly what encodeCursor gives for a number.
func parseNumber(list, database, cursor string) (int64, error) {
	place, err := parseCursor(list, database, cursor)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(place, 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != place {
		return parseNumber(list, database, "")
	}
	return n, nil
}

// page says how many things to read from where; one more than asked for, to know whether there are more.
func (r *Resolver) page(list string, first *int, after *string) (limit int, before int64, err error) {
	if limit, err = pageSize(first); err != nil {
		return 0, 0, err
	}
	if after != nil {
		if before, err = r.position(list, *after); err != nil {
			return 0, 0, err
		}
	}
	return limit, before, nil
}

func pageSize(first *int) (int, error) {
	if first == nil {
		return 50, nil
	}
	if *first < 0 || *first > maxPage {
		return 0, models.Invalid("first", "is %d: ask for 0 to %d at a time", *first, maxPage)
	}
	return *first, nil
}

// alertPage makes a page of what was read: up to limit alerts, and one more when there are more.
func (r *Resolver) alertPage(ctx context.Context, alerts []*models.Alert, limit int, filter *models.AlertFilter) *AlertConnection {
	nodes, info := r.cut(alertCursor, len(alerts), limit, func(i int) int64 { return alerts[i].ID })
	page := &AlertConnection{Nodes: alerts[:nodes], Edges: make([]*AlertEdge, nodes), PageInfo: info, filter: filter}
	l := r.loads(ctx)
	for i, a := range page.Nodes {
		page.Edges[i] = &AlertEdge{Cursor: r.cursor(alertCursor, a.ID), Node: a}
		l.expectAbout(a)
	}
	return page
}

// deliveryPage makes a page of what was read: up to limit deliveries, and one more when there are more.
func (r *Resolver) deliveryPage(ctx context.Context, deliveries []*models.Delivery, limit int, filter *models.DeliveryFilter) *DeliveryConnection {
	nodes, info := r.cut(deliveryCursor, len(deliveries), limit, func(i int) int64 { return deliveries[i].ID })
	page := &DeliveryConnection{Nodes: deliveries[:nodes], Edges: make([]*DeliveryEdge, nodes), PageInfo: info, filter: filter}
	for i, d := range page.Nodes {
		page.Edges[i] = &DeliveryEdge{Cursor: r.cursor(deliveryCursor, d.ID), Node: d}
	}
	r.loads(ctx).expectOf(r, page.Nodes)
	return page
}

// auditPage makes a page of what was read: up to limit entries, and one more when there are more.
func (r *Resolver) auditPage(entries []*models.AuditEntry, limit int, filter *models.AuditFilter) *AuditConnection {
	nodes, info := r.cut(auditCursor, len(entries), limit, func(i int) int64 { return entries[i].ID })
	page := &AuditConnection{Nodes: entries[:nodes], Edges: make([]*AuditEdge, nodes), PageInfo: info, filter: filter}
	for i, e := range page.Nodes {
		page.Edges[i] = &AuditEdge{Cursor: r.cursor(auditCursor, e.ID), Node: e}
	}
	return page
}

// rustbucketPage makes a page of what was read: up to limit rustbuckets, and one more when there are more.
func (r *Resolver) rustbucketPage(ctx context.Context, rustbuckets []*models.Rustbucket, limit int, filter *models.RustbucketFilter) *RustbucketConnection {
	nodes := min(len(rustbuckets), limit)
	page := &RustbucketConnection{
		Nodes: rustbuckets[:nodes], Edges: make([]*RustbucketEdge, nodes), PageInfo: &PageInfo{HasNextPage: len(rustbuckets) > limit}, filter: filter,
	}
	l := r.loads(ctx)
	for i, b := range page.Nodes {
		page.Edges[i] = &RustbucketEdge{Cursor: encodeCursor(bucketCursor, r.Store.DatabaseID(), b.ID), Node: b}
		page.PageInfo.EndCursor = &page.Edges[i].Cursor
		l.expectRustbucket(b)
	}
	return page
}

// cut says how many of the things read are on the page, and where it ends.
func (r *Resolver) cut(list string, read, limit int, id func(int) int64) (int, *PageInfo) {
	info := &PageInfo{HasNextPage: read > limit}
	n := min(read, limit)
	if n > 0 {
		end := r.cursor(list, id(n-1))
		info.EndCursor = &end
	}
	return n, info
}

// ownAlerts narrows a filter to what the caller may see: a REPORTER sees what it created.
func ownAlerts(ctx context.Context, f *models.AlertFilter) *models.AlertFilter {
	v := access.ViewerFrom(ctx)
	if v == nil || v.Role != models.Reporter {
		return f
	}
	own := models.AlertFilter{}
	if f != nil {
		own = *f
	}
	own.CreatedBy = &v.TokenID
	return &own
}

// mayFilter refuses to tell a REPORTER, by what a filter finds, what it may not read of its alerts.
func mayFilter(ctx context.Context, f *models.AlertFilter) error {
	v := access.ViewerFrom(ctx)
	if f == nil || v == nil || v.Role != models.Reporter {
		return nil
	}
	refuse := func(field string) error {
		return &models.Error{Code: models.Forbidden, Field: "filter." + field, Message: "the token's role is REPORTER; to look for this needs VIEWER, ANALYST or ADMIN"}
	}
	switch {
	case f.Assignee != nil:
		return refuse("assignee")
	case f.IsSilenced != nil:
		return refuse("isSilenced")
	case f.SilenceID != nil:
		return refuse("silenceId")
	}
	return nil
}

// channelsToTest gives the channels of these ids, or all active ones when ids is nil.
func (r *Resolver) channelsToTest(ids []int64) ([]*models.Channel, error) {
	var channels []*models.Channel
	if ids == nil {
		for _, c := range r.Directory.All() {
			if c.IsActive {
				channels = append(channels, c)
			}
		}
		return channels, nil
	}
	for _, id := range ids {
		c := r.Directory.Get(id)
		if c == nil {
			return nil, models.Missing("channel", id)
		}
		channels = append(channels, c)
	}
	return channels, nil
}
