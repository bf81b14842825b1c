-- What was learnt of the destinations that mail goes to, and which process has what share of them, as JSON. A row is
-- written again and again: no index but the one by name, so that it stays on its page.
CREATE TABLE destinations (
  name text COLLATE "C" PRIMARY KEY,
  -- '' until something is known.
  state text NOT NULL,
  changed_at_ms bigint NOT NULL
) WITH (fillfactor = 50);
