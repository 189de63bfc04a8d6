-- Top lists that services outside tell: what coins cost, and in which order they stand. One row for each minute, in arrays: coins
-- are read all together, and PostgreSQL compresses a long array by itself.

CREATE TABLE listing (
    minute timestamptz NOT NULL,
    fetched_at timestamptz NOT NULL,
    stored_at timestamptz NOT NULL DEFAULT now(),
    source text NOT NULL,
    half text NOT NULL,
    ids integer[] NOT NULL,
    symbols text[] NOT NULL,
    prices numeric[],
    PRIMARY KEY (source, half, minute),
    CHECK (half IN ('prices', 'ranks')),
    CHECK ((half = 'prices') = (prices IS NOT NULL)),
    CHECK (cardinality(ids) <= 10000 AND cardinality(ids) = cardinality(symbols)
           AND coalesce(cardinality(prices), cardinality(ids)) = cardinality(ids))
);
-- The oldest go first, where they may not stay.
CREATE INDEX listing_by_minute ON listing (minute);
COMMENT ON TABLE listing IS 'Halves of top lists as services outside told them, where the tracker has a key for one. Coins stand at the same place in every array; unnest(ids, symbols, prices) makes rows of them.';
COMMENT ON COLUMN listing.minute IS 'The minute to which the list belongs: the one in which it was fetched.';
COMMENT ON COLUMN listing.fetched_at IS 'When it was fetched.';
COMMENT ON COLUMN listing.stored_at IS 'When the transaction that stored it began.';
COMMENT ON COLUMN listing.source IS 'Who told it: "coinmarketcap", "cryptocompare".';
COMMENT ON COLUMN listing.half IS '"prices", or "ranks": the coins by what is traded of them in 24 hours, best first.';
COMMENT ON COLUMN listing.ids IS 'CoinMarketCap''s numbers of the coins, whoever told the list.';
COMMENT ON COLUMN listing.symbols IS 'Their codes, which are not unique.';
COMMENT ON COLUMN listing.prices IS 'What they cost in US dollars, every digit that was told; null of ranks.';
