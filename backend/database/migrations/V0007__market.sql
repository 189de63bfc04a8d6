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
