-- What became of each recipient of a mail: [{"address": "a@example.com", "status": "DELIVERED"}, ...]; none for other types, and before the
-- first attempt.
ALTER TABLE deliveries ADD COLUMN recipients text;
