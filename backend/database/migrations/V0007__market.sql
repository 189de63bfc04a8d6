-- The whole market of an exchange: the newest word about each pair, which pairs are listed and since when, and the exchange's own
-- minutes taken over, for pairs whose trades are not recorded and for times before they were.

-- Since when a pair is listed, until when it was, and under which name it goes on.
ALTER TABLE ticker DROP CONSTRAINT ticker_status_check;
ALTER TABLE ticker ADD CONSTRAINT ticker_status_check CHECK (status IN ('trading', 'halted', 'delisted'));
ALTER TABLE ticker ADD COLUMN listed_at timestamptz;
-- Of what was known before, the earliest trace.
UPDATE ticker SET listed_at = least(first_tick_at, updated_at);
ALTER TABLE ticker ALTER COLUMN listed_at SET DEFAULT now(), ALTER COLUMN listed_at SET NOT NULL;
ALTER TABLE ticker ADD COLUMN delisted_at timestamptz;
ALTER TABLE ticker ADD COLUMN renamed_to integer REFERENCES ticker;
ALTER TABLE ticker ADD CONSTRAINT ticker_delisted_check CHECK ((status = 'delisted') = (delisted_at IS NOT NULL));
COMMENT ON COLUMN ticker.status IS '"trading", or "halted" by the exchange, as of its last catalogue; "delisted" when that does not list it any more.';
COMMENT ON COLUMN ticker.listed_at IS 'When a catalogue first listed it; of a pair that was known before this was kept, the earliest trace of it.';
COMMENT ON COLUMN ticker.delisted_at IS 'When a catalogue no longer listed it; null while it is listed.';
COMMENT ON COLUMN ticker.renamed_to IS 'The pair under which it goes on: the same coins in another spelling, listed anew by the catalogue that no longer listed this one. Null otherwise.';

ALTER TABLE exchange ADD COLUMN catalogue_at timestamptz;
COMMENT ON COLUMN exchange.catalogue_at IS 'When the newest catalogue that is stored was taken; null before the first that says so.';

CREATE OR REPLACE VIEW tickers AS
SELECT exchange.name AS exchange, ticker.ticker, base.code AS base, base.name AS coin, quote.code AS quote,
       ticker.status, ticker.first_tick_at, ticker.listed_at, ticker.delisted_at, successor.ticker AS renamed_to
FROM ticker
JOIN exchange ON exchange.id = ticker.exchange_id
JOIN symbol base ON base.id = ticker.base_id
JOIN symbol quote ON quote.id = ticker.quote_id
LEFT JOIN ticker successor ON successor.id = ticker.renamed_to;

-- Half empty pages, so that a row that changes every second stays on its page.
CREATE TABLE market (
    time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    ticker_id integer PRIMARY KEY REFERENCES ticker,
    price numeric NOT NULL CHECK (price > 0),
    open_24h numeric,
    high_24h numeric,
    low_24h numeric,
    volume_24h numeric,
    quote_volume_24h numeric
) WITH (fillfactor = 50);
COMMENT ON TABLE market IS 'The newest word of an exchange about each of its pairs, one row a pair. Statistics are of the 24 hours that end at time, rolling; null where the exchange tells none.';
COMMENT ON COLUMN market.time IS 'When the exchange says it was so; where it does not say, when it was received. What is older changes nothing.';
COMMENT ON COLUMN market.received_at IS 'When it reached the tracker.';
COMMENT ON COLUMN market.updated_at IS 'When the transaction that stored it began.';
COMMENT ON COLUMN market.ticker_id IS 'The pair.';
COMMENT ON COLUMN market.price IS 'The last price: units of the quote for one unit of the base.';
COMMENT ON COLUMN market.open_24h IS 'The price 24 hours ago; of a pair listed since, its first.';
COMMENT ON COLUMN market.high_24h IS 'The highest price of the 24 hours.';
COMMENT ON COLUMN market.low_24h IS 'The lowest price of the 24 hours.';
COMMENT ON COLUMN market.volume_24h IS 'Units of the base that changed hands in the 24 hours.';
COMMENT ON COLUMN market.quote_volume_24h IS 'Units of the quote that changed hands in the 24 hours.';

CREATE VIEW markets AS
SELECT exchange.name AS exchange, ticker.ticker, base.code AS base, quote.code AS quote, market.time, market.price,
       market.price / market.open_24h - 1 AS change_24h, market.open_24h, market.high_24h, market.low_24h,
       market.volume_24h, market.quote_volume_24h, market.received_at, market.updated_at
FROM market
JOIN ticker ON ticker.id = market.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id
JOIN symbol base ON base.id = ticker.base_id
JOIN symbol quote ON quote.id = ticker.quote_id;
COMMENT ON VIEW markets IS 'market with names instead of keys, and the change within 24 hours as a fraction.';

CREATE TABLE backfill (
    from_time timestamptz NOT NULL,
    to_time timestamptz NOT NULL,
    done_until timestamptz NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    ticker_id integer NOT NULL REFERENCES ticker,
    PRIMARY KEY (ticker_id, from_time),
    CHECK (from_time < to_time AND done_until BETWEEN from_time AND to_time)
);
COMMENT ON TABLE backfill IS 'How far candles of the past were asked for with crypto-tracker backfill, one row for each pair and beginning.';
COMMENT ON COLUMN backfill.from_time IS 'Where it began.';
COMMENT ON COLUMN backfill.to_time IS 'Where it is to end.';
COMMENT ON COLUMN backfill.done_until IS 'Everything before this moment is stored.';
COMMENT ON COLUMN backfill.updated_at IS 'When something was last stored.';
COMMENT ON COLUMN backfill.ticker_id IS 'The pair.';

-- The exchange's candles take the place of ours where they count more trades, and of none. What is told again changes nothing. The
-- report is the body of a message of kind "minutes" (docs/MESSAGES.md); with "backfill": {"from", "to"} beside, how far it got is
-- noted in the same transaction.
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
    ORDER BY told.open_time
    ON CONFLICT (ticker_id, width, open_time) DO UPDATE
    SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close, volume = excluded.volume,
        quote_volume = excluded.quote_volume, trades = excluded.trades, ticks = excluded.ticks,
        price_sum = excluded.price_sum, square_sum = excluded.square_sum, first_time = excluded.first_time, first_trade_id = -1,
        last_time = excluded.last_time, last_trade_id = -1, revision = old.revision + 1, from_exchange = true,
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
COMMENT ON PROCEDURE take_minutes IS 'Takes over one-minute candles of the exchange where they count more trades than ours; says how many.';
