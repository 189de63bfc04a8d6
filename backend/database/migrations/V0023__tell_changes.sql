-- Whoever begins to follow gets what is changed from then on; this tells them of what there was before.

CREATE PROCEDURE change.tell(kinds text[] DEFAULT ARRAY['settings', 'preference', 'channel', 'portfolio', 'transaction', 'alert', 'schedule'])
LANGUAGE plpgsql AS $$
DECLARE
    place regclass;
    arguments text[];
BEGIN
    -- The arguments of change.capture, as it gave them to the trigger.
    FOR place, arguments IN
        SELECT tgrelid::regclass, string_to_array(encode(tgargs, 'escape'), E'\\000') FROM pg_trigger WHERE tgname = 'change_added'
    LOOP
        CONTINUE WHEN arguments[1] <> ALL (kinds);
        -- Nothing may be changed between what is read here and its version.
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', place);
        EXECUTE format('INSERT INTO change.log (account_id, kind, source_id, operation, record)
                        SELECT change.account_of($2, told.record), $1, told.record ->> $3, ''MODIFIED'', told.record - $4
                        FROM (SELECT to_jsonb(one) AS record FROM %s AS one) AS told', place)
        USING arguments[1], arguments[2], arguments[3], array_remove(arguments[4:], '');
        COMMIT;
    END LOOP;
END $$;
COMMENT ON PROCEDURE change.tell IS 'Tells whoever follows of every record of these kinds as it is now, as if it had just been changed. Until that is done, records of the kind are not changed.';
REVOKE EXECUTE ON PROCEDURE change.tell FROM PUBLIC;
