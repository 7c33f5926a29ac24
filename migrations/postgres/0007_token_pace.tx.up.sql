-- How many alerts a token may create in a minute; none = no limit.
ALTER TABLE tokens ADD COLUMN alerts_per_minute integer;
