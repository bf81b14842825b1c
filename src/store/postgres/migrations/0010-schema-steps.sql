-- Beside: 0009
-- What a process has to know that starts beside a newer version (migrate.ts).
ALTER TABLE schema_steps ADD COLUMN beside integer NOT NULL DEFAULT 0;
