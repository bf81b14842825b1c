-- '' where `raw` is the body; otherwise `raw` is empty and the body an object of this key.
ALTER TABLE bodies ADD COLUMN object_key text COLLATE "C" NOT NULL DEFAULT '';
