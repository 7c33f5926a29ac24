-- What is one of a kind: the database's own id (cursors carry it, so that one from elsewhere is recognised).
CREATE TABLE meta (
    id          integer PRIMARY KEY CHECK (id = 1),
    database_id text NOT NULL
);

CREATE TABLE tokens (
    id           integer PRIMARY KEY AUTOINCREMENT,
    name         text NOT NULL,
    role         text NOT NULL,
    hash         blob NOT NULL UNIQUE,          -- SHA-256 of the token; the token itself is never stored
    created_at   timestamp NOT NULL,
    expires_at   timestamp,
    revoked_at   timestamp,
    last_used_at timestamp
);
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;

CREATE TABLE channels (
    id           integer PRIMARY KEY AUTOINCREMENT,
    name         text NOT NULL,
    type         text NOT NULL,
    config       blob NOT NULL,                 -- JSON, sealed with the channel's id as associated data
    min_severity integer NOT NULL,
    alert_types  text NOT NULL,
    is_active    boolean NOT NULL,
    created_at   timestamp NOT NULL,
    updated_at   timestamp NOT NULL,
    deleted_at   timestamp                     -- marked, not removed: its deliveries keep their story
);
CREATE UNIQUE INDEX channels_name ON channels (name) WHERE deleted_at IS NULL;

CREATE TABLE rustbuckets (
    id         text PRIMARY KEY,
    name       text NOT NULL,
    created_at timestamp NOT NULL
);

CREATE TABLE alerts (
    id            integer PRIMARY KEY AUTOINCREMENT,
    type          text NOT NULL,
    severity      integer NOT NULL,
    message       text NOT NULL,
    details       text,
    rustbucket_id text REFERENCES rustbuckets (id),
    dedup_key     text,
    occurrences   integer NOT NULL,
    notify        boolean NOT NULL,
    created_at    timestamp NOT NULL,
    resolved_at   timestamp,
    created_by    integer NOT NULL,
    decisions     text NOT NULL                  -- {"MATCHED": [channel ids], ...}
);
CREATE UNIQUE INDEX alerts_open_dedup_key ON alerts (dedup_key) WHERE dedup_key IS NOT NULL AND resolved_at IS NULL;
CREATE INDEX alerts_rustbucket ON alerts (rustbucket_id, id) WHERE rustbucket_id IS NOT NULL;

-- A row is the queue entry and the log that users see.
CREATE TABLE deliveries (
    id              integer PRIMARY KEY AUTOINCREMENT,
    alert_id        integer NOT NULL REFERENCES alerts (id),
    channel_id      integer NOT NULL REFERENCES channels (id),
    status          text NOT NULL,
    attempts        integer NOT NULL,
    series_start    integer NOT NULL,            -- attempts made before the present series of retries
    next_attempt_at timestamp,                 -- set while PENDING
    leased_by       text,                        -- the process that is sending it
    lease_until     timestamp,
    error           text,
    created_at      timestamp NOT NULL,
    completed_at    timestamp
);
CREATE INDEX deliveries_alert ON deliveries (alert_id);
CREATE INDEX deliveries_channel ON deliveries (channel_id, id);
CREATE INDEX deliveries_due ON deliveries (channel_id, next_attempt_at) WHERE status = 'PENDING';

CREATE TABLE attempts (
    delivery_id integer NOT NULL REFERENCES deliveries (id),
    number      integer NOT NULL,
    started_at  timestamp NOT NULL,
    duration_us integer NOT NULL,
    status_code integer,
    error       text,
    response    text,
    PRIMARY KEY (delivery_id, number)
);

-- The events of one transaction in one row. There is one writer, so that positions can be given in the transaction itself.
CREATE TABLE events (
    id             integer PRIMARY KEY AUTOINCREMENT,
    first_position integer NOT NULL UNIQUE,       -- of the first event in payload; the others follow without gaps
    count          integer NOT NULL,
    created_at     timestamp NOT NULL,
    payload        text NOT NULL
);

CREATE TABLE feed_head (
    id       integer PRIMARY KEY CHECK (id = 1),
    position integer NOT NULL,                    -- of the newest event
    trimmed  integer NOT NULL                     -- of the newest event that retention removed
);
INSERT INTO feed_head (id, position, trimmed) VALUES (1, 0, 0);
