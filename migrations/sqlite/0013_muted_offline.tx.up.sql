-- Rustbuckets that went offline during a silence, as long as they are: looked for every second, for when the silence is over. A new
-- alert costs no more than a look at its type.
CREATE INDEX alerts_muted_offline ON alerts (id)
    WHERE type = 'rustbucket_offline' AND created_by = -1 AND silence_id IS NOT NULL AND resolved_at IS NULL;
