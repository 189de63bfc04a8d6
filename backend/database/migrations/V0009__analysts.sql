-- What analysts read: views with plain names, a price at any moment, and a role that reads and changes nothing.
--
-- Every view is plain SQL over indexes: a condition on the pair, and one on the time, reaches the table below. So none of
-- them looks at a neighbouring row by a window function, through which no condition on the time would pass.

CREATE FUNCTION pair_id(exchange text, ticker text) RETURNS integer LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_column
DECLARE
    found integer;
BEGIN
    SELECT listed.id INTO found FROM ticker AS listed JOIN exchange AS venue ON venue.id = listed.exchange_id
    WHERE venue.name = lower(pair_id.exchange) AND listed.ticker = pair_id.ticker;
    IF found IS NULL THEN
        RAISE no_data_found USING
            MESSAGE = format('exchange "%s" lists no ticker "%s"', pair_id.exchange, pair_id.ticker),
            HINT = 'The view tickers has every pair; tickers are spelled as the exchange does.';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION pair_id IS 'The key of a pair, ticker.id, for functions that take keys; an error where the exchange lists no such ticker.';

-- The last tick; and the close of the last minute that was over then, for times whose ticks are not kept.
CREATE FUNCTION price_at(exchange text, ticker text, moment timestamptz)
RETURNS TABLE (price numeric, "time" timestamptz, age interval) LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT last.price, last.time, price_at.moment - last.time
    FROM (
        (SELECT price.price, price.time FROM price
         WHERE price.ticker_id = pair_id(price_at.exchange, price_at.ticker) AND price.time <= price_at.moment
         ORDER BY price.time DESC, price.trade_id DESC LIMIT 1)
        UNION ALL
        (SELECT candle.close, candle.last_time FROM candle
         WHERE candle.ticker_id = pair_id(price_at.exchange, price_at.ticker) AND candle.width = '1m'
           AND candle.open_time <= price_at.moment - interval '60 seconds'
         ORDER BY candle.open_time DESC LIMIT 1)) AS last (price, time)
    ORDER BY last.time DESC LIMIT 1
$$;
COMMENT ON FUNCTION price_at IS 'The price of a pair at a moment: the newest that was made until then, when that was, and how long before the moment. No row where none was. Where ticks are no longer kept, the close of the last whole minute.';

CREATE VIEW latest_prices AS
SELECT exchange.name AS exchange, ticker.ticker, base.code AS base, quote.code AS quote, newest.price, newest.time,
       now() - newest.time AS age, newest.received_at, newest.source
FROM ticker
JOIN exchange ON exchange.id = ticker.exchange_id
JOIN symbol base ON base.id = ticker.base_id
JOIN symbol quote ON quote.id = ticker.quote_id
CROSS JOIN LATERAL (
    SELECT price, time, received_at, source FROM price
    WHERE price.ticker_id = ticker.id ORDER BY time DESC, trade_id DESC LIMIT 1) AS newest
WHERE ticker.first_tick_at IS NOT NULL;
COMMENT ON VIEW latest_prices IS 'The newest price of every recorded pair, and how old it is.';
COMMENT ON COLUMN latest_prices.base IS 'Code of the coin that is bought and sold: BTC.';
COMMENT ON COLUMN latest_prices.quote IS 'Code of what it is priced in: USDT.';
COMMENT ON COLUMN latest_prices.age IS 'How long ago it happened.';

CREATE VIEW candles_1m AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin
FROM candles WHERE width = '1m';
COMMENT ON VIEW candles_1m IS 'Candles of one minute.';

CREATE VIEW candles_5m AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin, minutes
FROM candles WHERE width = '5m';
COMMENT ON VIEW candles_5m IS 'Candles of five minutes; each is there when its five minutes are over.';

CREATE VIEW candles_1h AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin, minutes
FROM candles WHERE width = '1h';
COMMENT ON VIEW candles_1h IS 'Candles of an hour of UTC. The last one grows every five minutes.';

CREATE VIEW candles_1d AS
SELECT exchange, ticker, open_time, open, high, low, close, volume, quote_volume, trades, ticks, mean_price, is_final, updated_at,
       revision, origin, minutes
