-- Candles of exchanges that do not tell how many trades a minute has, nor, some of them, the quote volume: taken over like those of
-- others, and marked.

ALTER TABLE candle ADD COLUMN untold integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN candle.untold IS 'Of how many of its minutes the exchange does not tell how many trades they had; each counts as one trade, so that trades is the least there were. Where it does not tell their quote volume either, that is the volume times the mean of open, high, low and close.';
COMMENT ON COLUMN candle.trades IS 'Trades in it; 0 where it is made of polled prices. At least so many where untold is not 0.';
COMMENT ON COLUMN candle.price_sum IS 'Sum of the prices of the ticks; divided by ticks it is the mean price. Of a candle of the exchange, which tells none, the mean price weighted by volume times ticks.';
COMMENT ON COLUMN difference.trades IS 'Trades in the exchange''s candle; 0 where it has none, and where it does not tell.';
COMMENT ON COLUMN difference.quote_volume IS 'Units of the quote in the exchange''s candle; 0 where it does not tell.';
COMMENT ON COLUMN difference.state IS '"open"; "agreed": trades that came later made them equal; "taken": the exchange counts more trades (where it does not count them, more volume), and its candle was taken over; "kept": it does not, and ours stays.';
ALTER TABLE day_sum ADD COLUMN untold integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN day_sum.untold IS 'Minutes of which the exchange does not tell how many trades they had.';

CREATE OR REPLACE VIEW candles AS
SELECT exchange.name AS exchange, ticker.ticker, candle.width, candle.open_time, candle.open, candle.high, candle.low,
       candle.close, candle.volume, candle.quote_volume, candle.trades, candle.ticks,
       candle.price_sum / candle.ticks AS mean_price,
       candle.open_time + width_interval(candle.width) <= now() AS is_final, candle.updated_at, candle.revision,
       CASE WHEN candle.from_exchange THEN 'exchange'
            WHEN candle.trades = 0 THEN 'polls'
            WHEN candle.revision > 0 THEN 'backfill'
            ELSE 'stream' END AS origin,
       coalesce(candle.minutes, 1) AS minutes, candle.untold
FROM candle
JOIN ticker ON ticker.id = candle.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;
CREATE OR REPLACE VIEW candles_1m AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin, untold
FROM candles WHERE width = '1m';
CREATE OR REPLACE VIEW candles_5m AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin, minutes, untold
FROM candles WHERE width = '5m';
CREATE OR REPLACE VIEW candles_1h AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin, minutes, untold
FROM candles WHERE width = '1h';
CREATE OR REPLACE VIEW candles_1d AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin, minutes, untold
FROM candles WHERE width = '1d';
COMMENT ON COLUMN candles.untold IS 'Minutes of which the exchange does not tell how many trades they had; each counts as one trade.';
COMMENT ON COLUMN candles_1m.untold IS 'Minutes of which the exchange does not tell how many trades they had; each counts as one trade.';
COMMENT ON COLUMN candles_5m.untold IS 'Minutes of which the exchange does not tell how many trades they had; each counts as one trade.';
COMMENT ON COLUMN candles_1h.untold IS 'Minutes of which the exchange does not tell how many trades they had; each counts as one trade.';
COMMENT ON COLUMN candles_1d.untold IS 'Minutes of which the exchange does not tell how many trades they had; each counts as one trade.';

CREATE FUNCTION exchange_minute(open numeric, high numeric, low numeric, close numeric, volume numeric, told_quote_volume numeric,
                                told_trades bigint, OUT quote_volume numeric, OUT trades bigint, OUT price_sum numeric,
                                OUT square_sum numeric, OUT untold integer)
LANGUAGE sql IMMUTABLE AS $$
    SELECT worth, count, round(worth / volume, 18) * count, round(worth / volume * (worth / volume), 18) * count, (told_trades = 0)::integer
    FROM (SELECT greatest(told_trades, 1) AS count,
                 CASE WHEN told_trades = 0 AND told_quote_volume = 0 THEN round(volume * (open + high + low + close) / 4, 18)
                      ELSE told_quote_volume END AS worth) AS made
$$;
COMMENT ON FUNCTION exchange_minute IS 'What is stored of a minute that the exchange tells, beside its prices and volume. 0 trades: it does not tell how many; a quote volume of 0 is then not told either.';

-- Sums of an exchange that reckons with floating point may differ from ours in the last digits; that is no trade of which we do not know.
CREATE FUNCTION counts_more(untold integer, trades bigint, volume numeric, our_untold integer, our_trades bigint, our_volume numeric)
RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN untold > 0 THEN volume > our_volume * 1.0000000001
                WHEN our_untold > 0 THEN true
                ELSE trades > our_trades END
