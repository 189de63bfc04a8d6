-- Keeping for years what fits: which days of ticks and months of one-minute candles were dropped, which could not be and why,
-- and how much room everything takes.
--
-- A span that was dropped is closed for good: its partition is not made again, ticks of it are not stored, its marks are not
-- folded. Otherwise a repetition would count twice, since what it repeats is gone, and a wide candle would be folded anew
-- from the few minutes that came late.

CREATE TABLE dropped (
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    dropped_at timestamptz NOT NULL DEFAULT now(),
    rows bigint NOT NULL CHECK (rows >= 0),
    bytes bigint NOT NULL,
    trades bigint NOT NULL,
    kind text NOT NULL CHECK (kind IN ('ticks', '1m')),
    why text NOT NULL,
    volume numeric NOT NULL,
    quote_volume numeric NOT NULL,
    PRIMARY KEY (kind, from_time),
    CHECK (to_time > from_time)
);
COMMENT ON TABLE dropped IS 'Days of ticks and months of one-minute candles that were dropped, one row each, kept for ever. Nothing is stored in them any more.';
COMMENT ON COLUMN dropped.from_time IS 'Where the day or month begins, in UTC.';
COMMENT ON COLUMN dropped.to_time IS 'Where it ends.';
COMMENT ON COLUMN dropped.dropped_at IS 'When it was dropped.';
COMMENT ON COLUMN dropped.rows IS 'How many rows went.';
COMMENT ON COLUMN dropped.bytes IS 'How much room they took, indexes included.';
COMMENT ON COLUMN dropped.trades IS 'Trades in the candles of its days, which stay: what statistics over it must still say.';
COMMENT ON COLUMN dropped.kind IS 'ticks: a day of price; 1m: a month of one-minute candles.';
COMMENT ON COLUMN dropped.why IS 'Which setting asked for it.';
COMMENT ON COLUMN dropped.volume IS 'Sum of the volumes of those candles, of all pairs together: a checksum, in no unit.';
COMMENT ON COLUMN dropped.quote_volume IS 'The same of their quote volumes.';

CREATE TABLE kept (
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    since timestamptz NOT NULL DEFAULT now(),
    kind text NOT NULL CHECK (kind IN ('ticks', '1m')),
    reason text NOT NULL,
    PRIMARY KEY (kind, from_time)
);
COMMENT ON TABLE kept IS 'Days and months that should go, and may not yet.';
COMMENT ON COLUMN kept.from_time IS 'Where the day or month begins, in UTC.';
COMMENT ON COLUMN kept.to_time IS 'Where it ends.';
COMMENT ON COLUMN kept.since IS 'Since when it is kept for this reason.';
COMMENT ON COLUMN kept.kind IS 'As in dropped.';
COMMENT ON COLUMN kept.reason IS 'Why it may not go.';

CREATE TABLE keeping (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    looked_at timestamptz NOT NULL DEFAULT now(),
    bytes bigint NOT NULL,
    free_bytes bigint,
    budget_bytes bigint,
    ticks_days integer,
    minutes_days integer
);
COMMENT ON TABLE keeping IS 'What the db-handler that looked last was told to keep, and what it found: one row.';
COMMENT ON COLUMN keeping.one IS 'Always true: there is one row.';
COMMENT ON COLUMN keeping.looked_at IS 'When it looked.';
COMMENT ON COLUMN keeping.bytes IS 'Size of the database then.';
COMMENT ON COLUMN keeping.free_bytes IS 'Room left then on the disk that holds it; null where that cannot be known.';
COMMENT ON COLUMN keeping.budget_bytes IS 'STORAGE_BUDGET; null for none.';
COMMENT ON COLUMN keeping.ticks_days IS 'KEEP_TICKS_DAYS; null for ever.';
COMMENT ON COLUMN keeping.minutes_days IS 'KEEP_MINUTES_DAYS; null for ever.';

