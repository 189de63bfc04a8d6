-- How finely pairs are traded.

ALTER TABLE ticker ADD COLUMN price_step numeric CHECK (price_step > 0), ADD COLUMN quantity_step numeric CHECK (quantity_step > 0);
COMMENT ON COLUMN ticker.price_step IS 'The smallest step of its prices, in units of the quote (tick size); null where the exchange does not tell, or has no fixed one.';
COMMENT ON COLUMN ticker.quantity_step IS 'The smallest step of its quantities, in units of the base (lot size); null where the exchange does not tell.';

CREATE OR REPLACE VIEW tickers AS
SELECT exchange.name AS exchange, ticker.ticker, base.code AS base, base.name AS coin, quote.code AS quote,
       ticker.status, ticker.first_tick_at, ticker.listed_at, ticker.delisted_at, successor.ticker AS renamed_to,
       ticker.price_step, ticker.quantity_step
FROM ticker
JOIN exchange ON exchange.id = ticker.exchange_id
JOIN symbol base ON base.id = ticker.base_id
JOIN symbol quote ON quote.id = ticker.quote_id
LEFT JOIN ticker successor ON successor.id = ticker.renamed_to;
COMMENT ON COLUMN tickers.price_step IS 'The smallest step of its prices, in units of the quote (tick size); null where the exchange does not tell, or has no fixed one.';
COMMENT ON COLUMN tickers.quantity_step IS 'The smallest step of its quantities, in units of the base (lot size); null where the exchange does not tell.';
