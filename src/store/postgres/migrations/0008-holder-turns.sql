-- Beside: 0007
-- Each time that an endpoint gets a holder has a number, so that what one has sent before another came, and saves after
-- it has come again, is told from what it sends now.
CREATE SEQUENCE holder_turns AS bigint;
ALTER TABLE webhook_holders ADD COLUMN turn bigint NOT NULL DEFAULT nextval('holder_turns');