CREATE FUNCTION is_dropped(kind text, moment timestamptz) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM dropped WHERE dropped.kind = $1 AND from_time <= moment AND to_time > moment)
$$;
COMMENT ON FUNCTION is_dropped IS 'Whether the ticks or the one-minute candles (ticks, 1m) of this moment were dropped.';

-- As before, but not for what was dropped.
CREATE OR REPLACE FUNCTION create_candle_partition(day date) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    month date := date_trunc('month', day::timestamp);
    partition text := 'candle_1m_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass(partition) IS NOT NULL OR is_dropped('1m', month::timestamp AT TIME ZONE 'UTC') THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(7304017182);
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE candle_1m INCLUDING DEFAULTS INCLUDING CONSTRAINTS) WITH (fillfactor = 80)', partition);
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = partition::regclass) THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'ALTER TABLE candle_1m ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, month || ' 00:00:00+00', (month + interval '1 month')::date || ' 00:00:00+00');
    RETURN true;
END $$;
COMMENT ON FUNCTION create_candle_partition IS 'Creates the partition of one-minute candles for the UTC month of a day; false where it stands already, and where it was dropped.';

CREATE OR REPLACE FUNCTION create_price_partition(day date) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    partition text := 'price_' || to_char(day, 'YYYY_MM_DD');
BEGIN
    PERFORM create_candle_partition(day);
    IF to_regclass(partition) IS NOT NULL OR is_dropped('ticks', day::timestamp AT TIME ZONE 'UTC') THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock(7304017182);
    -- IF NOT EXISTS: another writer may have created it while this one waited.
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I (LIKE price INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    IF EXISTS (SELECT FROM pg_inherits WHERE inhrelid = partition::regclass) THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'ALTER TABLE price ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
        partition, day || ' 00:00:00+00', (day + 1) || ' 00:00:00+00');
    RETURN true;
END $$;
COMMENT ON FUNCTION create_price_partition IS 'Creates the partition of price for one UTC day; false where it stands already, and where it was dropped.';

