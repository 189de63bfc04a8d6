-- Ten days of trades made by arithmetic, so that they are the same everywhere: of each pair one every four hours, and one
-- every thirty seconds in the last two hours. Prices follow a wave that the pairs of one exchange share from day to day, and
-- a smaller one of their own.
WITH pair (exchange, ticker, start, begins, lag_ms, own) AS (VALUES
    ('binance', 'BTCUSDT', 84000.00, timestamptz '2025-03-24 00:00:00Z', 40, 3),
    ('binance', 'ETHUSDT', 1900.00, timestamptz '2025-03-24 00:00:00Z', 45, 7),
    ('binance_us', 'BTCUSDT', 84030.00, timestamptz '2025-04-02 10:00:00Z', 80, 5)
), moment AS (
    SELECT generate_series(timestamptz '2025-03-24 00:00:00Z', '2025-04-02 08:00:00Z', '4 hours') AS time
    UNION ALL
    SELECT generate_series(timestamptz '2025-04-02 10:00:00Z', '2025-04-02 11:59:30Z', '30 seconds')
), numbered AS (
    SELECT pair.*, moment.time, extract(epoch FROM moment.time - timestamptz '2025-03-24Z')::int / 86400 AS day,
           row_number() OVER (PARTITION BY exchange, ticker ORDER BY moment.time)::int AS k
    FROM pair JOIN moment ON moment.time >= pair.begins
), trade AS (
    SELECT exchange, ticker, 1000 + k AS trade_id, time, time + lag_ms * (1 + k % 4) * interval '1 ms' AS received_at,
           round(start * (10000 + (day * day * 31 + day * 17) % 301 - 150 + (k * k * own + k * 13) % 41 - 20) / 10000, 2) AS price,
           (1 + k * k * own % 19) * CASE ticker WHEN 'BTCUSDT' THEN 0.01 ELSE 0.25 END AS quantity,
           CASE WHEN k * own % 5 < 3 THEN 'buy' ELSE 'sell' END AS taker_side
    FROM numbered
)
SELECT exchange, ticker, trade_id::bigint, time, received_at, price, quantity, taker_side,
       -- Four trades that the stream did not bring were fetched afterwards.
       CASE WHEN ticker = 'ETHUSDT' AND trade_id BETWEEN 1101 AND 1104 THEN 'backfill' ELSE 'stream' END AS source
FROM trade
-- Six were never had: two holes, of which the ledger of gaps knows.
WHERE NOT (exchange = 'binance' AND ticker = 'BTCUSDT' AND trade_id BETWEEN 1198 AND 1201)
  AND NOT (ticker = 'ETHUSDT' AND trade_id BETWEEN 1020 AND 1021)
UNION ALL
-- A price that was asked for.
SELECT 'binance', 'ETHUSDT', NULL, '2025-04-02 11:59:50Z', '2025-04-02 11:59:50Z', 1897.31, NULL, NULL, 'poll'
ORDER BY exchange, ticker, time;
