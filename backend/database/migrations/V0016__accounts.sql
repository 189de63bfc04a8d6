-- Who may use what: accounts, their sessions and API keys. In a schema of their own, which analysts have no right to look into.

CREATE SCHEMA secret;
COMMENT ON SCHEMA secret IS 'Accounts, and what proves who somebody is: digests only, from which no password and no token can be read.';

CREATE TABLE secret.account (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz,
    username text NOT NULL UNIQUE CHECK (username ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    role text NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'administrator')),
    email text CHECK (email LIKE '_%@_%' AND length(email) <= 254),
    time_zone text NOT NULL DEFAULT 'UTC',
    password_hash text NOT NULL
);
COMMENT ON TABLE secret.account IS 'People who may log in.';
COMMENT ON COLUMN secret.account.id IS 'Key.';
COMMENT ON COLUMN secret.account.created_at IS 'When it was made.';
COMMENT ON COLUMN secret.account.disabled_at IS 'Since when it may not log in any more; null where it may.';
COMMENT ON COLUMN secret.account.username IS 'The name to log in with, lower-case.';
COMMENT ON COLUMN secret.account.role IS 'user or administrator.';
COMMENT ON COLUMN secret.account.email IS 'Where mail goes; null for nowhere.';
COMMENT ON COLUMN secret.account.time_zone IS 'On whose clocks their days are: Europe/Berlin.';
COMMENT ON COLUMN secret.account.password_hash IS 'Argon2id of the password, with its salt and cost.';

CREATE TABLE secret.session (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES secret.account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    refresh_hash bytea NOT NULL UNIQUE
);
CREATE INDEX session_account ON secret.session (account_id);
COMMENT ON TABLE secret.session IS 'From a log-in to its log-out.';
COMMENT ON COLUMN secret.session.id IS 'Key.';
COMMENT ON COLUMN secret.session.account_id IS 'Who logged in.';
COMMENT ON COLUMN secret.session.created_at IS 'When.';
COMMENT ON COLUMN secret.session.expires_at IS 'Until when its refresh token serves.';
COMMENT ON COLUMN secret.session.refresh_hash IS 'SHA-256 of its refresh token.';

CREATE TABLE secret.access_token (
    token_hash bytea PRIMARY KEY,
    session_id bigint NOT NULL REFERENCES secret.session ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX access_token_session ON secret.access_token (session_id);
COMMENT ON TABLE secret.access_token IS 'What requests of a session bear, for minutes.';
COMMENT ON COLUMN secret.access_token.token_hash IS 'SHA-256 of it.';
COMMENT ON COLUMN secret.access_token.session_id IS 'Whose it is.';
COMMENT ON COLUMN secret.access_token.expires_at IS 'Until when it serves.';

CREATE TABLE secret.api_key (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES secret.account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_used_at timestamptz,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    scope text NOT NULL CHECK (scope IN ('read', 'write')),
    hint text NOT NULL,
    key_hash bytea NOT NULL UNIQUE
);
CREATE INDEX api_key_account ON secret.api_key (account_id);
COMMENT ON TABLE secret.api_key IS 'What scripts bear.';
COMMENT ON COLUMN secret.api_key.id IS 'Key.';
COMMENT ON COLUMN secret.api_key.account_id IS 'For whom they ask.';
COMMENT ON COLUMN secret.api_key.created_at IS 'When it was made.';
COMMENT ON COLUMN secret.api_key.expires_at IS 'Until when it serves; null for as long as it is there.';
COMMENT ON COLUMN secret.api_key.last_used_at IS 'When it was last used, to about a minute.';
COMMENT ON COLUMN secret.api_key.name IS 'What its owner calls it.';
COMMENT ON COLUMN secret.api_key.scope IS 'read: may look; write: may change, too.';
COMMENT ON COLUMN secret.api_key.hint IS 'Its last four characters, by which its owner tells it from others.';
COMMENT ON COLUMN secret.api_key.key_hash IS 'SHA-256 of it.';

-- What an operator does about accounts. A change of password and a ban end every session, and a ban the keys.
CREATE PROCEDURE secret.change_account(change json) LANGUAGE plpgsql AS $$
DECLARE
    of_account bigint;
BEGIN
    IF change ->> 'do' = 'add' THEN
        INSERT INTO secret.account (username, role, email, password_hash)
        VALUES (change ->> 'username', change ->> 'role', change ->> 'email', change ->> 'password_hash');
        RETURN;
    END IF;
    -- Whoever begins a session or makes a key holds the row too, and looks at it again when it is free.
    SELECT id INTO of_account FROM secret.account WHERE username = change ->> 'username' FOR UPDATE;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('there is no account "%s"', change ->> 'username');
    END IF;
    CASE change ->> 'do'
        WHEN 'set_password' THEN
            UPDATE secret.account SET password_hash = change ->> 'password_hash' WHERE id = of_account;
            DELETE FROM secret.session WHERE account_id = of_account;
        WHEN 'disable' THEN
            UPDATE secret.account SET disabled_at = coalesce(disabled_at, now()) WHERE id = of_account;
            DELETE FROM secret.session WHERE account_id = of_account;
            DELETE FROM secret.api_key WHERE account_id = of_account;
        WHEN 'enable' THEN
            UPDATE secret.account SET disabled_at = NULL WHERE id = of_account;
    END CASE;
END $$;
COMMENT ON PROCEDURE secret.change_account IS 'Makes an account ({"do": "add", "username", "role", "email", "password_hash"}), sets its password anew, disables or enables it.';
REVOKE EXECUTE ON PROCEDURE secret.change_account FROM PUBLIC;

-- Who there is, without what proves it.
CREATE VIEW secret.accounts AS
SELECT username, role, email, time_zone, created_at, disabled_at FROM secret.account;
COMMENT ON VIEW secret.accounts IS 'secret.account without the digests of passwords.';
