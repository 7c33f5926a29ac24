-- What was taken over from another system, so that it is known when its file comes again, whatever became of it here. A key is
-- unique in one old database only: with the moment of creation, which it keeps, it tells two of them apart.
CREATE TABLE imports (
    model       text NOT NULL,                   -- notificationchannel or alert
    pk          text NOT NULL,
    created_at  timestamptz NOT NULL,            -- there
    target_id   bigint NOT NULL,                 -- of the channel or alert here, which may be gone
    imported_at timestamptz NOT NULL,
    PRIMARY KEY (model, pk, created_at)
);
