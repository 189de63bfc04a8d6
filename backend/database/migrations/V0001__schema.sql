-- Exchanges, coins, pairs, prices and candles.
--
-- The one place where a tick becomes unique is price_once, the unique key of price. Everything else that must happen
-- once per tick (folding it into a candle) happens in the transaction that inserts it, from the rows that were new.

CREATE TYPE tick_source AS ENUM ('stream', 'poll');
CREATE TYPE side AS ENUM ('buy', 'sell');

CREATE TABLE coin_name (
    code text PRIMARY KEY CHECK (code = upper(code)),
    name text NOT NULL UNIQUE CHECK (name = lower(name))
);
COMMENT ON TABLE coin_name IS 'Names of well-known coins and currencies. Reference data: what is recorded stands in symbol.';
COMMENT ON COLUMN coin_name.code IS 'Code, upper-case: BTC.';
COMMENT ON COLUMN coin_name.name IS 'Name, lower-case: bitcoin.';

CREATE TABLE exchange (
    id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (name = lower(name) AND name <> ''),
    country text
);
COMMENT ON TABLE exchange IS 'Trading venues. "simulated" is the exchange in a box, never a real market.';
COMMENT ON COLUMN exchange.id IS 'Key.';
COMMENT ON COLUMN exchange.name IS 'Name, lower-case: binance.';
COMMENT ON COLUMN exchange.country IS 'Where it is seated, lower-case, if known.';

CREATE TABLE symbol (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE CHECK (code <> ''),
    name text NOT NULL UNIQUE CHECK (name <> '')
);
COMMENT ON TABLE symbol IS 'Coins and currencies that some exchange lists.';
COMMENT ON COLUMN symbol.id IS 'Key.';
COMMENT ON COLUMN symbol.code IS 'Code: BTC. Exchanges'' own spellings (XBT) are translated before they come here.';
COMMENT ON COLUMN symbol.name IS 'Name, lower-case: bitcoin. Where coin_name knows none, the code in lower-case.';

CREATE TABLE ticker (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange_id smallint NOT NULL REFERENCES exchange,
    ticker text NOT NULL CHECK (ticker <> ''),
    base_id integer NOT NULL REFERENCES symbol,
    quote_id integer NOT NULL REFERENCES symbol,
    status text NOT NULL CHECK (status IN ('trading', 'halted')),
    first_tick_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (exchange_id, ticker)
);
CREATE INDEX ticker_base ON ticker (base_id);
CREATE INDEX ticker_recorded ON ticker (id) WHERE first_tick_at IS NOT NULL;
COMMENT ON TABLE ticker IS 'Pairs that exchanges list: BTCUSDT is the coin BTC priced in USDT.';
COMMENT ON COLUMN ticker.id IS 'Key.';
COMMENT ON COLUMN ticker.exchange_id IS 'Who lists it.';
COMMENT ON COLUMN ticker.ticker IS 'The exchange''s own spelling: BTCUSDT.';
COMMENT ON COLUMN ticker.base_id IS 'The coin that is bought and sold.';
COMMENT ON COLUMN ticker.quote_id IS 'What it is priced in.';
COMMENT ON COLUMN ticker.status IS '"trading", or "halted" by the exchange, as of its last catalogue.';
COMMENT ON COLUMN ticker.first_tick_at IS 'When the first of its prices was stored; null while none is.';
COMMENT ON COLUMN ticker.updated_at IS 'When a catalogue last changed this row.';

CREATE TABLE price (
    time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    trade_id bigint,
    ticker_id integer NOT NULL,
    source tick_source NOT NULL,
    taker_side side,
    price numeric NOT NULL CHECK (price > 0),
    quantity numeric CHECK (quantity > 0),
    CONSTRAINT price_once UNIQUE NULLS NOT DISTINCT (ticker_id, time, trade_id)
) PARTITION BY RANGE (time);
COMMENT ON TABLE price IS 'Price observations, one row each: trades from the stream, and polled prices. One partition per UTC day.';
COMMENT ON COLUMN price.time IS 'When the exchange says it happened; for source "poll", which carries no time, when it was received.';
COMMENT ON COLUMN price.received_at IS 'When it reached the tracker.';
COMMENT ON COLUMN price.stored_at IS 'When the transaction that stored it began.';
COMMENT ON COLUMN price.trade_id IS 'The exchange''s number of the trade; null for source "poll".';
COMMENT ON COLUMN price.ticker_id IS 'The pair.';
COMMENT ON COLUMN price.source IS '"stream": a live trade. "poll": a price asked for by REST.';
COMMENT ON COLUMN price.taker_side IS 'What the taker did; null for source "poll".';
COMMENT ON COLUMN price.price IS 'Units of the quote for one unit of the base, exactly as the exchange wrote it.';
COMMENT ON COLUMN price.quantity IS 'Units of the base that changed hands; null for source "poll".';

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
    width text NOT NULL CHECK (width IN ('1m')),
    open numeric NOT NULL,
    high numeric NOT NULL,
    low numeric NOT NULL,
    close numeric NOT NULL,
    volume numeric NOT NULL,
    quote_volume numeric NOT NULL,
    price_sum numeric NOT NULL,
    PRIMARY KEY (ticker_id, width, open_time)
) WITH (fillfactor = 50);
COMMENT ON TABLE candle IS 'One-minute candles, folded in the transaction that stores the ticks. Wider ones are made from these when asked for.';
COMMENT ON COLUMN candle.open_time IS 'Where the interval begins.';
COMMENT ON COLUMN candle.first_time IS 'When its earliest tick happened.';
COMMENT ON COLUMN candle.last_time IS 'When its latest tick happened.';
COMMENT ON COLUMN candle.updated_at IS 'When ticks were last folded in.';
COMMENT ON COLUMN candle.first_trade_id IS 'Trade number of its earliest tick; -1 for a polled price.';
COMMENT ON COLUMN candle.last_trade_id IS 'Trade number of its latest tick; -1 for a polled price.';
COMMENT ON COLUMN candle.trades IS 'Trades in it; 0 where it is made of polled prices.';
COMMENT ON COLUMN candle.ticks IS 'Ticks in it: the trades, or else the polled prices. The divisor of the mean price.';
COMMENT ON COLUMN candle.ticker_id IS 'The pair.';
COMMENT ON COLUMN candle.width IS 'Width of the interval: 1m.';
COMMENT ON COLUMN candle.open IS 'Price of the earliest tick.';
COMMENT ON COLUMN candle.high IS 'Highest price.';
COMMENT ON COLUMN candle.low IS 'Lowest price.';
COMMENT ON COLUMN candle.close IS 'Price of the latest tick.';
COMMENT ON COLUMN candle.volume IS 'Units of the base that changed hands.';
COMMENT ON COLUMN candle.quote_volume IS 'Units of the quote that changed hands.';
COMMENT ON COLUMN candle.price_sum IS 'Sum of the prices of the ticks; divided by ticks it is the mean price.';

