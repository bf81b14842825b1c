-- The log, counted (docs/statistics.md).

-- How far an account's log is counted, and where its oldest slot is.
CREATE TABLE statistics_cursors (
  account_id bigint PRIMARY KEY,
  event_id bigint NOT NULL,
  -- Null while it has no slot.
  oldest_slot_ms bigint
);
CREATE INDEX statistics_cursors_by_slot ON statistics_cursors (oldest_slot_ms);

CREATE TABLE statistics (
  account_id bigint NOT NULL,
  -- all; domain and rest, which are all again; tag and other-tags.
  scope text COLLATE "C" NOT NULL,
  slot_ms bigint NOT NULL,
  -- The domain, the provider of a rest, the tag.
  name text COLLATE "C" NOT NULL,
  provider text COLLATE "C" NOT NULL,
  -- The events that are counted lie between these two, among others.
  first_id bigint NOT NULL,
  last_id bigint NOT NULL,
  accepted bigint NOT NULL,
  skipped bigint NOT NULL,
  deferred bigint NOT NULL,
  delivered bigint NOT NULL,
  bounced bigint NOT NULL,
  bounced_at_fault bigint NOT NULL,
  bounced_late bigint NOT NULL,
  opened_human bigint NOT NULL,
  opened_proxy bigint NOT NULL,
  opened_machine bigint NOT NULL,
  opened_first bigint NOT NULL,
  opened_first_seen bigint NOT NULL,
  opened_first_human bigint NOT NULL,
  clicked_human bigint NOT NULL,
  clicked_proxy bigint NOT NULL,
  clicked_machine bigint NOT NULL,
  clicked_first bigint NOT NULL,
  clicked_first_seen bigint NOT NULL,
  clicked_first_human bigint NOT NULL,
  unsubscribed bigint NOT NULL,
  complained bigint NOT NULL,
  PRIMARY KEY (account_id, scope, slot_ms, name)
);

-- Whose servers take a domain's mail, of domains where that is known.
CREATE TABLE domain_providers (
  domain text COLLATE "C" PRIMARY KEY,
  provider text COLLATE "C" NOT NULL,
  seen_at_ms bigint NOT NULL
);
CREATE INDEX domain_providers_by_time ON domain_providers (seen_at_ms);

-- Which process counts, one row at most.
CREATE TABLE statistics_turn (
  id bigint PRIMARY KEY,
  holder text COLLATE "C" NOT NULL,
  until_ms bigint NOT NULL
);
