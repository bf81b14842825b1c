-- What mail does when it does not say so itself, by sending domain and by stream; the accounts' tracking names; who is
-- taken to have opened or clicked.

UPDATE accounts SET settings = json_set(settings, '$.trackText', json('false'));

CREATE TABLE mail_settings (
  account_id INTEGER NOT NULL REFERENCES accounts,
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  -- JSON: only what is set.
  settings TEXT NOT NULL,
  PRIMARY KEY (account_id, scope, name)
) WITHOUT ROWID;

CREATE TABLE tracking_hosts (
  host TEXT PRIMARY KEY,
  account_id INTEGER NOT NULL UNIQUE REFERENCES accounts
) WITHOUT ROWID;

ALTER TABLE submissions ADD COLUMN track_text INTEGER NOT NULL DEFAULT 0;
ALTER TABLE submissions ADD COLUMN tracking_host TEXT NOT NULL DEFAULT '';
ALTER TABLE events ADD COLUMN visitor TEXT NOT NULL DEFAULT '';
-- Null takes the stream's or the account's setting.
ALTER TABLE templates ADD COLUMN list_unsubscribe INTEGER;