$$;
COMMENT ON FUNCTION counts_more IS 'Whether a minute of the exchange (the first three) holds trades that ours does not, and so takes its place.';

-- As before, but also of minutes of which less is told.
CREATE OR REPLACE PROCEDURE take_minutes(report json, INOUT changed bigint DEFAULT 0) LANGUAGE plpgsql AS $$
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
                               price_sum, square_sum, untold, first_time, first_trade_id, last_time, last_trade_id, revision,
                               from_exchange)
    SELECT of_ticker, '1m', told.open_time, told.open, told.high, told.low, told.close, told.volume, made.quote_volume,
           made.trades, made.trades, made.price_sum, made.square_sum, made.untold, told.open_time, -1,
           told.open_time + interval '59.999999 s', -1, 0, true
    FROM json_to_recordset(report -> 'minutes')
        AS told (open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric,
                 quote_volume numeric, trades bigint)
    CROSS JOIN LATERAL exchange_minute(told.open, told.high, told.low, told.close, told.volume, told.quote_volume, told.trades) AS made
    WHERE NOT is_dropped('1m', told.open_time)
    ORDER BY told.open_time
    ON CONFLICT (ticker_id, width, open_time) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
        quote_volume = excluded.quote_volume, trades = excluded.trades, ticks = excluded.ticks,
        price_sum = excluded.price_sum, square_sum = excluded.square_sum, untold = excluded.untold,
        first_time = excluded.first_time, first_trade_id = -1, last_time = excluded.last_time, last_trade_id = -1,
        revision = old.revision + (old.trades > 0)::integer, from_exchange = true, updated_at = now()
    WHERE counts_more(excluded.untold, excluded.trades, excluded.volume, old.untold, old.trades, old.volume);
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
COMMENT ON PROCEDURE take_minutes IS 'Takes over one-minute candles of the exchange where they count more trades than ours, or, where they do not tell, more volume; says how many. Minutes of months that were dropped are left out.';

-- As before, with what is not told.
DROP VIEW volatility;
DROP FUNCTION span_candles, sum_candles;
CREATE FUNCTION span_candles(ticker_ids integer[], before timestamptz, from_time timestamptz, five_from timestamptz, hour_from timestamptz,
                             day_from timestamptz, day_to timestamptz, hour_to timestamptz, before_five_to timestamptz,
                             five_to timestamptz, to_time timestamptz)
RETURNS TABLE (ticker_id integer, open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric,
               quote_volume numeric, trades bigint, ticks bigint, price_sum numeric, square_sum numeric, minutes integer,
               changes integer, change_sum numeric, change_square_sum numeric, untold integer)
