-- Candles of five minutes, an hour and a day, folded from those of one minute; and what statistics need, as sums.
--
-- A minute is folded where its ticks are stored. Whatever changes one marks the five minutes that hold it as stale, in the
-- same transaction; when they are over, a db-handler folds them anew from their minutes, the hour from its five minutes, the
-- day from its hours. Folding anew is right however often it is done, and whatever was corrected.

DROP VIEW candles;
ALTER TABLE candle RENAME TO candle_before;
ALTER TABLE candle_before RENAME CONSTRAINT candle_pkey TO candle_before_pkey;

CREATE TABLE candle (
    open_time timestamptz NOT NULL,
    first_time timestamptz NOT NULL,
    last_time timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    first_trade_id bigint NOT NULL,
    last_trade_id bigint NOT NULL,
    trades bigint NOT NULL CHECK (trades >= 0),
    ticks bigint NOT NULL CHECK (ticks > 0),
    ticker_id integer NOT NULL REFERENCES ticker,
    revision integer NOT NULL DEFAULT 0 CHECK (revision >= 0),
    width text NOT NULL,
    from_exchange boolean NOT NULL DEFAULT false,
    open numeric NOT NULL,
    high numeric NOT NULL,
    low numeric NOT NULL,
    close numeric NOT NULL,
    volume numeric NOT NULL,
    quote_volume numeric NOT NULL,
    price_sum numeric NOT NULL,
    square_sum numeric NOT NULL,
    minutes integer,
    changes integer,
    change_sum numeric,
    change_square_sum numeric,
    PRIMARY KEY (ticker_id, width, open_time)
) PARTITION BY LIST (width);
CREATE TABLE candle_1m PARTITION OF candle FOR VALUES IN ('1m') PARTITION BY RANGE (open_time);
CREATE TABLE candle_5m PARTITION OF candle FOR VALUES IN ('5m');
-- Changed twelve times an hour, and two hundred and eighty-eight times a day.
CREATE TABLE candle_1h PARTITION OF candle FOR VALUES IN ('1h') WITH (fillfactor = 80);
CREATE TABLE candle_1d PARTITION OF candle FOR VALUES IN ('1d') WITH (fillfactor = 70);

COMMENT ON TABLE candle IS 'Candles of one minute, folded in the transaction that stores the ticks; of five minutes, an hour and a day, folded from narrower ones whenever five minutes are over, and anew when one was corrected.';
COMMENT ON COLUMN candle.open_time IS 'Where the interval begins, in UTC.';
COMMENT ON COLUMN candle.first_time IS 'When its earliest tick happened.';
COMMENT ON COLUMN candle.last_time IS 'When its latest tick happened.';
COMMENT ON COLUMN candle.updated_at IS 'When it last changed.';
COMMENT ON COLUMN candle.first_trade_id IS 'Trade number of its earliest tick; -1 for a polled price and for a candle of the exchange.';
COMMENT ON COLUMN candle.last_trade_id IS 'Trade number of its latest tick; -1 for a polled price and for a candle of the exchange.';
COMMENT ON COLUMN candle.trades IS 'Trades in it; 0 where it is made of polled prices.';
COMMENT ON COLUMN candle.ticks IS 'Ticks in it: the trades, or else the polled prices. The divisor of the mean price.';
COMMENT ON COLUMN candle.ticker_id IS 'The pair.';
COMMENT ON COLUMN candle.revision IS 'How often it was corrected, by backfilled trades or by the exchange''s own candle: 0 as long as it is made of what came by itself.';
COMMENT ON COLUMN candle.width IS 'Width of the interval: 1m, 5m, 1h or 1d.';
COMMENT ON COLUMN candle.from_exchange IS 'Whether it is, in part, the exchange''s own candle, taken over since trades could not be had. Trades that come later are in it already.';
COMMENT ON COLUMN candle.open IS 'Price of the earliest tick.';
COMMENT ON COLUMN candle.high IS 'Highest price.';
COMMENT ON COLUMN candle.low IS 'Lowest price.';
COMMENT ON COLUMN candle.close IS 'Price of the latest tick.';
COMMENT ON COLUMN candle.volume IS 'Units of the base that changed hands.';
COMMENT ON COLUMN candle.quote_volume IS 'Units of the quote that changed hands.';
COMMENT ON COLUMN candle.price_sum IS 'Sum of the prices of the ticks; divided by ticks it is the mean price. Of a candle of the exchange, which tells none, the mean price weighted by volume times ticks.';
COMMENT ON COLUMN candle.square_sum IS 'Sum of the squares of the prices of the ticks, each square to 20 digits: what the deviation of prices is made of.';
COMMENT ON COLUMN candle.minutes IS 'Of a wide candle: how many of its minutes have a candle. Null for 1m.';
COMMENT ON COLUMN candle.changes IS 'Of a wide candle: in how many of its minutes it is known how the close changed against the minute right before. Null for 1m.';
COMMENT ON COLUMN candle.change_sum IS 'Of a wide candle: sum of those changes (close / close of the minute before - 1, to 12 decimals). Null for 1m.';
COMMENT ON COLUMN candle.change_square_sum IS 'Of a wide candle: sum of the squares of those changes. Null for 1m.';

