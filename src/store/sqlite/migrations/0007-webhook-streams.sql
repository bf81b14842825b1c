-- Webhooks that search for what a receiver cannot take, replay, sign with several keys and tell their owners of trouble.

-- The events that were numbered for the endpoint up to its cursor.
ALTER TABLE webhooks ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
-- JSON: the requests in flight and the search among them, read and written whole.
ALTER TABLE webhooks ADD COLUMN progress TEXT NOT NULL DEFAULT '{}';
UPDATE webhooks SET progress = json_object(
  'readId', coalesce(batch_last_id, cursor_id),
  'readNumber', coalesce(batch_events, 0),
  'inFlight', CASE WHEN batch_first_id IS NULL THEN json_array() ELSE json_array(json_object(
    'firstId', batch_first_id, 'lastId', batch_last_id, 'events', batch_events, 'firstNumber', 1)) END,
  'failures', coalesce(batch_failures, 0),
  'nextTryAtMs', coalesce(batch_next_try_at_ms, 0),
  'noticedMs', 0,
  'emptySearches', 0);
ALTER TABLE webhooks DROP COLUMN batch_first_id;
ALTER TABLE webhooks DROP COLUMN batch_last_id;
ALTER TABLE webhooks DROP COLUMN batch_events;
ALTER TABLE webhooks DROP COLUMN batch_failures;
ALTER TABLE webhooks DROP COLUMN batch_next_try_at_ms;

-- '' or why it is off: owner, gone (410), failing (for days).
ALTER TABLE webhooks ADD COLUMN paused_by TEXT NOT NULL DEFAULT '';
UPDATE webhooks SET paused_by = 'owner' WHERE paused <> 0;
ALTER TABLE webhooks DROP COLUMN paused;

-- JSON: signing keys, each sealed.
ALTER TABLE webhooks ADD COLUMN keys TEXT NOT NULL DEFAULT '[]';
UPDATE webhooks SET keys = json_array(json_object(
  'kind', 'v1', 'sealed', sealed_secret, 'publicKey', '', 'createdAtMs', created_at_ms));
ALTER TABLE webhooks DROP COLUMN sealed_secret;

ALTER TABLE webhooks ADD COLUMN sending TEXT NOT NULL
  DEFAULT '{"gzip":false,"requests":1,"partialAck":false,"signatures":["v1"],"digest":"off"}';
-- How it signs in at its receiver, sealed; '' if it does not.
ALTER TABLE webhooks ADD COLUMN sealed_access TEXT NOT NULL DEFAULT '';
-- When its owner was last told that events go before the endpoint has had them.
ALTER TABLE webhooks ADD COLUMN expiry_told_at_ms INTEGER;

-- What each settings version sent, for saying afterwards who had an event.
CREATE TABLE webhook_versions (
  webhook_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  dialect TEXT NOT NULL,
  types TEXT NOT NULL,
  options TEXT NOT NULL,
  PRIMARY KEY (webhook_id, version)
) WITHOUT ROWID;
INSERT INTO webhook_versions SELECT id, settings_version, dialect, types, options FROM webhooks;

ALTER TABLE webhook_attempts ADD COLUMN replay_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook_attempts ADD COLUMN settings_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE webhook_attempts ADD COLUMN first_number INTEGER NOT NULL DEFAULT 0;
-- JSON: the ids that a request was narrowed to, '' for all of its range.
ALTER TABLE webhook_attempts ADD COLUMN only_ids TEXT NOT NULL DEFAULT '';
ALTER TABLE webhook_attempts ADD COLUMN headers TEXT NOT NULL DEFAULT '[]';
ALTER TABLE webhook_attempts ADD COLUMN timings TEXT NOT NULL DEFAULT '{}';

-- What was taken, a row for a stretch of the log, never one an event.
CREATE TABLE webhook_ranges (
  id INTEGER PRIMARY KEY,
  webhook_id INTEGER NOT NULL,
  replay_id INTEGER NOT NULL,
  settings_version INTEGER NOT NULL,
  first_id INTEGER NOT NULL,
  last_id INTEGER NOT NULL,
  events INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  from_ms INTEGER NOT NULL,
  to_ms INTEGER NOT NULL,
  only_ids TEXT NOT NULL,
  except_ids TEXT NOT NULL
);
CREATE INDEX webhook_ranges_by_event ON webhook_ranges (webhook_id, last_id);

CREATE TABLE webhook_set_aside (
  webhook_id INTEGER NOT NULL,
  event_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  at_ms INTEGER NOT NULL,
  batch_id TEXT NOT NULL,
  status INTEGER NOT NULL,
  answer TEXT NOT NULL,
  -- A copy: the log may let go of its own.
  event TEXT NOT NULL,
  PRIMARY KEY (webhook_id, event_id)
) WITHOUT ROWID;

CREATE TABLE webhook_replays (
  id INTEGER PRIMARY KEY,
  webhook_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  -- JSON: which events.
  selection TEXT NOT NULL,
  state TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  finished_at_ms INTEGER,
  cursor_id INTEGER NOT NULL,
  number INTEGER NOT NULL DEFAULT 0,
  failing_since_ms INTEGER,
  last_accepted_at_ms INTEGER,
  progress TEXT NOT NULL
);
CREATE INDEX webhook_replays_by_webhook ON webhook_replays (webhook_id, id);

CREATE TABLE notices (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  webhook_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  at_ms INTEGER NOT NULL,
  text TEXT NOT NULL,
  mailed INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX notices_by_webhook ON notices (webhook_id, id);
CREATE INDEX notices_unmailed ON notices (id) WHERE mailed = 0;
