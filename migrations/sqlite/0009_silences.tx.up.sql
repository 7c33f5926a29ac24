-- Times in which nobody is told of alerts of some kind. They stay when they are over: alerts name the one that held for them.
CREATE TABLE silences (
    id             integer PRIMARY KEY AUTOINCREMENT,
    types          json NOT NULL,                -- an empty list means all, as in the next two
    severities     json NOT NULL,
    rustbucket_ids json NOT NULL,
    reason         text NOT NULL,
    starts_at      timestamp NOT NULL,
    ends_at        timestamp NOT NULL,
    ended_at       timestamp,                    -- somebody ended it before its time
    created_at     timestamp NOT NULL,
    created_by     text NOT NULL                 -- name of the token
);
CREATE INDEX silences_to_come ON silences (ends_at) WHERE ended_at IS NULL;

-- Goes up with every change of the silences and of the pause. Whoever has routed an alert by an older state of them sees that
-- when it is stored, and routes it again.
CREATE TABLE routing (
    id       integer PRIMARY KEY CHECK (id = 1),
    revision integer NOT NULL
);
INSERT INTO routing (id, revision) VALUES (1, 1);

ALTER TABLE alerts ADD COLUMN silence_id integer; -- the silence that held for it when it came in
CREATE INDEX alerts_silenced ON alerts (silence_id, id) WHERE silence_id IS NOT NULL;