FROM candles WHERE width = '1d';
COMMENT ON VIEW candles_1d IS 'Candles of a day of UTC. The last one grows every five minutes.';

CREATE VIEW daily_returns AS
SELECT exchange.name AS exchange, ticker.ticker, (candle.open_time AT TIME ZONE 'UTC')::date AS day, candle.close,
       before.close AS close_before, candle.close / before.close - 1 AS return, ln(candle.close / before.close) AS log_return,
       candle.open_time + interval '24 hours' <= now() AS is_final, candle.open_time
FROM candle
JOIN ticker ON ticker.id = candle.ticker_id
JOIN exchange ON exchange.id = ticker.exchange_id
LEFT JOIN candle AS before ON before.ticker_id = candle.ticker_id AND before.width = '1d'
                          AND before.open_time = candle.open_time - interval '24 hours'
WHERE candle.width = '1d';
COMMENT ON VIEW daily_returns IS 'How the last price of each UTC day changed against that of the day right before.';
COMMENT ON COLUMN daily_returns.day IS 'The day, in UTC.';
COMMENT ON COLUMN daily_returns.close IS 'The last price of the day; until the day is over, the last one so far.';
COMMENT ON COLUMN daily_returns.close_before IS 'The last price of the day before; null where that day has none.';
COMMENT ON COLUMN daily_returns.return IS 'close / close_before - 1; null where the day before has no price.';
COMMENT ON COLUMN daily_returns.log_return IS 'Natural logarithm of close / close_before: what adds up over days.';
COMMENT ON COLUMN daily_returns.is_final IS 'Whether the day is over.';

CREATE VIEW volatility AS
SELECT exchange.name AS exchange, ticker.ticker, span.from_time, span.to_time, day.open, day.high, day.low, day.close,
       day.price_sum / day.ticks AS mean_price, deviation(day.ticks, day.price_sum, day.square_sum) AS deviation,
       day.changes AS returns, returns.deviation AS return_deviation, returns.deviation * sqrt(525600.0) AS annual_deviation,
       day.volume, day.quote_volume, day.trades, day.minutes
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
COMMENT ON COLUMN volatility.trades IS 'Trades.';
COMMENT ON COLUMN volatility.minutes IS 'Minutes that have prices, of 1440.';

-- The missing ones alone, by pair and time: those that were filled are many.
CREATE INDEX gap_missing_at ON gap (ticker_id, coalesce(from_time, to_time, found_at))
    WHERE state IN ('open', 'filling', 'unfillable');

CREATE VIEW coverage AS
SELECT exchange.name AS exchange, ticker.ticker, (day.begin AT TIME ZONE 'UTC')::date AS day,
       coalesce(candle.minutes, 0) AS minutes, minute.expected AS minutes_expected,
       round(100.0 * coalesce(candle.minutes, 0) / nullif(minute.expected, 0), 2) AS percent,
       coalesce(candle.trades, 0) AS trades, coalesce(hole.missing, 0) AS trades_missing
FROM ticker
JOIN exchange ON exchange.id = ticker.exchange_id
CROSS JOIN LATERAL (
    SELECT date_trunc('minute', least(ticker.first_tick_at, (
               SELECT first_time FROM candle WHERE ticker_id = ticker.id AND width = '1d' ORDER BY open_time LIMIT 1)), 'UTC'),
           least(rolled_until(), ticker.delisted_at)) AS recorded (from_time, to_time)
CROSS JOIN LATERAL generate_series(
    date_trunc('day', recorded.from_time, 'UTC'), recorded.to_time - interval '1 microsecond', interval '24 hours') AS day (begin)
CROSS JOIN LATERAL (
    SELECT greatest(0, extract(epoch FROM least(day.begin + interval '24 hours', recorded.to_time)
                                        - greatest(day.begin, recorded.from_time))::integer / 60)) AS minute (expected)
LEFT JOIN LATERAL (
    SELECT minutes, trades FROM candle
    WHERE candle.ticker_id = ticker.id AND candle.width = '1d' AND candle.open_time = day.begin LIMIT 1) AS candle ON true
