-- Who users are at an OpenID provider.
CREATE TABLE user_identities (
  issuer text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  user_id bigint NOT NULL REFERENCES users,
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX user_identities_by_user ON user_identities (user_id);
CREATE INDEX invitations_by_email ON invitations (email);
