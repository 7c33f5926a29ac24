-- The life of an alert: who is on it, and what people did with it.
ALTER TABLE alerts ADD COLUMN acknowledged_at timestamp;
ALTER TABLE alerts ADD COLUMN acknowledged_by text;
ALTER TABLE alerts ADD COLUMN assignee text;
ALTER TABLE alerts ADD COLUMN resolved_by text;

CREATE TABLE alert_events (
    id       integer PRIMARY KEY AUTOINCREMENT,
    alert_id integer NOT NULL REFERENCES alerts (id),
    at       timestamp NOT NULL,
    by       text NOT NULL,                      -- name of the token, or server
    kind     text NOT NULL,
    text     text,                               -- the note or comment
    assignee text                                -- of ASSIGNED; none = nobody
);
CREATE INDEX alert_events_alert ON alert_events (alert_id, id);

-- Alerts that somebody deleted, as they were, for as long as the feed has events about them.
CREATE TABLE deleted_alerts (
    id         integer PRIMARY KEY,
    deleted_at timestamp NOT NULL,
    alert      text NOT NULL
);
CREATE INDEX deleted_alerts_at ON deleted_alerts (deleted_at);

ALTER TABLE channels ADD COLUMN notify_on_acknowledge boolean NOT NULL DEFAULT false;
UPDATE channels SET notify_on_acknowledge = true WHERE type IN ('PAGERDUTY', 'OPSGENIE');
