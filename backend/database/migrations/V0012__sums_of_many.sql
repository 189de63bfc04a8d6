-- Sums over spans for many pairs at once. Looking each pair up by itself costs more than adding up what is found: the parts of a
-- span are read for all pairs together, and added up by pair. Of the 24 hours that everybody asks for, most is added up whenever
-- candles are folded.

-- All pairs of a short span lie side by side in it. Seven bytes a candle, since equal times share an entry. Only who asks for the
-- expression uses it: by time alone, the newest candle of a quiet pair would be looked for among those of all others.
CREATE INDEX candle_open_time ON candle ((open_time AT TIME ZONE 'UTC'));

CREATE TABLE day_sum (
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    trades bigint NOT NULL,
    ticks bigint NOT NULL,
    ticker_id integer PRIMARY KEY REFERENCES ticker ON DELETE CASCADE,
    minutes integer NOT NULL,
    changes integer NOT NULL,
    open numeric NOT NULL,
    high numeric NOT NULL,
    low numeric NOT NULL,
    close numeric NOT NULL,
    volume numeric NOT NULL,
    quote_volume numeric NOT NULL,
    price_sum numeric NOT NULL,
    square_sum numeric NOT NULL,
    change_sum numeric NOT NULL,
    change_square_sum numeric NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE day_sum IS 'Of each pair, the folded candles of nearly the last 24 hours, added up: what sum_candles() begins with. Whoever folds a candle anew takes the sum of its pair away.';
COMMENT ON COLUMN day_sum.from_time IS 'Where it begins: 23 hours and 50 minutes before it ends, so that it lies within the last 24 hours until the next is made.';
COMMENT ON COLUMN day_sum.to_time IS 'Where it ends: where folded candles ended when it was made.';
COMMENT ON COLUMN day_sum.ticker_id IS 'The pair.';
COMMENT ON COLUMN day_sum.trades IS 'Trades, as in candle.';
COMMENT ON COLUMN day_sum.ticks IS 'Ticks.';
COMMENT ON COLUMN day_sum.minutes IS 'Minutes that have a candle.';
COMMENT ON COLUMN day_sum.changes IS 'Minutes of which the change is known.';
COMMENT ON COLUMN day_sum.open IS 'First price.';
COMMENT ON COLUMN day_sum.high IS 'Highest price.';
COMMENT ON COLUMN day_sum.low IS 'Lowest price.';
COMMENT ON COLUMN day_sum.close IS 'Last price.';
COMMENT ON COLUMN day_sum.volume IS 'Units of the base that changed hands.';
COMMENT ON COLUMN day_sum.quote_volume IS 'Units of the quote that changed hands.';
COMMENT ON COLUMN day_sum.price_sum IS 'Sum of the prices of the ticks.';
COMMENT ON COLUMN day_sum.square_sum IS 'Sum of the squares of the prices of the ticks.';
COMMENT ON COLUMN day_sum.change_sum IS 'Sum of the changes of the minutes.';
COMMENT ON COLUMN day_sum.change_square_sum IS 'Sum of the squares of those changes.';

-- In SQL, so that it is planned as a part of what asks: columns that nobody wants are not read, and parts that are empty are left
-- out.
CREATE FUNCTION span_candles(ticker_ids integer[], before timestamptz, from_time timestamptz, five_from timestamptz, hour_from timestamptz,
                             day_from timestamptz, day_to timestamptz, hour_to timestamptz, before_five_to timestamptz,
                             five_to timestamptz, to_time timestamptz)
RETURNS TABLE (ticker_id integer, open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric,
               quote_volume numeric, trades bigint, ticks bigint, price_sum numeric, square_sum numeric, minutes integer,
               changes integer, change_sum numeric, change_square_sum numeric)
LANGUAGE sql STABLE AS $$
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum
    FROM candle
    WHERE five_from < hour_from AND ticker_id = ANY (ticker_ids) AND width = '5m' AND open_time >= five_from AND open_time < hour_from
      AND open_time AT TIME ZONE 'UTC' >= five_from AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < hour_from AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum
    FROM candle
    WHERE hour_to < five_to AND ticker_id = ANY (ticker_ids) AND width = '5m' AND open_time >= hour_to AND open_time < five_to
      AND open_time AT TIME ZONE 'UTC' >= hour_to AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < five_to AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum
    FROM candle
    WHERE hour_from < day_from AND ticker_id = ANY (ticker_ids) AND width = '1h' AND open_time >= hour_from AND open_time < day_from
      AND open_time AT TIME ZONE 'UTC' >= hour_from AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < day_from AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum
    FROM candle
    WHERE day_to < hour_to AND ticker_id = ANY (ticker_ids) AND width = '1h' AND open_time >= day_to AND open_time < hour_to
      AND open_time AT TIME ZONE 'UTC' >= day_to AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < hour_to AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum
    FROM candle
    WHERE day_from < day_to AND ticker_id = ANY (ticker_ids) AND width = '1d' AND open_time >= day_from AND open_time < day_to
      AND open_time AT TIME ZONE 'UTC' >= day_from AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < day_to AT TIME ZONE 'UTC'
    UNION ALL
    -- The change of a minute looks at the minute right before it, which may lie before the span: "before" and "before_five_to", told
    -- as moments so that partitions are left out when it is planned.
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           1, (change IS NOT NULL)::integer, change, change * change
    FROM (
        SELECT *, CASE WHEN lag(open_time) OVER in_order = open_time - interval '1 minute'
                       THEN round(close / lag(close) OVER in_order - 1, 12) END AS change
        FROM candle
        WHERE from_time < five_from AND ticker_id = ANY (ticker_ids) AND width = '1m'
          AND open_time >= before AND open_time < five_from
          AND open_time AT TIME ZONE 'UTC' >= before AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < five_from AT TIME ZONE 'UTC'
        WINDOW in_order AS (PARTITION BY ticker_id ORDER BY open_time)) AS minute
    WHERE open_time >= from_time
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           1, (change IS NOT NULL)::integer, change, change * change
    FROM (
        SELECT *, CASE WHEN lag(open_time) OVER in_order = open_time - interval '1 minute'
                       THEN round(close / lag(close) OVER in_order - 1, 12) END AS change
        FROM candle
        WHERE five_to < to_time AND ticker_id = ANY (ticker_ids) AND width = '1m'
          AND open_time >= before_five_to AND open_time < to_time
          AND open_time AT TIME ZONE 'UTC' >= before_five_to AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < to_time AT TIME ZONE 'UTC'
        WINDOW in_order AS (PARTITION BY ticker_id ORDER BY open_time)) AS minute
    WHERE open_time >= five_to
$$;
COMMENT ON FUNCTION span_candles IS 'The candles of which a span of these pairs is made, cut as span_edges() says, in no order.';

-- Planned for the span at hand, which leaves out whole parts: a plan for all spans takes twice as long to run.
CREATE OR REPLACE FUNCTION sum_candles(ticker_ids integer[], from_time timestamptz, to_time timestamptz)
RETURNS TABLE (ticker_id integer, open numeric, high numeric, low numeric, close numeric, volume numeric,
               quote_volume numeric, trades bigint, ticks bigint, price_sum numeric, square_sum numeric, minutes bigint,
               changes bigint, change_sum numeric, change_square_sum numeric)
LANGUAGE plpgsql STABLE SET plan_cache_mode = 'force_custom_plan' AS $$
#variable_conflict use_column
DECLARE
    cut record;
    before timestamptz := from_time - interval '1 minute';
    before_five_to timestamptz;
    kept_from timestamptz;
    kept_ids integer[] := '{}';
BEGIN
    SELECT * INTO cut FROM span_edges(from_time, to_time);
    before_five_to := cut.five_to - interval '1 minute';
    kept_from := cut.five_to - interval '1430 minutes';
    IF from_time <= kept_from AND from_time > kept_from - interval '1 hour' THEN
        kept_ids := ARRAY(SELECT day_sum.ticker_id FROM day_sum
                          WHERE day_sum.ticker_id = ANY (ticker_ids) AND day_sum.from_time = kept_from AND day_sum.to_time = cut.five_to);
        ticker_ids := ARRAY(SELECT unnest(ticker_ids) EXCEPT SELECT unnest(kept_ids));
    END IF;
    RETURN QUERY
    -- Arrays are compared by their first values, so that the least holds the price of the earliest candle: cheaper than sorting.
    SELECT part.ticker_id, (min(ARRAY[extract(epoch FROM part.open_time), part.open]))[2], max(part.high), min(part.low),
           (max(ARRAY[extract(epoch FROM part.open_time), part.close]))[2], sum(part.volume), sum(part.quote_volume),
           sum(part.trades)::bigint, sum(part.ticks)::bigint, sum(part.price_sum), sum(part.square_sum), sum(part.minutes)::bigint,
           sum(part.changes)::bigint, coalesce(sum(part.change_sum), 0), coalesce(sum(part.change_square_sum), 0)
    FROM (
        SELECT * FROM span_candles(ticker_ids, before, from_time, cut.five_from, cut.hour_from, cut.day_from, cut.day_to,
                                   cut.hour_to, before_five_to, cut.five_to, to_time)
        UNION ALL
        SELECT day_sum.ticker_id, day_sum.from_time, day_sum.open, day_sum.high, day_sum.low, day_sum.close, day_sum.volume,
               day_sum.quote_volume, day_sum.trades, day_sum.ticks, day_sum.price_sum, day_sum.square_sum, day_sum.minutes,
               day_sum.changes, day_sum.change_sum, day_sum.change_square_sum
        FROM day_sum WHERE day_sum.ticker_id = ANY (kept_ids)
        UNION ALL
        SELECT * FROM span_candles(kept_ids, before, from_time, cut.five_from, kept_from, kept_from, kept_from, kept_from,
                                   kept_from, kept_from, kept_from)
        UNION ALL
        SELECT * FROM span_candles(kept_ids, cut.five_to, cut.five_to, cut.five_to, cut.five_to, cut.five_to, cut.five_to,
                                   cut.five_to, before_five_to, cut.five_to, to_time)
    ) AS part
    GROUP BY part.ticker_id;
END $$;

-- The quote volume alone, which is all that a ranking asks for.
CREATE OR REPLACE FUNCTION sum_quote_volumes(ticker_ids integer[], from_time timestamptz, to_time timestamptz)
RETURNS TABLE (ticker_id integer, quote_volume numeric) LANGUAGE plpgsql STABLE
SET plan_cache_mode = 'force_custom_plan' AS $$
#variable_conflict use_column
DECLARE
    cut record;
BEGIN
    SELECT * INTO cut FROM span_edges(from_time, to_time);
    RETURN QUERY
    SELECT part.ticker_id, sum(part.quote_volume)
    FROM span_candles(ticker_ids, from_time, from_time, cut.five_from, cut.hour_from, cut.day_from, cut.day_to, cut.hour_to,
                      cut.five_to, cut.five_to, to_time) AS part
    GROUP BY part.ticker_id;
END $$;
