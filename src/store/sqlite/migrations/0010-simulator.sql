-- What the simulated world remembers.

CREATE TABLE received_requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  -- JSON: an object.
  headers TEXT NOT NULL,
  body TEXT NOT NULL
);
CREATE INDEX received_requests_by_account ON received_requests (account_id, id);

CREATE TABLE soft_bounces (id INTEGER PRIMARY KEY AUTOINCREMENT, envelope TEXT NOT NULL UNIQUE);