CREATE TABLE stale_candle (
    open_time timestamptz NOT NULL,
    ticker_id integer NOT NULL REFERENCES ticker ON DELETE CASCADE,
    PRIMARY KEY (open_time, ticker_id)
) WITH (fillfactor = 50);
COMMENT ON TABLE stale_candle IS 'Five minutes of a pair whose wide candles do not know yet of what changed in their minutes.';
COMMENT ON COLUMN stale_candle.open_time IS 'Where the five minutes begin.';
COMMENT ON COLUMN stale_candle.ticker_id IS 'The pair.';

-- Makes the partition of one-minute candles for the UTC month that holds a day, where it is missing; as
-- create_price_partition does, whose lock it shares.
CREATE FUNCTION create_candle_partition(day date) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    month date := date_trunc('month', day::timestamp);
    partition text := 'candle_1m_' || to_char(month, 'YYYY_MM');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
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
COMMENT ON FUNCTION create_candle_partition IS 'Creates the partition of one-minute candles for the UTC month of a day; false where it stands already.';

SELECT create_candle_partition(month::date)
FROM (SELECT DISTINCT date_trunc('month', open_time, 'UTC') AT TIME ZONE 'UTC' AS month FROM candle_before) AS recorded;

-- The squares of what was folded without them come from the ticks; those of the exchange's own candles from the mean.
INSERT INTO candle (open_time, first_time, last_time, updated_at, first_trade_id, last_trade_id, trades, ticks, ticker_id,
                    revision, width, from_exchange, open, high, low, close, volume, quote_volume, price_sum, square_sum)
SELECT before.open_time, first_time, last_time, updated_at, first_trade_id, last_trade_id, trades, ticks, before.ticker_id,
       revision, width, from_exchange, open, high, low, close, volume, quote_volume, price_sum,
       CASE WHEN NOT from_exchange AND of_ticks.square_sum IS NOT NULL THEN of_ticks.square_sum
            ELSE round(price_sum / ticks * (price_sum / ticks), 18) * ticks END
FROM candle_before AS before
LEFT JOIN (
    SELECT ticker_id, date_trunc('minute', time, 'UTC') AS open_time, source <> 'poll' AS traded, sum(price * price) AS square_sum
    FROM price GROUP BY 1, 2, 3) AS of_ticks
  ON of_ticks.ticker_id = before.ticker_id AND of_ticks.open_time = before.open_time AND of_ticks.traded = (before.trades > 0);
DROP TABLE candle_before;

INSERT INTO stale_candle (open_time, ticker_id)
SELECT DISTINCT date_bin('5 minutes', open_time, '2001-01-01 00:00:00Z'), ticker_id FROM candle;

