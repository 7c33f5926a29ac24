-- When rustbuckets were last heard of, and by when each is to be heard of again. A table of its own: who creates an alert locks
-- the row of its rustbucket, and would wait for whoever stores heartbeats.
CREATE TABLE heartbeats (
    rustbucket_id    text PRIMARY KEY REFERENCES rustbuckets (id),
    interval_seconds integer,                      -- none = no heartbeat is expected
    severity         smallint NOT NULL,            -- of the alert that a missed one raises
    last_seen_at     timestamptz,
    due_at           timestamptz                   -- the next one; none = none is expected, or it was missed
);
CREATE INDEX heartbeats_due ON heartbeats (due_at) WHERE due_at IS NOT NULL;

-- When somebody last looked for missed heartbeats.
CREATE TABLE heartbeat_sweeps (
    id       integer PRIMARY KEY CHECK (id = 1),
    swept_at timestamptz NOT NULL
);
INSERT INTO heartbeat_sweeps (id, swept_at) VALUES (1, '2000-01-01 00:00:00+00');

-- Rustbuckets are listed by their ids in the same order on every database.
CREATE INDEX rustbuckets_listed ON rustbuckets (id COLLATE "C");
