-- What accounts changed, as whoever follows it keeps it: in a database of their own, or in this schema beside the others.

CREATE SCHEMA followed;
COMMENT ON SCHEMA followed IS 'What accounts changed, kept by the program follower.';

CREATE TABLE followed.change (
    version bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    account_id bigint,
    kind text NOT NULL,
    source_id text NOT NULL,
    operation text NOT NULL CHECK (operation IN ('ADDED', 'MODIFIED', 'REMOVED')),
    record jsonb,
    CHECK ((operation = 'REMOVED') = (record IS NULL))
);
CREATE INDEX change_of_record ON followed.change (kind, source_id, version);
CREATE INDEX change_at ON followed.change (at, version);
CREATE INDEX change_computed ON followed.change ((record ->> 'computed_id')) WHERE kind = 'notification';
CREATE INDEX change_firing ON followed.change ((record ->> 'firing_id')) WHERE kind = 'notification';
CREATE INDEX change_schedule ON followed.change ((record ->> 'schedule_id')) WHERE kind = 'computed';
COMMENT ON TABLE followed.change IS 'Each change of a record, once, whichever way and however often it came.';
COMMENT ON COLUMN followed.change.version IS 'Its name; of one record, what is newer has a higher one.';
COMMENT ON COLUMN followed.change.at IS 'When it was changed.';
COMMENT ON COLUMN followed.change.taken_at IS 'When that was written down here.';
COMMENT ON COLUMN followed.change.account_id IS 'Whose record it is; null where that went in the same moment.';
COMMENT ON COLUMN followed.change.kind IS 'What it is: "transaction", "alert", "notification" and so on.';
COMMENT ON COLUMN followed.change.source_id IS 'The record''s key where it comes from.';
COMMENT ON COLUMN followed.change.operation IS '"ADDED", "MODIFIED" or "REMOVED".';
COMMENT ON COLUMN followed.change.record IS 'The record as it was then; null where it was gone.';

CREATE VIEW followed.record AS
SELECT kind, source_id, version, at, account_id, record
FROM (SELECT DISTINCT ON (kind, source_id) * FROM followed.change ORDER BY kind, source_id, version DESC) AS newest
WHERE operation <> 'REMOVED';
COMMENT ON VIEW followed.record IS 'The records as they are now, as far as is known.';

-- What was computed or fired is never changed: the first change that tells of it tells all of it, even when it is gone where it comes from.
CREATE VIEW followed.made AS
SELECT kind, source_id, account_id, record FROM followed.change AS first
WHERE record IS NOT NULL AND NOT EXISTS (
    SELECT FROM followed.change AS before
    WHERE before.kind = first.kind AND before.source_id = first.source_id AND before.version < first.version AND before.record IS NOT NULL);
COMMENT ON VIEW followed.made IS 'The records as they were when they were told of for the first time, also those that are gone.';

CREATE VIEW followed.notification AS
SELECT told.source_id AS notification_id, told.account_id, told.record ->> 'state' AS state,
       (told.record ->> 'created_at')::timestamptz AS created_at, (told.record ->> 'sent_at')::timestamptz AS sent_at,
       told.record ->> 'computed_id' AS computed_id, computed.record ->> 'schedule_id' AS schedule_id,
       told.record ->> 'firing_id' AS firing_id, firing.record ->> 'rule_id' AS alert_id,
       coalesce(computed.record, firing.record) ->> 'said' AS said, coalesce(computed.record -> 'result', firing.record) AS numbers
FROM followed.change AS told
LEFT JOIN followed.made AS computed ON computed.kind = 'computed' AND computed.source_id = told.record ->> 'computed_id'
LEFT JOIN followed.made AS firing ON firing.kind = 'firing' AND firing.source_id = told.record ->> 'firing_id'
WHERE told.kind = 'notification' AND told.record IS NOT NULL AND NOT EXISTS (
    SELECT FROM followed.change AS later
    WHERE later.kind = 'notification' AND later.source_id = told.source_id AND later.version > told.version AND later.record IS NOT NULL);
COMMENT ON VIEW followed.notification IS 'Each notification, whether it was sent, and what it tells: what a schedule computed, or the firing of an alert.';

CREATE VIEW followed.computed AS
SELECT computed.source_id AS computed_id, computed.record ->> 'schedule_id' AS schedule_id, computed.account_id,
       (computed.record ->> 'at')::timestamptz AS at, computed.record ->> 'said' AS said, computed.record -> 'result' AS numbers,
       told.notifications, told.sent, told.last_sent_at
FROM followed.made AS computed
CROSS JOIN LATERAL (
    SELECT count(*) AS notifications, count(*) FILTER (WHERE state = 'sent') AS sent, max(sent_at) AS last_sent_at
    FROM followed.notification WHERE notification.computed_id = computed.source_id) AS told
WHERE computed.kind = 'computed';
COMMENT ON VIEW followed.computed IS 'What each schedule computed each time, and how many notifications of it were sent.';
