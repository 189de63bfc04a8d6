-- Rates of currencies are stored in one place, whether they were fetched or taken in from a file.

CREATE PROCEDURE import_rates(report json, replaces boolean DEFAULT true, INOUT changed bigint DEFAULT 0) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fiat_rate AS known (base, quote, day, rate, source, imported_at)
    SELECT report ->> 'base', told ->> 1, (told ->> 0)::date, (told ->> 2)::numeric, report ->> 'source', (report ->> 'at')::timestamptz
    FROM json_array_elements(report -> 'rates') AS told
    ON CONFLICT (base, quote, day) DO UPDATE
        SET rate = excluded.rate, source = excluded.source, imported_at = excluded.imported_at
        WHERE (known.rate, known.source) IS DISTINCT FROM (excluded.rate, excluded.source)
          AND (replaces OR known.source = excluded.source AND known.imported_at < excluded.imported_at);
    GET DIAGNOSTICS changed = ROW_COUNT;
END $$;
COMMENT ON PROCEDURE import_rates IS 'Stores rates of currencies ({"source", "at", "base", "rates": [["2026-11-20", "USD", "1.16"]]}); says how many are new or other than they were. Where they do not replace, of each day whoever told it first counts, in the newest version.';
REVOKE EXECUTE ON PROCEDURE import_rates FROM PUBLIC;

COMMENT ON COLUMN fiat_rate.imported_at IS 'When it was asked for, or taken in.';
