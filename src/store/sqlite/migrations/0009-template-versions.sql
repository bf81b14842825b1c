-- What templates were before: each save is a version, the newest is what stands in `templates`.
ALTER TABLE templates ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
CREATE TABLE template_versions (
  template_id INTEGER NOT NULL REFERENCES templates,
  version INTEGER NOT NULL,
  saved_at_ms INTEGER NOT NULL,
  author TEXT NOT NULL,
  name TEXT NOT NULL,
  from_address TEXT NOT NULL,
  from_name TEXT NOT NULL,
  subject TEXT NOT NULL,
  html TEXT,
  text TEXT,
  missing_variables TEXT NOT NULL,
  list_unsubscribe INTEGER,
  PRIMARY KEY (template_id, version)
);
INSERT INTO template_versions (template_id, version, saved_at_ms, author, name, from_address, from_name, subject,
  html, text, missing_variables, list_unsubscribe)
SELECT id, 1, updated_at_ms, '', name, from_address, from_name, subject, html, text, missing_variables, list_unsubscribe
FROM templates;

-- Null where the message was made of no template, or before versions were counted.
ALTER TABLE submissions ADD COLUMN template_version INTEGER;