LEFT JOIN LATERAL (
    SELECT sum(gap.missing)::bigint FROM gap
    WHERE gap.ticker_id = ticker.id AND gap.state IN ('open', 'filling', 'unfillable')
      AND coalesce(gap.from_time, gap.to_time, gap.found_at) >= day.begin
      AND coalesce(gap.from_time, gap.to_time, gap.found_at) < day.begin + interval '24 hours') AS hole (missing) ON true
WHERE ticker.first_tick_at IS NOT NULL;
COMMENT ON VIEW coverage IS 'How complete each UTC day of each recorded pair is, from its first price until now or until it was delisted; days without any price too.';
COMMENT ON COLUMN coverage.day IS 'The day, in UTC.';
COMMENT ON COLUMN coverage.minutes IS 'Minutes of it that have a price. A minute in which a quiet pair was not traded has none, and nothing is wrong with it: see trades_missing.';
COMMENT ON COLUMN coverage.minutes_expected IS 'Minutes that there were: 1440, fewer on the first day and today.';
COMMENT ON COLUMN coverage.percent IS 'minutes in percent of minutes_expected; null in the first minutes.';
COMMENT ON COLUMN coverage.trades IS 'Trades that are stored or counted in candles; 0 where only polled prices are known.';
COMMENT ON COLUMN coverage.trades_missing IS 'Trades of which the gap ledger knows that they are missing still. A hole counts on the day on which it begins.';

COMMENT ON COLUMN tickers.base IS 'Code of the coin that is bought and sold: BTC.';
COMMENT ON COLUMN tickers.coin IS 'Its name: bitcoin.';
COMMENT ON COLUMN tickers.quote IS 'Code of what it is priced in: USDT.';
COMMENT ON COLUMN markets.base IS 'Code of the coin that is bought and sold: BTC.';
COMMENT ON COLUMN markets.quote IS 'Code of what it is priced in: USDT.';
COMMENT ON COLUMN markets.change_24h IS 'How the price changed in the 24 hours: price / open_24h - 1.';
COMMENT ON COLUMN prices.exchange_time IS 'When the exchange says it happened; null where it gave no time.';
COMMENT ON COLUMN candles.mean_price IS 'Mean of the prices of its ticks, unweighted; where origin is "exchange", weighted by volume, since the exchange tells no other.';
COMMENT ON COLUMN candles.is_final IS 'Whether the interval is over; a late tick may still correct it.';
COMMENT ON COLUMN candles.origin IS 'Where it comes from. "stream"; "backfill": trades in it were fetched afterwards; "exchange": it is, in part, the exchange''s own candle, since trades could not be had; "polls": only polled prices are known.';
COMMENT ON COLUMN candles.minutes IS 'How many of its minutes have prices.';
COMMENT ON COLUMN gaps.trades IS 'How many trades were missing when it was found.';
COMMENT ON COLUMN dead_letters.bytes IS 'Length of the message.';

-- What is not said of a view's column here is what the table or view below says of it.
DO $$
DECLARE
    told record;
    uncommented record;
BEGIN
    FOR told IN
        SELECT oid, relname FROM pg_class
        WHERE relkind = 'v'
          AND (relnamespace, relowner) = (SELECT relnamespace, relowner FROM pg_class WHERE oid = 'price'::regclass)
        ORDER BY oid
    LOOP
        FOR uncommented IN
            SELECT shown.attname, min(col_description(below.attrelid, below.attnum)) AS description
            FROM pg_rewrite AS rule
            JOIN pg_depend AS reads ON reads.classid = 'pg_rewrite'::regclass AND reads.objid = rule.oid
                                   AND reads.refclassid = 'pg_class'::regclass AND reads.refobjid <> told.oid
            JOIN pg_attribute AS below ON below.attrelid = reads.refobjid AND below.attnum = reads.refobjsubid
            JOIN pg_attribute AS shown
              ON shown.attrelid = told.oid
             AND shown.attname = CASE WHEN below.attrelid = 'exchange'::regclass AND below.attname = 'name' THEN 'exchange'
                                      ELSE below.attname END
            WHERE rule.ev_class = told.oid AND col_description(told.oid, shown.attnum) IS NULL
            GROUP BY shown.attname
            HAVING count(DISTINCT col_description(below.attrelid, below.attnum)) = 1
        LOOP
            EXECUTE format('COMMENT ON COLUMN %I.%I IS %L', told.relname, uncommented.attname, uncommented.description);
        END LOOP;
    END LOOP;
