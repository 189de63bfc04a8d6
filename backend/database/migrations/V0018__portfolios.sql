-- What people bought and sold. In a schema of its own, which analysts have no right to look into: it is their owners' affair.

ALTER TABLE secret.account ADD COLUMN currency text NOT NULL DEFAULT 'USD' CHECK (currency ~ '^[A-Z0-9]{1,20}$');
COMMENT ON COLUMN secret.account.currency IS 'In what its owner counts, where nothing else is said: the code of a currency or coin.';

CREATE SCHEMA portfolio;
COMMENT ON SCHEMA portfolio IS 'What accounts bought and sold.';

CREATE TABLE portfolio.portfolio (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES secret.account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    version bigint NOT NULL DEFAULT 0,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    currency text NOT NULL CHECK (currency ~ '^[A-Z0-9]{1,20}$'),
    method text NOT NULL DEFAULT 'fifo' CHECK (method IN ('fifo', 'lifo', 'hifo', 'average')),
    UNIQUE (account_id, name)
);
COMMENT ON TABLE portfolio.portfolio IS 'What accounts keep apart.';
COMMENT ON COLUMN portfolio.portfolio.id IS 'Key.';
COMMENT ON COLUMN portfolio.portfolio.account_id IS 'Whose it is.';
COMMENT ON COLUMN portfolio.portfolio.created_at IS 'When it was made.';
COMMENT ON COLUMN portfolio.portfolio.updated_at IS 'When it was last renamed, or counted otherwise.';
COMMENT ON COLUMN portfolio.portfolio.version IS 'Counts changes of its transactions, so that who keeps them in memory knows when to read them anew.';
COMMENT ON COLUMN portfolio.portfolio.name IS 'What its owner calls it.';
COMMENT ON COLUMN portfolio.portfolio.currency IS 'In what it is counted, where nothing else is said.';
COMMENT ON COLUMN portfolio.portfolio.method IS 'Which coins are sold first: those that were bought first ("fifo"), last ("lifo"), at the highest cost ("hifo"), or all alike ("average").';

CREATE TABLE portfolio.transaction (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    portfolio_id bigint NOT NULL REFERENCES portfolio.portfolio ON DELETE CASCADE,
    at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    symbol text NOT NULL CHECK (symbol ~ '^[^\s[:cntrl:]]{1,40}$'),
    type text NOT NULL CHECK (type IN ('TRADE', 'DEPOSIT', 'WITHDRAWAL')),
    order_type text NOT NULL CHECK (order_type IN ('BUY', 'SELL', 'NONE')),
    volume numeric NOT NULL CHECK (volume > 0),
    price numeric CHECK (price >= 0),
    value numeric CHECK (value >= 0),
    currency text NOT NULL CHECK (currency ~ '^[^\s[:cntrl:]]{1,40}$'),
    fee numeric NOT NULL DEFAULT 0 CHECK (fee >= 0),
    fee_currency text CHECK (fee_currency ~ '^[^\s[:cntrl:]]{1,40}$'),
    source text NOT NULL DEFAULT '' CHECK (length(source) <= 100),
    source_id text CHECK (length(source_id) BETWEEN 1 AND 200),
    note text CHECK (length(note) <= 1000),
    CHECK (type <> 'TRADE' OR order_type <> 'NONE'),
    CHECK (type <> 'TRADE' OR value IS NOT NULL),
    CHECK (fee = 0 OR fee_currency IS NOT NULL),
    CONSTRAINT transaction_once UNIQUE (portfolio_id, source, source_id)
);
CREATE INDEX transaction_of_portfolio ON portfolio.transaction (portfolio_id, at, id);
COMMENT ON TABLE portfolio.transaction IS 'What was bought, sold, brought in and taken out.';
COMMENT ON COLUMN portfolio.transaction.id IS 'Key.';
COMMENT ON COLUMN portfolio.transaction.portfolio_id IS 'Where it belongs.';
COMMENT ON COLUMN portfolio.transaction.at IS 'When it happened.';
COMMENT ON COLUMN portfolio.transaction.created_at IS 'When it was written down.';
COMMENT ON COLUMN portfolio.transaction.updated_at IS 'When it was last changed.';
COMMENT ON COLUMN portfolio.transaction.symbol IS 'Code of the coin, as its owner writes it, in upper-case. No market may know it.';
COMMENT ON COLUMN portfolio.transaction.type IS '"TRADE", or "DEPOSIT" and "WITHDRAWAL", which move coins and earn nothing.';
COMMENT ON COLUMN portfolio.transaction.order_type IS 'Whether a trade is a "BUY" or a "SELL"; of others mostly "NONE".';
COMMENT ON COLUMN portfolio.transaction.volume IS 'Units of the coin.';
COMMENT ON COLUMN portfolio.transaction.price IS 'What one unit cost, in the currency, where it was told.';
COMMENT ON COLUMN portfolio.transaction.value IS 'What all of it cost or brought, without the fee.';
COMMENT ON COLUMN portfolio.transaction.currency IS 'In what price and value are counted.';
COMMENT ON COLUMN portfolio.transaction.fee IS 'What was paid for the trade.';
COMMENT ON COLUMN portfolio.transaction.fee_currency IS 'In what.';
COMMENT ON COLUMN portfolio.transaction.source IS 'Where it was written down first: an exchange, a file; empty for by hand.';
COMMENT ON COLUMN portfolio.transaction.source_id IS 'How it is called there; the same is written down once.';
COMMENT ON COLUMN portfolio.transaction.note IS 'What its owner wrote to it.';

