-- Sending domains and their DKIM keys. Private keys are sealed with the service's secret.
CREATE TABLE domains (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER NOT NULL REFERENCES accounts,
  name TEXT NOT NULL,
  require_tls INTEGER NOT NULL,
  verified_at_ms INTEGER,
  vouched INTEGER NOT NULL DEFAULT 0,
  own_bounce_host INTEGER NOT NULL DEFAULT 0,
  checked_at_ms INTEGER,
  checks TEXT NOT NULL DEFAULT '[]',
  created_at_ms INTEGER NOT NULL,
  UNIQUE (account_id, name)
);

CREATE TABLE domain_keys (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER NOT NULL REFERENCES domains ON DELETE CASCADE,
  selector TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  public_key TEXT NOT NULL,
  sealed_private_key TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  seen_at_ms INTEGER,
  retired_at_ms INTEGER,
  UNIQUE (domain_id, selector)
);