-- The foreign key from price to ticker. A declared one looks at ticker once per row, which more than doubles the cost of
-- storing a tick; this looks once per statement, at the distinct tickers, and costs a fifth of that.
CREATE FUNCTION price_ticker_exists() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    missing integer;
BEGIN
    SELECT ticker_id INTO missing
    FROM (SELECT DISTINCT ticker_id FROM stored) AS stored_ticker
    WHERE NOT EXISTS (SELECT FROM ticker WHERE id = ticker_id)
    LIMIT 1;
    IF FOUND THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('price.ticker_id %s is not in table ticker', missing), TABLE = 'price', COLUMN = 'ticker_id';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION price_ticker_exists IS 'Refuses prices of a ticker that does not exist.';
CREATE TRIGGER price_ticker_exists AFTER INSERT ON price
    REFERENCING NEW TABLE AS stored FOR EACH STATEMENT EXECUTE FUNCTION price_ticker_exists();

CREATE FUNCTION ticker_keeps_its_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.first_tick_at IS NOT NULL OR EXISTS (SELECT FROM price WHERE ticker_id = OLD.id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('ticker %s has prices; delete those first and set first_tick_at to null', OLD.ticker);
    END IF;
    RETURN OLD;
END $$;
COMMENT ON FUNCTION ticker_keeps_its_prices IS 'Refuses to delete a ticker that has prices.';
CREATE TRIGGER ticker_keeps_its_prices BEFORE DELETE ON ticker
    FOR EACH ROW EXECUTE FUNCTION ticker_keeps_its_prices();

-- Creates the partition of one UTC day where it is missing. Takes its own lock, so that writers do not race. Attaching a
-- table that stands already lets readers and writers of price go on, which creating it as a partition would not; and it
-- gives up, to be tried again, rather than wait for long and make everybody else wait behind it.
CREATE FUNCTION create_price_partition(day date) RETURNS boolean LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    partition text := 'price_' || to_char(day, 'YYYY_MM_DD');
BEGIN
    IF to_regclass(partition) IS NOT NULL THEN
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
COMMENT ON FUNCTION create_price_partition IS 'Creates the partition of price for one UTC day; false where it stands already.';

CREATE VIEW tickers AS
SELECT exchange.name AS exchange, ticker.ticker, base.code AS base, base.name AS coin, quote.code AS quote,
       ticker.status, ticker.first_tick_at
FROM ticker
JOIN exchange ON exchange.id = ticker.exchange_id
JOIN symbol base ON base.id = ticker.base_id
JOIN symbol quote ON quote.id = ticker.quote_id;
COMMENT ON VIEW tickers IS 'ticker with names instead of keys.';

CREATE VIEW prices AS
SELECT exchange.name AS exchange, ticker.ticker, price.time,
       CASE WHEN price.source <> 'poll' THEN price.time END AS exchange_time,
       price.received_at, price.stored_at, price.trade_id, price.price, price.quantity, price.taker_side, price.source
FROM price
JOIN ticker ON ticker.id = price.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;
COMMENT ON VIEW prices IS 'price with names instead of keys; exchange_time is null where the exchange gave none.';

CREATE VIEW candles AS
SELECT exchange.name AS exchange, ticker.ticker, candle.width, candle.open_time, candle.open, candle.high, candle.low,
       candle.close, candle.volume, candle.quote_volume, candle.trades, candle.ticks,
       candle.price_sum / candle.ticks AS mean_price,
       candle.open_time + interval '1 minute' <= now() AS is_final, candle.updated_at
FROM candle
JOIN ticker ON ticker.id = candle.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id;
COMMENT ON VIEW candles IS 'candle with names instead of keys, the mean price, and whether the interval is over.';