CREATE FUNCTION portfolio.transactions_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE portfolio.portfolio SET version = version + 1
    WHERE id IN (SELECT portfolio_id FROM added);
    RETURN NULL;
END $$;
CREATE FUNCTION portfolio.transactions_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE portfolio.portfolio SET version = version + 1
    WHERE id IN (SELECT portfolio_id FROM removed);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION portfolio.transactions_added IS 'Counts the version of portfolios.';
COMMENT ON FUNCTION portfolio.transactions_removed IS 'Counts the version of portfolios.';
CREATE TRIGGER transactions_added AFTER INSERT ON portfolio.transaction
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION portfolio.transactions_added();
CREATE TRIGGER transactions_changed AFTER UPDATE ON portfolio.transaction
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION portfolio.transactions_added();
CREATE TRIGGER transactions_removed AFTER DELETE ON portfolio.transaction
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION portfolio.transactions_removed();

-- What currencies are worth that no recorded market trades.
CREATE TABLE fiat_rate (
    day date NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT now(),
    base text NOT NULL CHECK (base ~ '^[A-Z]{3}$'),
    quote text NOT NULL CHECK (quote ~ '^[A-Z]{3}$' AND quote <> base),
    source text NOT NULL CHECK (length(source) BETWEEN 1 AND 100),
    rate numeric NOT NULL CHECK (rate > 0),
    PRIMARY KEY (base, quote, day)
);
CREATE INDEX fiat_rate_quote ON fiat_rate (quote);
COMMENT ON TABLE fiat_rate IS 'Exchange rates of currencies, a row a day: for what no recorded market tells.';
COMMENT ON COLUMN fiat_rate.day IS 'From the beginning of this day (UTC) on it serves, until there is a newer one.';
COMMENT ON COLUMN fiat_rate.imported_at IS 'When it was stored.';
COMMENT ON COLUMN fiat_rate.base IS 'The currency of which there is one unit: EUR.';
COMMENT ON COLUMN fiat_rate.quote IS 'The currency in which that is counted: USD.';
COMMENT ON COLUMN fiat_rate.source IS 'Who says so.';
COMMENT ON COLUMN fiat_rate.rate IS 'Units of the quote for one of the base.';

-- What a portfolio is worth is told regularly, too.
ALTER TABLE alert.schedule
    DROP CONSTRAINT schedule_kind_check,
    ADD COLUMN portfolio_id bigint REFERENCES portfolio.portfolio ON DELETE CASCADE,
    ADD CONSTRAINT schedule_kind_check CHECK (kind IN ('rose', 'fell', 'moved', 'balance')),
    ADD CONSTRAINT schedule_portfolio CHECK ((kind = 'balance') = (portfolio_id IS NOT NULL));
COMMENT ON COLUMN alert.schedule.kind IS 'Pairs that "rose", "fell", or either ("moved") by more than the threshold; or the "balance" of a portfolio.';
COMMENT ON COLUMN alert.schedule.portfolio_id IS 'Whose balance it tells.';
COMMENT ON COLUMN alert.schedule.threshold_percent IS 'By how many percent at least; 0 for a balance.';
COMMENT ON COLUMN alert.computed.result IS 'The pairs, with their prices and changes: [{"exchange", "ticker", "from", "to", "percent"}]; of a balance {"portfolio", "currency", "converted_value", "before", "transaction_value", "roi", "positions"}.';
