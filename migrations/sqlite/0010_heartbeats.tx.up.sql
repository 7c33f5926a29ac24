-- When rustbuckets were last heard of, and by when each is to be heard of again.
CREATE TABLE heartbeats (
    rustbucket_id    text PRIMARY KEY REFERENCES rustbuckets (id),
    interval_seconds integer,                      -- none = no heartbeat is expected
    severity         integer NOT NULL,             -- of the alert that a missed one raises
    last_seen_at     timestamp,
    due_at           timestamp                     -- the next one; none = none is expected, or it was missed
);
CREATE INDEX heartbeats_due ON heartbeats (due_at) WHERE due_at IS NOT NULL;

-- When somebody last looked for missed heartbeats.
CREATE TABLE heartbeat_sweeps (
    id       integer PRIMARY KEY CHECK (id = 1),
    swept_at timestamp NOT NULL
);
INSERT INTO heartbeat_sweeps (id, swept_at) VALUES (1, '2000-01-01 00:00:00+00:00');
