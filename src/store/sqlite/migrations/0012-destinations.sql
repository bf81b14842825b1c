-- What was learnt of the destinations that mail goes to, as JSON.
CREATE TABLE destinations (name TEXT PRIMARY KEY, state TEXT NOT NULL, changed_at_ms INTEGER NOT NULL) WITHOUT ROWID;
