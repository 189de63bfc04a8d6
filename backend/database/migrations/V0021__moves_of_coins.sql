-- How far the price of a coin over all markets has moved is known again after a restart.

CREATE TABLE alert.coin_minute (
    coin_id integer NOT NULL REFERENCES symbol,
    minute timestamptz NOT NULL,
    lowest numeric NOT NULL,
    highest numeric NOT NULL CHECK (highest >= lowest),
    PRIMARY KEY (coin_id, minute)
);
CREATE INDEX coin_minute_by_minute ON alert.coin_minute (minute);
COMMENT ON TABLE alert.coin_minute IS 'The lowest and the highest price over all markets of coins that rules watch, as it was looked at in each minute of the last eight days.';
COMMENT ON COLUMN alert.coin_minute.coin_id IS 'The coin.';
COMMENT ON COLUMN alert.coin_minute.minute IS 'When the minute opened.';
COMMENT ON COLUMN alert.coin_minute.lowest IS 'The lowest price, in US dollars.';
COMMENT ON COLUMN alert.coin_minute.highest IS 'The highest price, in US dollars.';
