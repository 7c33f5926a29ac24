-- Who changed what. Nothing in it is ever changed or removed.
CREATE TABLE audit (
    id           integer PRIMARY KEY AUTOINCREMENT,
    at           timestamp NOT NULL,
    by           text NOT NULL,
    token_id     integer,
    address      text,
    action       text NOT NULL,
    subject_id   integer,
    subject_name text,
    changes      json
);
CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END;
