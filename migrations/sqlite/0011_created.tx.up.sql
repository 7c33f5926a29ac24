-- What was created in a span of time, for statistics and exports. A new row is the last in it, and no change of a row touches it: 5
-- microseconds for an alert and its delivery.
CREATE INDEX alerts_created ON alerts (created_at);
CREATE INDEX deliveries_created ON deliveries (created_at);
