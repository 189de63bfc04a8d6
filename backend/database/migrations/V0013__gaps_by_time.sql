-- Not every exchange numbers the trades of a pair one after the other. Where it does not, what is missing is known by time only.

ALTER TABLE exchange ADD COLUMN numbers_trades boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN exchange.numbers_trades IS 'Whether it numbers the trades of each pair without leaving numbers out, so that a jump tells which are missing.';

ALTER TABLE gap ADD COLUMN by_time boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN gap.by_time IS 'The exchange''s numbers do not tell what is missing: the hole is the time from from_time to to_time, in which trades may be missing, and nobody knows how many.';
COMMENT ON COLUMN gap.first_trade_id IS 'Number of the first trade that was missing; where by_time, the moment where the hole begins, in microseconds since 1970.';
COMMENT ON COLUMN gap.last_trade_id IS 'Number of the last trade that was missing; where by_time, the moment where the hole ends, in microseconds since 1970.';
COMMENT ON COLUMN gap.missing IS 'How many of its trades are missing still; for "confirmed_empty", how many numbers the exchange has no trade for; 0 where by_time, of which nobody knows.';

CREATE OR REPLACE VIEW gaps AS
SELECT exchange.name AS exchange, ticker.ticker, CASE WHEN NOT by_time THEN gap.first_trade_id END AS first_trade_id,
       CASE WHEN NOT by_time THEN gap.last_trade_id END AS last_trade_id,
       CASE WHEN NOT by_time THEN gap.last_trade_id - gap.first_trade_id + 1 END AS trades,
       CASE WHEN NOT by_time THEN gap.missing END AS missing, gap.cause, gap.state, gap.from_time, gap.to_time,
       gap.attempts, gap.detail, gap.found_at, gap.updated_at, gap.by_time
FROM gap
JOIN ticker ON ticker.id = gap.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;
COMMENT ON COLUMN gaps.first_trade_id IS 'Number of the first trade that was missing; null where by_time.';
COMMENT ON COLUMN gaps.last_trade_id IS 'Number of the last trade that was missing; null where by_time.';
COMMENT ON COLUMN gaps.trades IS 'How many trades were missing when it was found; null where by_time.';
COMMENT ON COLUMN gaps.missing IS 'How many are missing still; null where by_time.';
COMMENT ON COLUMN gaps.by_time IS 'The exchange''s numbers do not tell what is missing: trades may be, between from_time and to_time.';

CREATE OR REPLACE FUNCTION missing_trades(from_day date, to_day date)
RETURNS TABLE (exchange text, ticker text, first_trade_id bigint, last_trade_id bigint, trades bigint, in_ledger boolean)
LANGUAGE sql STABLE AS $$
    WITH numbered AS (
        SELECT ticker_id, trade_id, lead(trade_id) OVER (PARTITION BY ticker_id ORDER BY trade_id) AS next_id
        FROM price
        WHERE trade_id IS NOT NULL AND time >= from_day AND time < to_day + 1
          AND ticker_id IN (SELECT ticker.id FROM ticker JOIN exchange ON exchange.id = ticker.exchange_id
                            WHERE exchange.numbers_trades)
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
COMMENT ON FUNCTION missing_trades IS 'Runs of trade numbers missing between the first and the last stored trade of each pair in these UTC days, and whether the gap ledger knows of them; of exchanges that number trades without leaving numbers out.';
