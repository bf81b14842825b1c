-- Webhook endpoints with their cursors, and the last requests of each.

CREATE TABLE webhooks (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts,
  origin TEXT NOT NULL,
  url TEXT NOT NULL,
  dialect TEXT NOT NULL,
  types TEXT NOT NULL,
  options TEXT NOT NULL,
  limit_count INTEGER NOT NULL,
  limit_age_ms INTEGER NOT NULL,
  limit_bytes INTEGER NOT NULL,
  sealed_secret TEXT NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  settings_version INTEGER NOT NULL DEFAULT 1,
  -- The account's last event when these settings came into force: up to here older settings may speak for.
  settings_since_id INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL,
  changed_at_ms INTEGER NOT NULL,
  -- Progress.
  cursor_id INTEGER NOT NULL,
  failing_since_ms INTEGER,
  last_accepted_at_ms INTEGER,
  accepted_count INTEGER NOT NULL DEFAULT 0,
  failed_count INTEGER NOT NULL DEFAULT 0,
  -- The batch in flight; all null when there is none.
  batch_first_id INTEGER,
  batch_last_id INTEGER,
  batch_events INTEGER,
  batch_failures INTEGER,
  batch_next_try_at_ms INTEGER
);
CREATE INDEX webhooks_by_account ON webhooks (account_id, id);
CREATE UNIQUE INDEX webhooks_single ON webhooks (account_id) WHERE origin = 'msndr';

-- A ring for each outcome: the place is the count of such requests modulo the ring's size, so that the newest
-- overwrites the oldest and nothing has to be cleaned up.
CREATE TABLE webhook_attempts (
  webhook_id INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  place INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  batch_id TEXT NOT NULL,
  first_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL,
  events INTEGER NOT NULL,
  status INTEGER NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (webhook_id, accepted, place)
) WITHOUT ROWID;