-- The change of a minute belongs to it and looks at the minute before, so what changes a minute concerns the next one too.
-- A mark that is there already is locked: who folds takes marks away, and must not take one whose minutes it cannot see yet.
CREATE FUNCTION mark_stale_candles() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO stale_candle (open_time, ticker_id)
    SELECT DISTINCT date_bin('5 minutes', minute, '2001-01-01 00:00:00Z'), ticker_id
    FROM changed CROSS JOIN LATERAL (VALUES (open_time), (open_time + interval '1 minute')) AS touched (minute)
    WHERE width = '1m'
    ORDER BY 1, 2
    ON CONFLICT (open_time, ticker_id) DO UPDATE SET open_time = excluded.open_time WHERE false;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION mark_stale_candles IS 'Marks the five minutes in which one-minute candles changed.';
CREATE TRIGGER mark_stale_after_insert AFTER INSERT ON candle
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_candles();
CREATE TRIGGER mark_stale_after_update AFTER UPDATE ON candle
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION mark_stale_candles();

CREATE FUNCTION rolled_until() RETURNS timestamptz LANGUAGE sql STABLE AS $$
    SELECT coalesce(
        (SELECT min(open_time) FROM stale_candle WHERE open_time > now() - interval '1 hour'),
        date_bin('5 minutes', now(), '2001-01-01 00:00:00Z'))
$$;
COMMENT ON FUNCTION rolled_until IS 'Up to when the wide candles know of every minute. What was corrected more than an hour back and is not folded yet counts as it was, for the seconds that this takes.';

CREATE FUNCTION width_interval(width text) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE width WHEN '1m' THEN interval '1 minute' WHEN '5m' THEN interval '5 minutes'
                      WHEN '1h' THEN interval '1 hour' WHEN '1d' THEN interval '24 hours' END
$$;
COMMENT ON FUNCTION width_interval IS 'The length of a candle''s width.';

CREATE VIEW candles AS
SELECT exchange.name AS exchange, ticker.ticker, candle.width, candle.open_time, candle.open, candle.high, candle.low,
       candle.close, candle.volume, candle.quote_volume, candle.trades, candle.ticks,
       candle.price_sum / candle.ticks AS mean_price,
       candle.open_time + width_interval(candle.width) <= now() AS is_final, candle.updated_at, candle.revision,
       CASE WHEN candle.from_exchange THEN 'exchange'
            WHEN candle.trades = 0 THEN 'polls'
            WHEN candle.revision > 0 THEN 'backfill'
            ELSE 'stream' END AS origin,
       coalesce(candle.minutes, 1) AS minutes
FROM candle
JOIN ticker ON ticker.id = candle.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;
COMMENT ON VIEW candles IS 'candle with names instead of keys, the mean price, and whether the interval is over.';

-- Where a span of whole minutes is cut, so that it is made of as few candles as can be: days where whole days lie in it, hours
-- around them, five minutes around those, minutes at the edges and where wide candles are not folded yet. An empty part ends where
-- it begins.
CREATE FUNCTION span_edges(from_time timestamptz, to_time timestamptz, OUT five_from timestamptz, OUT hour_from timestamptz,
                           OUT day_from timestamptz, OUT day_to timestamptz, OUT hour_to timestamptz, OUT five_to timestamptz)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    origin CONSTANT timestamptz := '2001-01-01 00:00:00Z';
BEGIN
    five_from := date_bin('5 minutes', from_time + interval '299.999999 s', origin);
    five_to := greatest(five_from, date_bin('5 minutes', least(to_time, rolled_until()), origin));
    hour_from := date_bin('1 hour', five_from + interval '3599.999999 s', origin);
    hour_to := greatest(hour_from, date_bin('1 hour', five_to, origin));
    day_from := date_bin('24 hours', hour_from + interval '86399.999999 s', origin);
    day_to := greatest(day_from, date_bin('24 hours', hour_to, origin));
    IF five_to = five_from THEN
        five_from := to_time; five_to := to_time; hour_from := to_time; hour_to := to_time;
        day_from := to_time; day_to := to_time;
    ELSIF hour_to = hour_from THEN
        hour_from := five_to; hour_to := five_to; day_from := five_to; day_to := five_to;
    ELSIF day_to = day_from THEN
        day_from := hour_to; day_to := hour_to;
    END IF;
