-- Where a candle comes from; and how it compares with what the exchange itself makes of the same minute.

ALTER TABLE candle ADD COLUMN from_exchange boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN candle.from_exchange IS 'Whether it is the exchange''s own candle, taken over since trades of that minute could not be had. Trades that come later are in it already.';
COMMENT ON COLUMN candle.revision IS 'How often it was corrected, by backfilled trades or by the exchange''s own candle: 0 as long as it is made of what came by itself.';
COMMENT ON COLUMN candle.updated_at IS 'When it last changed.';
COMMENT ON COLUMN candle.first_trade_id IS 'Trade number of its earliest tick; -1 for a polled price and for a candle of the exchange.';
COMMENT ON COLUMN candle.last_trade_id IS 'Trade number of its latest tick; -1 for a polled price and for a candle of the exchange.';
COMMENT ON COLUMN candle.price_sum IS 'Sum of the prices of the ticks; divided by ticks it is the mean price. Of a candle of the exchange, which tells none, the mean price weighted by volume times ticks.';

CREATE OR REPLACE VIEW candles AS
SELECT exchange.name AS exchange, ticker.ticker, candle.width, candle.open_time, candle.open, candle.high, candle.low,
       candle.close, candle.volume, candle.quote_volume, candle.trades, candle.ticks,
       candle.price_sum / candle.ticks AS mean_price,
       candle.open_time + interval '1 minute' <= now() AS is_final, candle.updated_at, candle.revision,
       CASE WHEN candle.from_exchange THEN 'exchange'
            WHEN candle.trades = 0 THEN 'polls'
            WHEN candle.revision > 0 THEN 'backfill'
            ELSE 'stream' END AS origin
FROM candle
JOIN ticker ON ticker.id = candle.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;

CREATE TABLE comparison (
    ticker_id integer NOT NULL REFERENCES ticker,
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    compared_at timestamptz NOT NULL DEFAULT now(),
    minutes integer NOT NULL,
    different integer NOT NULL,
    PRIMARY KEY (ticker_id, from_time),
    CHECK (to_time > from_time)
);
COMMENT ON TABLE comparison IS 'Spans of time over which candles were compared with the exchange''s own, one row each.';
COMMENT ON COLUMN comparison.ticker_id IS 'The pair.';
COMMENT ON COLUMN comparison.from_time IS 'Where the span begins.';
COMMENT ON COLUMN comparison.to_time IS 'Where it ends.';
COMMENT ON COLUMN comparison.compared_at IS 'When it was compared.';
COMMENT ON COLUMN comparison.minutes IS 'Minutes of it in which something was traded, here or there.';
COMMENT ON COLUMN comparison.different IS 'How many of them were different then; each has a row in difference.';

CREATE TABLE difference (
    ticker_id integer NOT NULL REFERENCES ticker,
    open_time timestamptz NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'agreed', 'taken', 'kept')),
    our_trades bigint NOT NULL,
    our_volume numeric NOT NULL,
    trades bigint NOT NULL,
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume numeric NOT NULL,
    quote_volume numeric NOT NULL,
    PRIMARY KEY (ticker_id, open_time)
);
CREATE INDEX difference_open ON difference (ticker_id, open_time) WHERE state = 'open';
COMMENT ON TABLE difference IS 'Minutes in which our candle and the exchange''s were different when they were compared, and what became of that.';
COMMENT ON COLUMN difference.ticker_id IS 'The pair.';
COMMENT ON COLUMN difference.open_time IS 'Where the minute begins.';
COMMENT ON COLUMN difference.found_at IS 'When it was found.';
COMMENT ON COLUMN difference.settled_at IS 'When it was settled.';
COMMENT ON COLUMN difference.state IS '"open"; "agreed": trades that came later made them equal; "taken": the exchange counts more trades, and its candle was taken over; "kept": it does not, and ours stays.';
COMMENT ON COLUMN difference.our_trades IS 'Trades in our candle, when it was last looked at before it was settled.';
COMMENT ON COLUMN difference.our_volume IS 'Units of the base in our candle then.';
COMMENT ON COLUMN difference.trades IS 'Trades in the exchange''s candle; 0 where it has none.';
COMMENT ON COLUMN difference.open IS 'The exchange''s first price; null where it has no candle.';
COMMENT ON COLUMN difference.high IS 'The exchange''s highest price.';
COMMENT ON COLUMN difference.low IS 'The exchange''s lowest price.';
COMMENT ON COLUMN difference.close IS 'The exchange''s last price.';
COMMENT ON COLUMN difference.volume IS 'Units of the base in the exchange''s candle.';
COMMENT ON COLUMN difference.quote_volume IS 'Units of the quote in the exchange''s candle.';

CREATE VIEW differences AS
SELECT exchange.name AS exchange, ticker.ticker, difference.open_time, difference.state, difference.our_trades,
       difference.trades, difference.our_volume, difference.volume, difference.open, difference.high, difference.low,
       difference.close, difference.quote_volume, difference.found_at, difference.settled_at
FROM difference
JOIN ticker ON ticker.id = difference.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;
COMMENT ON VIEW differences IS 'difference with names instead of keys.';

-- What is still to be filled, and what is missing, among holes that are kept for ever.
CREATE INDEX gap_changed ON gap (updated_at);
CREATE INDEX gap_missing ON gap (found_at) WHERE state IN ('open', 'filling', 'unfillable');

-- As before, but for numbers of which there is none above.
CREATE OR REPLACE FUNCTION missing_trades(from_day date, to_day date)
RETURNS TABLE (exchange text, ticker text, first_trade_id bigint, last_trade_id bigint, trades bigint, in_ledger boolean)
LANGUAGE sql STABLE AS $$
    WITH numbered AS (
        SELECT ticker_id, trade_id, lead(trade_id) OVER (PARTITION BY ticker_id ORDER BY trade_id) AS next_id
        FROM price
        WHERE trade_id IS NOT NULL AND time >= from_day AND time < to_day + 1
    ), hole AS (
        SELECT ticker_id, trade_id + 1 AS first_id, next_id - 1 AS last_id FROM numbered WHERE next_id - trade_id > 1
    )
    SELECT exchange.name, ticker.ticker, hole.first_id, hole.last_id, hole.last_id - hole.first_id + 1,
           hole.last_id - hole.first_id + 1 <= (
               SELECT coalesce(least(
                          sum(least(gap.last_trade_id, hole.last_id) - greatest(gap.first_trade_id, hole.first_id) + 1),
                          sum(gap.missing)), 0)
               FROM gap
               WHERE gap.ticker_id = hole.ticker_id AND gap.missing > 0
                 AND gap.first_trade_id <= hole.last_id AND gap.last_trade_id >= hole.first_id)
    FROM hole
    JOIN ticker ON ticker.id = hole.ticker_id
    JOIN exchange ON exchange.id = ticker.exchange_id
    ORDER BY exchange.name, ticker.ticker, hole.first_id
$$;
