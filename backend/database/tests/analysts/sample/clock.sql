-- It is noon of the sample's last day: now() of this schema stands before PostgreSQL's, and the views, which are bound to
-- PostgreSQL's, are made anew from what they say of themselves.
CREATE SCHEMA clock;
CREATE FUNCTION clock.now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT timestamptz '2025-04-02 12:00:00Z' $$;
GRANT USAGE ON SCHEMA clock TO PUBLIC;
DO $$
DECLARE
    views text[] := ARRAY(
        SELECT format('CREATE OR REPLACE VIEW %I.%I AS %s', nspname, relname, pg_get_viewdef(pg_class.oid))
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind = 'v' AND nspname = 'public' ORDER BY pg_class.oid);
    definition text;
BEGIN
    SET LOCAL search_path = clock, pg_catalog, public;
    FOREACH definition IN ARRAY views LOOP
        EXECUTE definition;
    END LOOP;
    EXECUTE format('ALTER DATABASE %I SET search_path = clock, pg_catalog, public', current_database());
    EXECUTE format('ALTER DATABASE %I SET timezone = ''UTC''', current_database());
END $$;