END $$;
COMMENT ON FUNCTION span_edges IS 'Where a span of whole minutes is cut: candles of five minutes from five_from to hour_from and from hour_to to five_to, of an hour from hour_from to day_from and from day_to to hour_to, of a day between, of a minute for the rest.';

-- Sums over any span of whole minutes, from as few rows as can be. Planned for the span at hand, which leaves out whole parts:
-- a plan for all spans takes twice as long to run.
CREATE FUNCTION sum_candles(ticker_ids integer[], from_time timestamptz, to_time timestamptz)
RETURNS TABLE (ticker_id integer, open numeric, high numeric, low numeric, close numeric, volume numeric,
               quote_volume numeric, trades bigint, ticks bigint, price_sum numeric, square_sum numeric, minutes bigint,
               changes bigint, change_sum numeric, change_square_sum numeric)
LANGUAGE plpgsql STABLE SET plan_cache_mode = 'force_custom_plan' AS $$
#variable_conflict use_column
DECLARE
    five_from timestamptz; hour_from timestamptz; day_from timestamptz; day_to timestamptz; hour_to timestamptz;
    five_to timestamptz;
BEGIN
    SELECT edges.* INTO five_from, hour_from, day_from, day_to, hour_to, five_to FROM span_edges(from_time, to_time) AS edges;
    RETURN QUERY
    SELECT wanted.id, summed.*
    FROM unnest(ticker_ids) AS wanted (id)
    CROSS JOIN LATERAL (
        -- The parts come in the order of time: the first open is that of all.
        SELECT (array_agg(part.open))[1], max(part.high), min(part.low), (array_agg(part.close))[count(*)], sum(part.volume),
               sum(part.quote_volume), sum(part.trades)::bigint, sum(part.ticks)::bigint, sum(part.price_sum),
               sum(part.square_sum), sum(part.minutes)::bigint, sum(part.changes)::bigint, coalesce(sum(part.change_sum), 0),
               coalesce(sum(part.change_square_sum), 0)
        FROM (
            SELECT open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum, 1 AS minutes,
                   (change IS NOT NULL)::integer AS changes, change AS change_sum, change * change AS change_square_sum
            FROM (
                SELECT *, CASE WHEN lag(open_time) OVER in_order = open_time - interval '1 minute'
                               THEN round(close / lag(close) OVER in_order - 1, 12) END AS change
                FROM candle
                WHERE from_time < five_from AND ticker_id = wanted.id AND width = '1m' AND open_time >= from_time - interval '1 minute' AND open_time < five_from
                WINDOW in_order AS (ORDER BY open_time)) AS minute
            WHERE open_time >= from_time
            UNION ALL
            (SELECT open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
                   minutes, changes, change_sum, change_square_sum
            FROM candle WHERE five_from < hour_from AND ticker_id = wanted.id AND width = '5m' AND open_time >= five_from AND open_time < hour_from ORDER BY open_time)
            UNION ALL
            (SELECT open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
                   minutes, changes, change_sum, change_square_sum
            FROM candle WHERE hour_from < day_from AND ticker_id = wanted.id AND width = '1h' AND open_time >= hour_from AND open_time < day_from ORDER BY open_time)
            UNION ALL
            (SELECT open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
                   minutes, changes, change_sum, change_square_sum
            FROM candle WHERE day_from < day_to AND ticker_id = wanted.id AND width = '1d' AND open_time >= day_from AND open_time < day_to ORDER BY open_time)
            UNION ALL
            (SELECT open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
                   minutes, changes, change_sum, change_square_sum
            FROM candle WHERE day_to < hour_to AND ticker_id = wanted.id AND width = '1h' AND open_time >= day_to AND open_time < hour_to ORDER BY open_time)
            UNION ALL
            (SELECT open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
                   minutes, changes, change_sum, change_square_sum
            FROM candle WHERE hour_to < five_to AND ticker_id = wanted.id AND width = '5m' AND open_time >= hour_to AND open_time < five_to ORDER BY open_time)
            UNION ALL
            SELECT open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum, 1 AS minutes,
                   (change IS NOT NULL)::integer AS changes, change AS change_sum, change * change AS change_square_sum
            FROM (
                SELECT *, CASE WHEN lag(open_time) OVER in_order = open_time - interval '1 minute'
                               THEN round(close / lag(close) OVER in_order - 1, 12) END AS change
                FROM candle
                WHERE five_to < to_time AND ticker_id = wanted.id AND width = '1m' AND open_time >= five_to - interval '1 minute' AND open_time < to_time
                WINDOW in_order AS (ORDER BY open_time)) AS minute
            WHERE open_time >= five_to
        ) AS part
        HAVING count(*) > 0) AS summed;
