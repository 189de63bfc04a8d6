-- Whether rates came since what was counted with them was read.
CREATE TABLE portfolio.rates_version (
    version bigint NOT NULL
);
INSERT INTO portfolio.rates_version VALUES (0);
COMMENT ON TABLE portfolio.rates_version IS 'One row.';
COMMENT ON COLUMN portfolio.rates_version.version IS 'Rises with each change of fiat_rate.';

CREATE FUNCTION portfolio.count_rates() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = portfolio, pg_temp AS $$
BEGIN
    UPDATE rates_version SET version = version + 1;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION portfolio.count_rates IS 'Notes that rates changed.';
REVOKE EXECUTE ON FUNCTION portfolio.count_rates FROM PUBLIC;
CREATE TRIGGER rates_changed AFTER INSERT OR UPDATE OR DELETE ON fiat_rate FOR EACH STATEMENT EXECUTE FUNCTION portfolio.count_rates();

-- What was written down by hand, and comes again in a file.
CREATE INDEX transaction_by_hand ON portfolio.transaction (portfolio_id, at, symbol) WHERE source_id IS NULL;
