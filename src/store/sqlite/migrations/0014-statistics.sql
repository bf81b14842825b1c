-- The log, counted (docs/statistics.md).

-- How far an account's log is counted, and where its oldest slot is.
CREATE TABLE statistics_cursors (
  account_id INTEGER PRIMARY KEY,
  event_id INTEGER NOT NULL,
  -- Null while it has no slot.
  oldest_slot_ms INTEGER
);
CREATE INDEX statistics_cursors_by_slot ON statistics_cursors (oldest_slot_ms);

CREATE TABLE statistics (
  account_id INTEGER NOT NULL,
  -- all; domain and rest, which are all again; tag and other-tags.
  scope TEXT NOT NULL,
  slot_ms INTEGER NOT NULL,
  -- The domain, the provider of a rest, the tag.
  name TEXT NOT NULL,
  provider TEXT NOT NULL,
  -- The events that are counted lie between these two, among others.
  first_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL,
  accepted INTEGER NOT NULL,
  skipped INTEGER NOT NULL,
  deferred INTEGER NOT NULL,
  delivered INTEGER NOT NULL,
  bounced INTEGER NOT NULL,
  bounced_at_fault INTEGER NOT NULL,
  bounced_late INTEGER NOT NULL,
  opened_human INTEGER NOT NULL,
  opened_proxy INTEGER NOT NULL,
  opened_machine INTEGER NOT NULL,
  opened_first INTEGER NOT NULL,
  opened_first_seen INTEGER NOT NULL,
  opened_first_human INTEGER NOT NULL,
  clicked_human INTEGER NOT NULL,
  clicked_proxy INTEGER NOT NULL,
  clicked_machine INTEGER NOT NULL,
  clicked_first INTEGER NOT NULL,
  clicked_first_seen INTEGER NOT NULL,
  clicked_first_human INTEGER NOT NULL,
  unsubscribed INTEGER NOT NULL,
  complained INTEGER NOT NULL,
  PRIMARY KEY (account_id, scope, slot_ms, name)
) WITHOUT ROWID;

-- Whose servers take a domain's mail, of domains where that is known.
CREATE TABLE domain_providers (
  domain TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  seen_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX domain_providers_by_time ON domain_providers (seen_at_ms);
