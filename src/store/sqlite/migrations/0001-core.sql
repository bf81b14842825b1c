-- Accounts, submissions, the queue, the event log, suppressions. Times are milliseconds since the epoch.

CREATE TABLE sequences (name TEXT PRIMARY KEY, last INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE accounts (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  time_zone TEXT NOT NULL,
  settings TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL
);

CREATE TABLE tokens (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts,
  name TEXT NOT NULL,
  hash TEXT NOT NULL UNIQUE,
  created_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
);
CREATE INDEX tokens_by_account ON tokens (account_id, id);

CREATE TABLE smtp_logins (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES accounts,
  username TEXT NOT NULL UNIQUE,
  hash TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  revoked_at_ms INTEGER
);
CREATE INDEX smtp_logins_by_account ON smtp_logins (account_id, id);

-- What came through a door in one piece; its recipients are messages.
CREATE TABLE submissions (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  door TEXT NOT NULL,
  envelope_sender TEXT NOT NULL,
  sender TEXT NOT NULL,
  sender_name TEXT NOT NULL,
  subject TEXT NOT NULL,
  internet_message_id TEXT NOT NULL,
  tags TEXT NOT NULL,
  metadata TEXT NOT NULL,
  stream TEXT NOT NULL,
  essential INTEGER NOT NULL,
  track_opens INTEGER NOT NULL,
  track_clicks INTEGER NOT NULL,
  list_unsubscribe INTEGER NOT NULL,
  template_id INTEGER,
  size_bytes INTEGER NOT NULL,
  created_at_ms INTEGER NOT NULL
);

-- Apart from submissions, so that looking through those does not page through megabytes.
CREATE TABLE bodies (submission_id INTEGER PRIMARY KEY, raw BLOB NOT NULL);

CREATE TABLE messages (
  id INTEGER PRIMARY KEY,
  submission_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  role TEXT NOT NULL,
  state TEXT NOT NULL,
  -- The number of its last event.
  last_number INTEGER NOT NULL,
  -- Whether the recipient's server has refused it once, and whether it was opened, clicked, complained of.
  refused INTEGER NOT NULL DEFAULT 0,
  opened INTEGER NOT NULL DEFAULT 0,
  clicked INTEGER NOT NULL DEFAULT 0,
  complained INTEGER NOT NULL DEFAULT 0,
  created_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER
);
CREATE INDEX messages_by_account ON messages (account_id, id);
CREATE INDEX messages_by_recipient ON messages (account_id, recipient, id);
CREATE INDEX messages_by_submission ON messages (submission_id);

CREATE TABLE message_tags (
  account_id INTEGER NOT NULL,
  tag TEXT NOT NULL,
  message_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, tag, message_id)
) WITHOUT ROWID;
CREATE INDEX message_tags_by_message ON message_tags (message_id);

-- A lease is the due time moved to the lease's end, with a number that settling must name.
CREATE TABLE queue (
  message_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  due_at_ms INTEGER NOT NULL,
  attempts_made INTEGER NOT NULL,
  lease INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX queue_by_account ON queue (account_id, due_at_ms);

CREATE TABLE attempts (
  message_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  started_at_ms INTEGER NOT NULL,
  duration_ms INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  host TEXT NOT NULL,
  address TEXT NOT NULL,
  source_address TEXT NOT NULL,
  tls TEXT NOT NULL,
  code TEXT NOT NULL,
  enhanced_code TEXT NOT NULL,
  response TEXT NOT NULL,
  category TEXT NOT NULL,
  dialogue TEXT NOT NULL,
  PRIMARY KEY (message_id, number)
);

-- Append-only. The message's facts are copied in, so that the log outlives messages.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  message_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  type TEXT NOT NULL,
  time_ms INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  sender TEXT NOT NULL,
  subject TEXT NOT NULL,
  code TEXT NOT NULL,
  enhanced_code TEXT NOT NULL,
  response TEXT NOT NULL,
  url TEXT NOT NULL,
  first_refusal INTEGER NOT NULL,
  tags TEXT NOT NULL,
  metadata TEXT NOT NULL,
  detail TEXT NOT NULL
);
-- The type stands in the index, so that passing over unwanted events reads no rows.
CREATE INDEX events_by_account ON events (account_id, id, type);
CREATE UNIQUE INDEX events_by_message ON events (message_id, number);

CREATE TABLE suppressions (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  recipient TEXT NOT NULL,
  stream TEXT NOT NULL,
  reason TEXT NOT NULL,
  event_id INTEGER,
  created_at_ms INTEGER NOT NULL
);
CREATE UNIQUE INDEX suppressions_by_recipient ON suppressions (account_id, recipient, stream);

CREATE TABLE idempotency_keys (
  account_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  submission_id INTEGER NOT NULL,
  first_message_id INTEGER NOT NULL,
  message_count INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  PRIMARY KEY (account_id, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (expires_at_ms);