-- The exchange's candles take the place of ours where they count more trades, and of none. What is told again changes nothing. The
-- report is the body of a message of kind "minutes" (docs/MESSAGES.md); with "backfill": {"from", "to"} beside, how far it got is
-- noted in the same transaction.
-- What was dropped stays away.
CREATE PROCEDURE take_minutes(report json, INOUT changed bigint DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE
    of_ticker integer;
BEGIN
    SELECT ticker.id INTO of_ticker FROM ticker JOIN exchange ON exchange.id = ticker.exchange_id
    WHERE exchange.name = report ->> 'exchange' AND ticker.ticker = report ->> 'ticker';
    IF NOT FOUND THEN
        RAISE no_data_found USING
            MESSAGE = format('no catalogue of exchange %s lists ticker %s', report ->> 'exchange', report ->> 'ticker');
    END IF;
    PERFORM create_candle_partition(month)
    FROM (SELECT DISTINCT ((minute ->> 'open_time')::timestamptz AT TIME ZONE 'UTC')::date AS month
          FROM json_array_elements(report -> 'minutes') AS minute) AS told;
    INSERT INTO candle AS old (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                               price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id, revision, from_exchange)
    SELECT of_ticker, '1m', told.open_time, told.open, told.high, told.low, told.close, told.volume, told.quote_volume,
           told.trades, told.trades, round(told.quote_volume / told.volume, 18) * told.trades,
           round(told.quote_volume / told.volume * (told.quote_volume / told.volume), 18) * told.trades, told.open_time, -1,
           told.open_time + interval '59.999999 s', -1, 0, true
    FROM json_to_recordset(report -> 'minutes')
        AS told (open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric,
                 quote_volume numeric, trades bigint)
    WHERE NOT is_dropped('1m', told.open_time)
    ORDER BY told.open_time
    ON CONFLICT (ticker_id, width, open_time) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
        quote_volume = excluded.quote_volume, trades = excluded.trades, ticks = excluded.ticks,
        price_sum = excluded.price_sum, square_sum = excluded.square_sum, first_time = excluded.first_time, first_trade_id = -1,
        last_time = excluded.last_time, last_trade_id = -1, revision = old.revision + (old.trades > 0)::integer, from_exchange = true,
        updated_at = now()
    WHERE old.trades < excluded.trades;
    GET DIAGNOSTICS changed = ROW_COUNT;
    IF report -> 'backfill' IS NOT NULL THEN
        INSERT INTO backfill AS old (ticker_id, from_time, to_time, done_until)
        VALUES (of_ticker, (report #>> '{backfill,from}')::timestamptz, (report #>> '{backfill,to}')::timestamptz,
                (report ->> 'to')::timestamptz)
        ON CONFLICT (ticker_id, from_time) DO UPDATE
        SET to_time = greatest(old.to_time, excluded.to_time), done_until = greatest(old.done_until, excluded.done_until),
            updated_at = now();
    END IF;
END $$;
COMMENT ON PROCEDURE take_minutes IS 'Takes over one-minute candles of the exchange where they count more trades than ours; says how many. Minutes of months that were dropped are left out.';

COMMENT ON FUNCTION missing_trades IS 'Runs of trade numbers missing between the first and the last stored trade of each pair in these UTC days, and whether the gap ledger knows of them. Days whose ticks were dropped (table dropped) show as holes that the ledger does not know of, where days before them are asked for too.';
COMMENT ON FUNCTION sum_candles IS 'What pairs did from one whole minute to just before another, one row each: everything that statistics are made of. A pair without prices in it has no row. Where one-minute candles were dropped (table dropped), the bounds must be whole five minutes: minutes beside them are left out.';

CREATE VIEW stored_span AS
SELECT kind, relation.oid::regclass AS partition, begins AT TIME ZONE 'UTC' AS from_time,
       (begins + length) AT TIME ZONE 'UTC' AS to_time, pg_total_relation_size(relation.oid) AS bytes,
       CASE WHEN relation.relpages = 0 AND pg_relation_size(relation.oid) = 0 THEN 0
            WHEN relation.reltuples > 0 THEN relation.reltuples::bigint END AS rows
FROM (VALUES ('ticks', 'price'::regclass, '^price_(\d{4})_(\d{2})_(\d{2})$', interval '1 day'),
             ('1m', 'candle_1m', '^candle_1m_(\d{4})_(\d{2})$', interval '1 month')) AS family (kind, parent, pattern, length)
JOIN pg_inherits ON inhparent = parent
JOIN pg_class AS relation ON relation.oid = inhrelid
CROSS JOIN LATERAL regexp_match(relname, pattern) AS part
CROSS JOIN LATERAL make_timestamp(part[1]::integer, part[2]::integer, coalesce(part[3], '1')::integer, 0, 0, 0) AS begins;
COMMENT ON VIEW stored_span IS 'Days of ticks and months of one-minute candles that stand, with their size; rows as of the last ANALYZE, null before the first.';

COMMENT ON COLUMN stored_span.kind IS 'ticks: a day of price; 1m: a month of one-minute candles.';
COMMENT ON COLUMN stored_span.partition IS 'The table that holds it.';
COMMENT ON COLUMN stored_span.from_time IS 'Where the day or month begins, in UTC.';
COMMENT ON COLUMN stored_span.to_time IS 'Where it ends.';
COMMENT ON COLUMN stored_span.bytes IS 'How much room it takes, indexes included.';
COMMENT ON COLUMN stored_span.rows IS 'How many rows, as of the last ANALYZE.';

-- One row a kind. Rows are as of the last ANALYZE, so that the answer costs nothing; what a day brings is counted in the
-- days' candles of the last seven full days (those of five minutes, of which there are many, of yesterday), or measured in
-- their partitions.
CREATE FUNCTION storage() RETURNS TABLE (kind text, bytes bigint, rows bigint, bytes_per_row bigint, rows_per_day bigint,
                                         bytes_per_day bigint, oldest timestamptz, newest timestamptz)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    today timestamptz := date_bin('1 day', now(), '2001-01-01 00:00:00Z');
    first_day timestamptz;
    newest_tick timestamptz;
    newest_wide timestamptz;
    days integer;
    minutes_a_day bigint;
    fives_a_day bigint;
    hours_a_day bigint;
    days_a_day bigint;
    comparisons_a_day bigint;
BEGIN
    SELECT min(day.first), max(minute.last), max(day.last) INTO first_day, newest_tick, newest_wide
    FROM ticker
    LEFT JOIN LATERAL (SELECT min(open_time) AS first, max(open_time) AS last_open FROM candle
                       WHERE candle.ticker_id = ticker.id AND width = '1d') AS span ON true
    LEFT JOIN LATERAL (SELECT span.first, last_time AS last FROM candle
                       WHERE candle.ticker_id = ticker.id AND width = '1d' AND open_time = last_open) AS day ON true
    LEFT JOIN LATERAL (SELECT last_time AS last FROM candle
                       WHERE candle.ticker_id = ticker.id AND width = '1m' ORDER BY open_time DESC LIMIT 1) AS minute ON true;
    SELECT count(DISTINCT open_time), sum(minutes), sum(fives), sum(hours), count(open_time), sum(comparisons)
    INTO days, minutes_a_day, fives_a_day, hours_a_day, days_a_day, comparisons_a_day
    FROM ticker
    CROSS JOIN LATERAL (
        SELECT day.open_time, day.minutes,
               (SELECT count(*) FROM candle WHERE day.open_time = today - interval '24 hours'
                   AND candle.ticker_id = ticker.id AND width = '5m' AND candle.open_time >= today - interval '24 hours'
                   AND candle.open_time < today) AS fives,
               (SELECT count(*) FROM candle WHERE candle.ticker_id = ticker.id AND width = '1h'
                   AND candle.open_time >= day.open_time AND candle.open_time < day.open_time + interval '24 hours') AS hours,
               (SELECT count(*) FROM comparison WHERE comparison.ticker_id = ticker.id
                   AND from_time >= day.open_time AND from_time < day.open_time + interval '24 hours') AS comparisons
        FROM candle AS day
        WHERE day.ticker_id = ticker.id AND width = '1d' AND day.open_time >= today - interval '7 days' AND day.open_time < today) AS day;
    RETURN QUERY
    WITH part AS (
        SELECT kind, coalesce(sum(bytes), 0)::bigint AS bytes, sum(rows)::bigint AS rows,
               sum(bytes) FILTER (WHERE rows > 0) / nullif(sum(rows), 0) AS bytes_per_row,
               min(from_time) FILTER (WHERE rows IS DISTINCT FROM 0) AS oldest,
               (avg(rows) FILTER (WHERE rows > 0 AND from_time >= today - interval '7 days' AND from_time < today))::bigint AS rows_a_day,
               (avg(bytes) FILTER (WHERE rows IS DISTINCT FROM 0 AND from_time >= today - interval '7 days' AND from_time < today))::bigint AS bytes_a_day
        FROM stored_span GROUP BY kind
    ), whole AS (
        SELECT CASE relname WHEN 'candle_5m' THEN '5m' WHEN 'candle_1h' THEN '1h' WHEN 'candle_1d' THEN '1d' ELSE 'ledger' END AS kind,
               sum(pg_total_relation_size(oid))::bigint AS bytes, sum(nullif(reltuples, -1))::bigint AS rows
        FROM pg_class
        WHERE oid IN ('candle_5m'::regclass, 'candle_1h'::regclass, 'candle_1d'::regclass, 'gap'::regclass,
                      'comparison'::regclass, 'difference'::regclass)
        GROUP BY 1
    ), told AS (
        SELECT part.kind, part.bytes, part.rows, part.bytes_per_row,
               CASE part.kind WHEN 'ticks' THEN rows_a_day ELSE minutes_a_day / nullif(days, 0) END AS rows_a_day,
               CASE part.kind WHEN 'ticks' THEN bytes_a_day END AS bytes_a_day,
               greatest(part.oldest, first_day) AS oldest, newest_tick AS newest
        FROM part
        UNION ALL
        SELECT whole.kind, whole.bytes, whole.rows, whole.bytes / nullif(whole.rows, 0)::numeric,
               CASE whole.kind WHEN '5m' THEN fives_a_day WHEN '1h' THEN hours_a_day / nullif(days, 0)
                               WHEN '1d' THEN days_a_day / nullif(days, 0) ELSE comparisons_a_day / nullif(days, 0) END,
               NULL, CASE whole.kind WHEN 'ledger' THEN (SELECT min(found_at) FROM gap) ELSE first_day END,
               CASE whole.kind WHEN 'ledger' THEN (SELECT max(updated_at) FROM gap) ELSE newest_wide END
        FROM whole
        UNION ALL
        SELECT 'other', pg_database_size(current_database()) - (SELECT sum(bytes) FROM part)::bigint - (SELECT sum(bytes) FROM whole)::bigint,
               NULL, NULL, NULL, NULL, NULL, NULL
    )
    SELECT told.kind, told.bytes, told.rows, told.bytes_per_row::bigint, told.rows_a_day,
           coalesce(told.bytes_a_day, told.rows_a_day * told.bytes_per_row)::bigint, told.oldest, told.newest
    FROM told
    ORDER BY array_position(ARRAY['ticks', '1m', '5m', '1h', '1d', 'ledger', 'other'], told.kind);
END $$;
COMMENT ON FUNCTION storage IS 'What each kind of data takes and what a day brings: ticks, candles by width, the ledger (gap, comparison, difference), and everything else. Rows are as of the last ANALYZE; null where that is not known.';

CREATE FUNCTION storage_report() RETURNS json LANGUAGE sql STABLE AS $$
    WITH kind AS MATERIALIZED (SELECT * FROM storage()),
    total AS (SELECT sum(bytes)::bigint AS bytes, coalesce(sum(bytes_per_day), 0)::bigint AS bytes_per_day FROM kind)
    SELECT json_build_object(
        'bytes', total.bytes,
        'bytes_per_day', total.bytes_per_day,
        'bytes_per_year', total.bytes_per_day * 365,
        'budget_bytes', budget_bytes,
        -- Not told where it is a hundred years away.
        'budget_reached_at', CASE WHEN (budget_bytes - total.bytes) / nullif(total.bytes_per_day, 0) BETWEEN 0 AND 36500 THEN
            now() + (budget_bytes - total.bytes) / total.bytes_per_day * interval '1 day' END,
        'keep_ticks_days', ticks_days,
        'keep_minutes_days', minutes_days,
        'looked_at', looked_at,
        'free_bytes', free_bytes,
        'kinds', (SELECT json_agg(row_to_json(each)) FROM kind AS each),
        'kept', (SELECT coalesce(json_agg(row_to_json(each)), '[]')
                 FROM (SELECT kind, from_time, to_time, reason, since FROM kept ORDER BY kind DESC, from_time LIMIT 100) AS each),
        'dropped', (SELECT coalesce(json_agg(row_to_json(each)), '[]')
                    FROM (SELECT kind, from_time, to_time, rows, bytes, trades, volume::text, quote_volume::text, why, dropped_at
                          FROM dropped ORDER BY dropped_at DESC, from_time DESC LIMIT 20) AS each))
    FROM total LEFT JOIN keeping ON true
$$;
COMMENT ON FUNCTION storage_report IS 'What is kept, what it takes, what a day and a year bring, when the budget is reached if nothing more is dropped, the oldest hundred of what may not go, and the last twenty of what went.';
