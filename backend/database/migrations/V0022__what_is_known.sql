-- Whether rates came since what was counted with them was read.
CREATE INDEX fiat_rate_imported ON fiat_rate (imported_at);

-- What was written down by hand, and comes again in a file.
CREATE INDEX transaction_by_hand ON portfolio.transaction (portfolio_id, at, symbol) WHERE source_id IS NULL;
