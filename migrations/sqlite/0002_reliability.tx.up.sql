-- The processes at work on this database. One whose time has run out is dead: what it held is taken over.
CREATE TABLE processes (
    id          text PRIMARY KEY,
    alive_until timestamp NOT NULL
);

-- Notifications of all channels are paused while there is a row whose time has not run out.
CREATE TABLE pauses (
    id         integer PRIMARY KEY CHECK (id = 1),
    since      timestamp NOT NULL,
    until      timestamp,                      -- none = until somebody ends it
    reason     text NOT NULL,
    afterwards text NOT NULL,                    -- TELL or DROP
    started_by text NOT NULL                     -- name of the token
);

ALTER TABLE channels ADD COLUMN notify_on_resolve boolean NOT NULL DEFAULT false;
ALTER TABLE channels ADD COLUMN rate_per_minute integer;  -- none = no limit
ALTER TABLE channels ADD COLUMN rate_burst integer;
UPDATE channels SET notify_on_resolve = true WHERE type IN ('PAGERDUTY', 'OPSGENIE');
UPDATE channels SET rate_per_minute = 60, rate_burst = 10 WHERE type = 'SLACK';
UPDATE channels SET rate_per_minute = 30, rate_burst = 5 WHERE type = 'DISCORD';

-- How each channel fares, and from when on it may be told again.
CREATE TABLE channel_states (
    channel_id      integer PRIMARY KEY REFERENCES channels (id),
    health          text NOT NULL,
    since           timestamp NOT NULL,
    failures        integer NOT NULL,            -- in a row
    failed_probes   integer NOT NULL,
    probe_at        timestamp,                 -- set while PAUSED or BROKEN
    last_error      text,
    last_error_at   timestamp,
    last_success_at timestamp,
    hold_until      timestamp,                 -- the service asked for time
    rate_arrival    timestamp,                 -- where the rate limit stands
    announced       boolean NOT NULL,            -- an alert about this outage was raised
    paused_told_at  timestamp,
    failed_told_at  timestamp
);
INSERT INTO channel_states (channel_id, health, since, failures, failed_probes, announced)
SELECT id, 'OK', created_at, 0, 0, false FROM channels;

ALTER TABLE alerts ADD COLUMN pause_reason text;
ALTER TABLE alerts ADD COLUMN trace_parent text;

ALTER TABLE deliveries ADD COLUMN kind text NOT NULL DEFAULT 'ALERT';
ALTER TABLE deliveries ADD COLUMN series_began_at timestamp NOT NULL DEFAULT '1970-01-01 00:00:00+00:00';
ALTER TABLE deliveries ADD COLUMN digest_size integer;
-- Somebody wants a delivery cancelled that is being sent: it is, unless the attempt succeeds.
ALTER TABLE deliveries ADD COLUMN cancel_reason text;
-- A lease lasts as long as its process lives, see processes.
ALTER TABLE deliveries DROP COLUMN lease_until;
UPDATE deliveries SET series_began_at = created_at, leased_by = NULL;

ALTER TABLE attempts ADD COLUMN digest_size integer;
