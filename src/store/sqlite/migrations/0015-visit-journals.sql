-- How far the visits of a process's journal are told: the greatest numbers of an open and of a click.
CREATE TABLE visit_journals (
  journal TEXT PRIMARY KEY,
  opened INTEGER NOT NULL,
  clicked INTEGER NOT NULL,
  told_at_ms INTEGER NOT NULL
) WITHOUT ROWID;
