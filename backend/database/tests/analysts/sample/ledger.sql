-- What is written down besides trades; and the moments that storing the sample made different from every other time.
UPDATE price SET stored_at = received_at + (3 + coalesce(trade_id, 0) % 5) * interval '1 ms';
UPDATE ticker SET first_tick_at = (SELECT min(time) FROM price WHERE price.ticker_id = ticker.id);

INSERT INTO gap (ticker_id, first_trade_id, last_trade_id, missing, cause, state, from_time, to_time, attempts, revision, detail,
                 found_at, updated_at)
VALUES
    (pair_id('binance', 'BTCUSDT'), 1198, 1201, 4, 'disconnected', 'open', '2025-04-02 11:09:30Z', '2025-04-02 11:12:00Z', 1, 2,
     NULL, '2025-04-02 11:12:00.100Z', '2025-04-02 11:12:05Z'),
    (pair_id('binance', 'ETHUSDT'), 1020, 1021, 2, 'tracker_stopped', 'unfillable', '2025-03-27 00:00:00Z',
     '2025-03-27 12:00:00Z', 5, 6, 'the exchange no longer has them', '2025-03-27 12:00:00.200Z', '2025-03-27 13:00:00Z'),
    (pair_id('binance', 'ETHUSDT'), 1101, 1104, 0, 'silence', 'filled', '2025-04-02 10:21:00Z', '2025-04-02 10:23:30Z', 0, 2,
     NULL, '2025-04-02 10:23:30.100Z', '2025-04-02 10:23:31Z');

INSERT INTO comparison (ticker_id, from_time, to_time, compared_at, minutes, different)
VALUES
    (pair_id('binance', 'BTCUSDT'), '2025-04-02 10:00Z', '2025-04-02 11:00Z', '2025-04-02 11:00:20Z', 60, 0),
    (pair_id('binance', 'BTCUSDT'), '2025-04-02 11:00Z', '2025-04-02 12:00Z', '2025-04-02 12:00:00Z', 60, 2),
    (pair_id('binance', 'ETHUSDT'), '2025-04-02 10:00Z', '2025-04-02 11:00Z', '2025-04-02 11:00:20Z', 60, 0);
INSERT INTO difference (ticker_id, open_time, found_at, settled_at, state, our_trades, our_volume, trades, open, high, low, close,
                        volume, quote_volume)
VALUES
    (pair_id('binance', 'BTCUSDT'), '2025-04-02 11:10Z', '2025-04-02 12:00:00Z', NULL, 'open', 0, 0, 2, 84051.1, 84077.2,
     84051.1, 84077.2, 0.31, 26059.1),
    (pair_id('binance', 'BTCUSDT'), '2025-04-02 11:11Z', '2025-04-02 12:00:00Z', NULL, 'open', 0, 0, 2, 84020.4, 84033.0,
     84020.4, 84033.0, 0.12, 10083.2);

INSERT INTO dead_letter (set_aside_at, stored_at, message_id, topic, reason, body)
VALUES
    ('2025-04-02 09:13:05Z', '2025-04-02 09:13:06Z', '018f-1', 'market.ticks.binance',
     'no catalogue of exchange "binance" lists ticker "NEWUSDT"', '{"ticker":"NEWUSDT"}'),
    ('2025-04-02 09:13:07Z', '2025-04-02 09:13:08Z', '018f-2', 'market.ticks.binance',
     'no catalogue of exchange "binance" lists ticker "NEWUSDT"', '{"ticker":"NEWUSDT"}'),
    ('2025-04-02 11:40:00Z', '2025-04-02 11:40:01Z', '018f-3', 'market.ticks.binance', 'not JSON: expected value at line 1', 'oops');

INSERT INTO fiat_rate (base, quote, day, rate, source, imported_at) VALUES
    ('EUR', 'USD', '2025-03-27', 1.0800, 'frankfurter', '2025-03-27 16:00Z'),
    ('EUR', 'USD', '2025-03-28', 1.0825, 'frankfurter', '2025-03-28 16:00Z'),
    ('EUR', 'USD', '2025-03-31', 1.0815, 'frankfurter', '2025-03-31 16:00Z'),
    ('EUR', 'USD', '2025-04-01', 1.0790, 'frankfurter', '2025-04-01 16:00Z');