END $$;
COMMENT ON FUNCTION sum_candles IS 'What pairs did from one whole minute to just before another, one row each: everything that statistics are made of. A pair without prices in it has no row.';

-- The same of the quote volume alone, which is all that a ranking asks for: half the work.
CREATE FUNCTION sum_quote_volumes(ticker_ids integer[], from_time timestamptz, to_time timestamptz)
RETURNS TABLE (ticker_id integer, quote_volume numeric) LANGUAGE plpgsql STABLE
SET plan_cache_mode = 'force_custom_plan' AS $$
#variable_conflict use_column
DECLARE
    five_from timestamptz; hour_from timestamptz; day_from timestamptz; day_to timestamptz; hour_to timestamptz;
    five_to timestamptz;
BEGIN
    SELECT edges.* INTO five_from, hour_from, day_from, day_to, hour_to, five_to FROM span_edges(from_time, to_time) AS edges;
    RETURN QUERY
    SELECT wanted.id, summed.quote_volume
    FROM unnest(ticker_ids) AS wanted (id)
    CROSS JOIN LATERAL (
        SELECT sum(part.quote_volume) AS quote_volume
        FROM (
            SELECT quote_volume FROM candle
            WHERE from_time < five_from AND ticker_id = wanted.id AND width = '1m' AND open_time >= from_time AND open_time < five_from
            UNION ALL
            SELECT quote_volume FROM candle
            WHERE five_from < hour_from AND ticker_id = wanted.id AND width = '5m' AND open_time >= five_from AND open_time < hour_from
            UNION ALL
            SELECT quote_volume FROM candle
            WHERE hour_from < day_from AND ticker_id = wanted.id AND width = '1h' AND open_time >= hour_from AND open_time < day_from
            UNION ALL
            SELECT quote_volume FROM candle
            WHERE day_from < day_to AND ticker_id = wanted.id AND width = '1d' AND open_time >= day_from AND open_time < day_to
            UNION ALL
            SELECT quote_volume FROM candle
            WHERE day_to < hour_to AND ticker_id = wanted.id AND width = '1h' AND open_time >= day_to AND open_time < hour_to
            UNION ALL
            SELECT quote_volume FROM candle
            WHERE hour_to < five_to AND ticker_id = wanted.id AND width = '5m' AND open_time >= hour_to AND open_time < five_to
            UNION ALL
            SELECT quote_volume FROM candle
            WHERE five_to < to_time AND ticker_id = wanted.id AND width = '1m' AND open_time >= five_to AND open_time < to_time
        ) AS part
    ) AS summed
    WHERE summed.quote_volume IS NOT NULL;
END $$;
COMMENT ON FUNCTION sum_quote_volumes IS 'What was traded of pairs from one whole minute to just before another, in units of the quote, one row each. A pair without prices in it has no row.';

CREATE FUNCTION deviation(count bigint, sum numeric, square_sum numeric) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN count >= 2 THEN sqrt(greatest(count * square_sum - sum * sum, 0) / (count * (count - 1))) END
$$;
COMMENT ON FUNCTION deviation IS 'The sample standard deviation of so many values, from their sum and the sum of their squares; null for fewer than two.';
