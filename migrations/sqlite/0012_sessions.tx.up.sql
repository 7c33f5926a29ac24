-- Sessions of browsers that were ended before their time, by the SHA-256 of the cookie.
CREATE TABLE ended_sessions (
    id    blob PRIMARY KEY,
    until timestamp NOT NULL
);