LANGUAGE sql STABLE AS $$
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum, untold
    FROM candle
    WHERE five_from < hour_from AND ticker_id = ANY (ticker_ids) AND width = '5m' AND open_time >= five_from AND open_time < hour_from
      AND open_time AT TIME ZONE 'UTC' >= five_from AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < hour_from AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum, untold
    FROM candle
    WHERE hour_to < five_to AND ticker_id = ANY (ticker_ids) AND width = '5m' AND open_time >= hour_to AND open_time < five_to
      AND open_time AT TIME ZONE 'UTC' >= hour_to AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < five_to AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum, untold
    FROM candle
    WHERE hour_from < day_from AND ticker_id = ANY (ticker_ids) AND width = '1h' AND open_time >= hour_from AND open_time < day_from
      AND open_time AT TIME ZONE 'UTC' >= hour_from AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < day_from AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum, untold
    FROM candle
    WHERE day_to < hour_to AND ticker_id = ANY (ticker_ids) AND width = '1h' AND open_time >= day_to AND open_time < hour_to
      AND open_time AT TIME ZONE 'UTC' >= day_to AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < hour_to AT TIME ZONE 'UTC'
    UNION ALL
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           minutes, changes, change_sum, change_square_sum, untold
    FROM candle
    WHERE day_from < day_to AND ticker_id = ANY (ticker_ids) AND width = '1d' AND open_time >= day_from AND open_time < day_to
      AND open_time AT TIME ZONE 'UTC' >= day_from AT TIME ZONE 'UTC' AND open_time AT TIME ZONE 'UTC' < day_to AT TIME ZONE 'UTC'
    UNION ALL
    -- The change of a minute looks at the minute right before it, which may lie before the span: "before" and "before_five_to", told
    -- as moments so that partitions are left out when it is planned.
    SELECT ticker_id, open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, square_sum,
           1, (change IS NOT NULL)::integer, change, change * change, untold
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
           1, (change IS NOT NULL)::integer, change, change * change, untold
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
CREATE FUNCTION sum_candles(ticker_ids integer[], from_time timestamptz, to_time timestamptz)
RETURNS TABLE (ticker_id integer, open numeric, high numeric, low numeric, close numeric, volume numeric,
               quote_volume numeric, trades bigint, ticks bigint, price_sum numeric, square_sum numeric, minutes bigint,
               changes bigint, change_sum numeric, change_square_sum numeric, untold bigint)
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
           sum(part.changes)::bigint, coalesce(sum(part.change_sum), 0), coalesce(sum(part.change_square_sum), 0),
           sum(part.untold)::bigint
    FROM (
        SELECT * FROM span_candles(ticker_ids, before, from_time, cut.five_from, cut.hour_from, cut.day_from, cut.day_to,
                                   cut.hour_to, before_five_to, cut.five_to, to_time)
        UNION ALL
        SELECT day_sum.ticker_id, day_sum.from_time, day_sum.open, day_sum.high, day_sum.low, day_sum.close, day_sum.volume,
               day_sum.quote_volume, day_sum.trades, day_sum.ticks, day_sum.price_sum, day_sum.square_sum, day_sum.minutes,
               day_sum.changes, day_sum.change_sum, day_sum.change_square_sum, day_sum.untold
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
COMMENT ON FUNCTION sum_candles IS 'What pairs did from one whole minute to just before another, one row each: everything that statistics are made of. A pair without prices in it has no row. Where one-minute candles were dropped (table dropped), the bounds must be whole five minutes: minutes beside them are left out.';

-- As before, with what is not told.
CREATE VIEW volatility AS
SELECT exchange.name AS exchange, ticker.ticker, span.from_time, span.to_time, day.open, day.high, day.low, day.close,
       day.price_sum / day.ticks AS mean_price, deviation(day.ticks, day.price_sum, day.square_sum) AS deviation,
       day.changes AS returns, returns.deviation AS return_deviation, returns.deviation * sqrt(525600.0) AS annual_deviation,
       day.volume, day.quote_volume, day.trades, day.minutes, day.untold
FROM ticker
JOIN exchange ON exchange.id = ticker.exchange_id
CROSS JOIN LATERAL (
    SELECT date_trunc('minute', now(), 'UTC') - interval '24 hours', date_trunc('minute', now(), 'UTC')) AS span (from_time, to_time)
CROSS JOIN LATERAL sum_candles(ARRAY[ticker.id], span.from_time, span.to_time) AS day
CROSS JOIN LATERAL (
    SELECT deviation(day.changes, day.change_sum, day.change_square_sum)) AS returns (deviation)
WHERE ticker.first_tick_at IS NOT NULL;
COMMENT ON VIEW volatility IS 'What every recorded pair did in the last 24 hours, and how much it moved. Pairs without a price in them have no row.';
COMMENT ON COLUMN volatility.from_time IS 'Where the 24 hours begin.';
COMMENT ON COLUMN volatility.to_time IS 'Where they end: with the last whole minute.';
COMMENT ON COLUMN volatility.open IS 'The first price.';
COMMENT ON COLUMN volatility.high IS 'The highest price.';
COMMENT ON COLUMN volatility.low IS 'The lowest price.';
COMMENT ON COLUMN volatility.close IS 'The last price.';
COMMENT ON COLUMN volatility.mean_price IS 'Mean of the prices, unweighted.';
COMMENT ON COLUMN volatility.deviation IS 'Sample standard deviation of the prices, in units of the quote.';
COMMENT ON COLUMN volatility.returns IS 'Minutes of which it is known how the close changed against the minute right before: one return each.';
COMMENT ON COLUMN volatility.return_deviation IS 'Sample standard deviation of these returns (close / close before - 1).';
COMMENT ON COLUMN volatility.annual_deviation IS 'The same for a year: times the square root of its 525,600 minutes.';
COMMENT ON COLUMN volatility.volume IS 'Units of the base that changed hands.';
COMMENT ON COLUMN volatility.quote_volume IS 'Units of the quote that changed hands.';
COMMENT ON COLUMN volatility.trades IS 'Trades; at least so many where untold is not 0.';
COMMENT ON COLUMN volatility.minutes IS 'Minutes that have prices, of 1440.';
COMMENT ON COLUMN volatility.untold IS 'Minutes of which the exchange does not tell how many trades they had; each counts as one.';
COMMENT ON COLUMN volatility.exchange IS 'Name, lower-case: binance.';
COMMENT ON COLUMN volatility.ticker IS 'The exchange''s own spelling: BTCUSDT.';
