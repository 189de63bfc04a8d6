-- Trades that exchanges numbered and that did not reach the tracker at first, and what became of them.

ALTER TYPE tick_source ADD VALUE 'backfill';
COMMENT ON COLUMN price.source IS '"stream": a live trade. "poll": a price asked for by REST. "backfill": a trade that the stream did not bring, asked for by REST.';

ALTER TABLE candle ADD COLUMN revision integer NOT NULL DEFAULT 0 CHECK (revision >= 0);
COMMENT ON COLUMN candle.revision IS 'How often backfilled trades were folded in: 0 as long as it is made of what came by itself.';

CREATE OR REPLACE VIEW candles AS
SELECT exchange.name AS exchange, ticker.ticker, candle.width, candle.open_time, candle.open, candle.high, candle.low,
       candle.close, candle.volume, candle.quote_volume, candle.trades, candle.ticks,
       candle.price_sum / candle.ticks AS mean_price,
       candle.open_time + interval '1 minute' <= now() AS is_final, candle.updated_at, candle.revision
FROM candle
JOIN ticker ON ticker.id = candle.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;

CREATE TABLE gap (
    found_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    from_time timestamptz,
    to_time timestamptz,
    first_trade_id bigint NOT NULL CHECK (first_trade_id >= 0),
    last_trade_id bigint NOT NULL,
    missing bigint NOT NULL CHECK (missing >= 0),
    ticker_id integer NOT NULL REFERENCES ticker,
    attempts integer NOT NULL CHECK (attempts >= 0),
    revision integer NOT NULL,
    cause text NOT NULL CHECK (cause IN ('tracker_stopped', 'disconnected', 'skipped', 'silence', 'queue_full')),
    state text NOT NULL CHECK (state IN ('open', 'filling', 'filled', 'confirmed_empty', 'unfillable')),
    detail text,
    PRIMARY KEY (ticker_id, first_trade_id),
    CHECK (last_trade_id >= first_trade_id)
);
CREATE INDEX gap_found ON gap (found_at);
COMMENT ON TABLE gap IS 'The gap ledger: runs of trade numbers that did not come when they should have, one row each, kept for ever.';
COMMENT ON COLUMN gap.found_at IS 'When the hole was found.';
COMMENT ON COLUMN gap.updated_at IS 'When the tracker last had something to say of it.';
COMMENT ON COLUMN gap.from_time IS 'When the trade before the hole happened, where it is known.';
COMMENT ON COLUMN gap.to_time IS 'When the trade behind the hole happened, where it is known.';
COMMENT ON COLUMN gap.first_trade_id IS 'Number of the first trade that was missing.';
COMMENT ON COLUMN gap.last_trade_id IS 'Number of the last trade that was missing.';
COMMENT ON COLUMN gap.missing IS 'How many of its trades are missing still; for "confirmed_empty", how many numbers the exchange has no trade for.';
COMMENT ON COLUMN gap.ticker_id IS 'The pair.';
COMMENT ON COLUMN gap.attempts IS 'How often asking the exchange for them has failed or come to an end.';
COMMENT ON COLUMN gap.revision IS 'Counts what the tracker said of it; what is older does not overwrite what is newer.';
COMMENT ON COLUMN gap.cause IS '"tracker_stopped", "disconnected", "skipped" (the exchange left them out), "silence" (the stream brought nothing more), "queue_full".';
COMMENT ON COLUMN gap.state IS '"open", "filling", "filled", "confirmed_empty" (the exchange has no such trades), "unfillable".';
COMMENT ON COLUMN gap.detail IS 'What went wrong last, or why it is closed.';

CREATE VIEW gaps AS
SELECT exchange.name AS exchange, ticker.ticker, gap.first_trade_id, gap.last_trade_id,
       gap.last_trade_id - gap.first_trade_id + 1 AS trades, gap.missing, gap.cause, gap.state, gap.from_time, gap.to_time,
       gap.attempts, gap.detail, gap.found_at, gap.updated_at
FROM gap
JOIN ticker ON ticker.id = gap.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;
COMMENT ON VIEW gaps IS 'gap with names instead of keys.';

-- The check on the ledger: what is really missing. Looks at every stored trade of the days between, so it takes a while.
CREATE FUNCTION missing_trades(from_day date, to_day date)
RETURNS TABLE (exchange text, ticker text, first_trade_id bigint, last_trade_id bigint, trades bigint, in_ledger boolean)
LANGUAGE sql STABLE AS $$
    WITH numbered AS (
        SELECT ticker_id, trade_id, lead(trade_id) OVER (PARTITION BY ticker_id ORDER BY trade_id) AS next_id
        FROM price
        WHERE trade_id IS NOT NULL AND time >= from_day AND time < to_day + 1
    ), hole AS (
        SELECT ticker_id, trade_id + 1 AS first_id, next_id - 1 AS last_id FROM numbered WHERE next_id > trade_id + 1
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
COMMENT ON FUNCTION missing_trades IS 'Runs of trade numbers missing between the first and the last stored trade of each pair in these UTC days, and whether the gap ledger knows of them.';
