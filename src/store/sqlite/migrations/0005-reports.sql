-- Reports from outside that changed nothing, for people to look at; which reports suppress, by account.

CREATE TABLE reports (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  -- By the token, or by what the report says; null if nobody knows.
  account_id INTEGER,
  -- By a token of ours alone.
  message_id INTEGER,
  at_ms INTEGER NOT NULL,
  kind TEXT NOT NULL,
  action TEXT NOT NULL,
  recipient TEXT NOT NULL,
  feedback_type TEXT NOT NULL,
  code TEXT NOT NULL,
  enhanced_code TEXT NOT NULL,
  response TEXT NOT NULL,
  category TEXT NOT NULL,
  reporter TEXT NOT NULL,
  subject TEXT NOT NULL
);
CREATE INDEX reports_by_account ON reports (account_id, id);
CREATE INDEX reports_by_message ON reports (message_id, id);

-- An account that has no row here suppresses for all three.
CREATE TABLE suppression_settings (
  account_id INTEGER PRIMARY KEY REFERENCES accounts,
  bounces INTEGER NOT NULL,
  complaints INTEGER NOT NULL,
  unsubscribes INTEGER NOT NULL
);

-- An export and every list of an account go by id.
CREATE INDEX suppressions_by_account ON suppressions (account_id, id);
