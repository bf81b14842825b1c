-- Who users are at an OpenID provider.
CREATE TABLE user_identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id INTEGER NOT NULL REFERENCES users,
  PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX user_identities_by_user ON user_identities (user_id);
CREATE INDEX invitations_by_email ON invitations (email);
