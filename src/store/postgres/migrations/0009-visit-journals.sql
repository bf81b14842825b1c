-- Beside: 0008
-- How far the visits of a process's journal are told: the greatest numbers of an open and of a click.
CREATE TABLE visit_journals (
  journal text COLLATE "C" PRIMARY KEY,
  opened bigint NOT NULL,
  clicked bigint NOT NULL,
  told_at_ms bigint NOT NULL
) WITH (fillfactor = 50);
