-- Messages that can never be stored, with the reason; and two procedures by which an operator decides what becomes of one.

CREATE TABLE dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    set_aside_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    replay_asked_at timestamptz,
    message_id text NOT NULL,
    topic text NOT NULL,
    reason text NOT NULL,
    body bytea NOT NULL
);
-- The same message is kept once, however often it comes; another one under the same name is another one.
CREATE UNIQUE INDEX dead_letter_once ON dead_letter (message_id, md5(body));
CREATE INDEX dead_letter_to_replay ON dead_letter (id) WHERE replay_asked_at IS NOT NULL;
COMMENT ON TABLE dead_letter IS 'Messages that can never be stored, until they are replayed or dropped.';
COMMENT ON COLUMN dead_letter.id IS 'Key: what replay_dead_letter and drop_dead_letter are told.';
COMMENT ON COLUMN dead_letter.set_aside_at IS 'When it was given up.';
COMMENT ON COLUMN dead_letter.stored_at IS 'When it was moved here from the dead-letter queue.';
COMMENT ON COLUMN dead_letter.replay_asked_at IS 'When replay_dead_letter was called; a db-handler puts it back in the queue within seconds, and the row goes.';
COMMENT ON COLUMN dead_letter.message_id IS 'The message''s own name; for one without, made of its digest.';
COMMENT ON COLUMN dead_letter.topic IS 'The routing key that it came with.';
COMMENT ON COLUMN dead_letter.reason IS 'Why it can never be stored.';
COMMENT ON COLUMN dead_letter.body IS 'The message, byte for byte; convert_from(body, ''UTF8'') shows it as text.';

CREATE VIEW dead_letters AS
SELECT id, set_aside_at, topic, octet_length(body) AS bytes, reason, message_id, stored_at, replay_asked_at FROM dead_letter;
COMMENT ON VIEW dead_letters IS 'dead_letter without the bodies, which can be large.';

CREATE PROCEDURE replay_dead_letter(dead_letter_id bigint) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE dead_letter SET replay_asked_at = now() WHERE id = dead_letter_id;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('there is no dead letter %s', dead_letter_id);
    END IF;
END $$;
COMMENT ON PROCEDURE replay_dead_letter IS 'Asks a db-handler to put a dead letter back in the queue. Refused once more, it comes back under a new id.';

CREATE PROCEDURE drop_dead_letter(dead_letter_id bigint) LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM dead_letter WHERE id = dead_letter_id;
    IF NOT FOUND THEN
        RAISE no_data_found USING MESSAGE = format('there is no dead letter %s', dead_letter_id);
    END IF;
END $$;
COMMENT ON PROCEDURE drop_dead_letter IS 'Deletes a dead letter for good.';