END $$;

-- Of the rights of whoever owns the tables, an analyst has those to read, of what is there now and of what that owner makes
-- later. A table that analysts must not read, and a routine that changes something, are taken from them where they are made.
CREATE PROCEDURE grant_analyst() LANGUAGE plpgsql AS $$
DECLARE
    place text;
    owner text;
    relation regclass;
BEGIN
    SELECT quote_ident(nspname), quote_ident(rolname) INTO place, owner
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_roles ON pg_roles.oid = relowner
    WHERE pg_class.oid = 'price'::regclass;
    EXECUTE format('GRANT USAGE ON SCHEMA %s TO analyst', place);
    FOR relation IN
        SELECT oid FROM pg_class
        WHERE relnamespace = to_regnamespace(place) AND relowner = to_regrole(owner) AND relkind IN ('r', 'p', 'v')
    LOOP
        EXECUTE format('GRANT SELECT ON %s TO analyst', relation);
    END LOOP;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %s IN SCHEMA %s GRANT SELECT ON TABLES TO analyst', owner, place);
    -- Databases that come from before PostgreSQL 15 let everybody make tables here.
    IF has_schema_privilege('analyst', to_regnamespace(place), 'CREATE') THEN
        EXECUTE format('REVOKE CREATE ON SCHEMA %s FROM PUBLIC', place);
    END IF;
END $$;
COMMENT ON PROCEDURE grant_analyst IS 'Gives the role analyst its rights. The migration calls it; by hand it is called where the role was made later.';

-- What is set for a group does not reach its members, so the limits are set for each login.
CREATE PROCEDURE create_analyst(name text, password text DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE
    known pg_roles;
    setting text;
BEGIN
    IF to_regrole('analyst') IS NULL THEN
        RAISE undefined_object USING MESSAGE = 'there is no role analyst',
            HINT = 'Run CREATE ROLE analyst; and CALL grant_analyst(); as a user who may make roles.';
    END IF;
    SELECT * INTO known FROM pg_roles WHERE rolname = name;
    IF known.oid IS NULL THEN
        EXECUTE format('CREATE ROLE %I LOGIN CONNECTION LIMIT 20 IN ROLE analyst', name);
    ELSIF known.rolsuper
       OR NOT EXISTS (SELECT FROM pg_auth_members WHERE roleid = to_regrole('analyst') AND member = known.oid) THEN
        RAISE duplicate_object USING MESSAGE = format('the role "%s" is there already and is no analyst', name),
            HINT = 'Choose another name.';
    END IF;
    IF password IS NOT NULL THEN
        EXECUTE format('ALTER ROLE %I PASSWORD %L', name, password);
    END IF;
    FOREACH setting IN ARRAY ARRAY['default_transaction_read_only = on', 'statement_timeout = ''60s''', 'lock_timeout = ''5s''',
                                   'idle_in_transaction_session_timeout = ''60s''']
    LOOP
        EXECUTE format('ALTER ROLE %I SET %s', name, setting);
    END LOOP;
END $$;
COMMENT ON PROCEDURE create_analyst IS 'Makes a login that may read everything and change nothing, with limits on how long a question may take; called again, it sets the password anew. Without a password, psql''s \password sets one that no log sees.';

REVOKE EXECUTE ON ROUTINE price_ticker_exists(), ticker_keeps_its_prices(), mark_stale_candles(), create_price_partition(date),
    create_candle_partition(date), replay_dead_letter, drop_dead_letter, take_minutes, grant_analyst, create_analyst FROM PUBLIC;

-- A role belongs to the whole server: another database may be making it at this moment.
DO $$
BEGIN
    BEGIN
        CREATE ROLE analyst;
        COMMENT ON ROLE analyst IS 'May read what crypto-tracker records. Logins are made by create_analyst().';
    EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;
        WHEN insufficient_privilege THEN
            RAISE NOTICE 'the role analyst was not made, for want of the right to make roles'
                USING HINT = 'An administrator runs CREATE ROLE analyst; and CALL grant_analyst(); in this database.';
    END;
    IF to_regrole('analyst') IS NOT NULL THEN
        CALL grant_analyst();
    END IF;
END $$;
