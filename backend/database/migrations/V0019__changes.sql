-- What accounts change is written down in the transaction that changes it, and told to whoever listens at RabbitMQ, so that another
-- service can follow.

CREATE SCHEMA change;
COMMENT ON SCHEMA change IS 'What changed of what belongs to accounts.';

CREATE TABLE change.log (
    version bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    published_at timestamptz,
    account_id bigint,
    kind text NOT NULL,
    source_id text NOT NULL,
    operation text NOT NULL CHECK (operation IN ('ADDED', 'MODIFIED', 'REMOVED')),
    record jsonb,
    CHECK ((operation = 'REMOVED') = (record IS NULL))
);
CREATE INDEX log_unpublished ON change.log (version) WHERE published_at IS NULL;
CREATE INDEX log_at ON change.log (at);
COMMENT ON TABLE change.log IS 'Each change of a record, kept for a week. Changes of one record have rising versions in their order.';
COMMENT ON COLUMN change.log.version IS 'Key; of one record, what is newer has a higher one.';
COMMENT ON COLUMN change.log.at IS 'When it was changed.';
COMMENT ON COLUMN change.log.published_at IS 'When RabbitMQ had it; null while it has not.';
COMMENT ON COLUMN change.log.account_id IS 'Whose record it is; null where that went in the same moment.';
COMMENT ON COLUMN change.log.kind IS 'What it is: "portfolio", "transaction", "alert", "firing", "channel", "schedule", "computed", "notification", "preference", "settings".';
COMMENT ON COLUMN change.log.source_id IS 'The record''s key.';
COMMENT ON COLUMN change.log.operation IS '"ADDED", "MODIFIED" or "REMOVED".';
COMMENT ON COLUMN change.log.record IS 'The record as it is then, without secrets and what only this program needs; null where it is gone.';

-- Arguments: the kind; where the account is told ("account_id", "id", or of which parent); the key's column; columns that are left out, of
-- which a change alone is none.
CREATE FUNCTION change.account_of(place text, record jsonb) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT CASE place
        WHEN 'account_id' THEN (record ->> 'account_id')::bigint
        WHEN 'id' THEN (record ->> 'id')::bigint
        WHEN 'portfolio' THEN (SELECT account_id FROM portfolio.portfolio WHERE id = (record ->> 'portfolio_id')::bigint)
        WHEN 'rule' THEN (SELECT account_id FROM alert.rule WHERE id = (record ->> 'rule_id')::bigint)
        WHEN 'schedule' THEN (SELECT account_id FROM alert.schedule WHERE id = (record ->> 'schedule_id')::bigint)
        WHEN 'channel' THEN (SELECT account_id FROM alert.channel WHERE id = (record ->> 'channel_id')::bigint)
    END
$$;
COMMENT ON FUNCTION change.account_of IS 'Whose record it is.';

CREATE FUNCTION change.added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change.log (account_id, kind, source_id, operation, record)
    SELECT change.account_of(TG_ARGV[1], told.record), TG_ARGV[0], told.record ->> TG_ARGV[2], 'ADDED', told.record - TG_ARGV[3:]
    FROM (SELECT to_jsonb(added) AS record FROM added) AS told;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION change.added IS 'Writes down what was made.';

CREATE FUNCTION change.modified() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change.log (account_id, kind, source_id, operation, record)
    SELECT change.account_of(TG_ARGV[1], told.record), TG_ARGV[0], told.record ->> TG_ARGV[2], 'MODIFIED', told.record - TG_ARGV[3:]
    FROM (SELECT to_jsonb(added) AS record FROM added) AS told
    JOIN (SELECT to_jsonb(removed) AS record FROM removed) AS before ON before.record -> TG_ARGV[2] = told.record -> TG_ARGV[2]
    WHERE told.record - TG_ARGV[3:] <> before.record - TG_ARGV[3:];
    RETURN NULL;
END $$;
COMMENT ON FUNCTION change.modified IS 'Writes down what was changed.';

CREATE FUNCTION change.removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change.log (account_id, kind, source_id, operation)
    SELECT change.account_of(TG_ARGV[1], told.record), TG_ARGV[0], told.record ->> TG_ARGV[2], 'REMOVED'
    FROM (SELECT to_jsonb(removed) AS record FROM removed) AS told;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION change.removed IS 'Writes down what was removed.';

CREATE PROCEDURE change.capture(place text, kind text, account text, key text, hidden text[]) LANGUAGE plpgsql AS $$
DECLARE
    arguments text := (SELECT string_agg(quote_literal(argument), ', ' ORDER BY number)
                       FROM unnest(ARRAY[kind, account, key] || hidden) WITH ORDINALITY AS wanted (argument, number));
BEGIN
    EXECUTE format('CREATE TRIGGER change_added AFTER INSERT ON %s REFERENCING NEW TABLE AS added
                    FOR EACH STATEMENT EXECUTE FUNCTION change.added(%s)', place, arguments);
    EXECUTE format('CREATE TRIGGER change_modified AFTER UPDATE ON %s REFERENCING OLD TABLE AS removed NEW TABLE AS added
                    FOR EACH STATEMENT EXECUTE FUNCTION change.modified(%s)', place, arguments);
    EXECUTE format('CREATE TRIGGER change_removed AFTER DELETE ON %s REFERENCING OLD TABLE AS removed
                    FOR EACH STATEMENT EXECUTE FUNCTION change.removed(%s)', place, arguments);
END $$;
COMMENT ON PROCEDURE change.capture IS 'Has the changes of a table written down.';

CALL change.capture('portfolio.portfolio', 'portfolio', 'account_id', 'id', ARRAY['version']);
CALL change.capture('portfolio.transaction', 'transaction', 'portfolio', 'id', ARRAY[]::text[]);
CALL change.capture('alert.rule', 'alert', 'account_id', 'id', ARRAY['revision', 'is_armed']);
CALL change.capture('alert.firing', 'firing', 'rule', 'id', ARRAY[]::text[]);
CALL change.capture('alert.channel', 'channel', 'account_id', 'id',
                    ARRAY['settings', 'served_until', 'paced_until', 'last_sent_at', 'last_error']);
CALL change.capture('alert.preference', 'preference', 'account_id', 'account_id', ARRAY[]::text[]);
CALL change.capture('alert.schedule', 'schedule', 'account_id', 'id', ARRAY['next_at']);
CALL change.capture('alert.computed', 'computed', 'schedule', 'id', ARRAY[]::text[]);
CALL change.capture('alert.notification', 'notification', 'channel', 'id', ARRAY['due_at', 'attempts', 'is_held', 'error']);
CALL change.capture('secret.account', 'settings', 'id', 'id', ARRAY['password_hash']);
