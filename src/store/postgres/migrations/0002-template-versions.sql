-- What templates were before: each save is a version, the newest is what stands in `templates`.
ALTER TABLE templates ADD COLUMN version bigint NOT NULL DEFAULT 1;
CREATE TABLE template_versions (
  template_id bigint NOT NULL REFERENCES templates,
  version bigint NOT NULL,
  saved_at_ms bigint NOT NULL,
  author text NOT NULL,
  name text COLLATE "C" NOT NULL,
  from_address text NOT NULL,
  from_name text NOT NULL,
  subject text NOT NULL,
  html text,
  text text,
  missing_variables text NOT NULL,
  list_unsubscribe integer,
  PRIMARY KEY (template_id, version)
);
INSERT INTO template_versions (template_id, version, saved_at_ms, author, name, from_address, from_name, subject,
  html, text, missing_variables, list_unsubscribe)
SELECT id, 1, updated_at_ms, '', name, from_address, from_name, subject, html, text, missing_variables, list_unsubscribe
FROM templates;

-- Null where the message was made of no template, or before versions were counted.
ALTER TABLE submissions ADD COLUMN template_version bigint;
