-- What was created in a span of time, for statistics and exports. Rows are stored nearly in the order of their creation, so that
-- the first and last moment of each megabyte are enough: half a microsecond for a row, where a B-tree takes twice that, and again for
-- each change of it.
CREATE INDEX alerts_created ON alerts USING brin (created_at) WITH (autosummarize = on);
CREATE INDEX deliveries_created ON deliveries USING brin (created_at) WITH (autosummarize = on);
