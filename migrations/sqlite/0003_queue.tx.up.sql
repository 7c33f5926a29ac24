-- A claim reads just the deliveries that it takes, however many wait: one index in the order of the claim, and one with the
-- worst alerts first for channels with a rate limit. Both leave out what is leased, so a delivery that is sent at once, as
-- most are, never enters them.
DROP INDEX deliveries_due;
ALTER TABLE deliveries ADD COLUMN severity integer NOT NULL DEFAULT 0;  -- of its alert
UPDATE deliveries SET severity = (SELECT a.severity FROM alerts AS a WHERE a.id = deliveries.alert_id) WHERE status <> 'DELIVERED';
CREATE INDEX deliveries_waiting ON deliveries (channel_id, next_attempt_at, id) WHERE status = 'PENDING' AND leased_by IS NULL;
CREATE INDEX deliveries_worst ON deliveries (channel_id, severity DESC, id) WHERE status = 'PENDING' AND leased_by IS NULL;

-- Who holds leases, and on what.
CREATE INDEX deliveries_leased ON deliveries (leased_by) WHERE status = 'PENDING' AND leased_by IS NOT NULL;

-- What was told about an alert on a channel before.
DROP INDEX deliveries_alert;
CREATE INDEX deliveries_alert ON deliveries (alert_id, channel_id, id);
