-- Alerts: rules, when they fired, and what is to be told to whom, where. In a schema of their own, which analysts have no right to
-- look into: rules are their owners' affair, and channels hold what opens them.

CREATE SCHEMA alert;
COMMENT ON SCHEMA alert IS 'Rules of accounts, their firings, and notifications on their way.';

CREATE TABLE alert.rule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES secret.account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    last_fired_at timestamptz,
    revision bigint NOT NULL DEFAULT 0,
    fired_count bigint NOT NULL DEFAULT 0,
    ticker_id integer REFERENCES ticker,
    other_ticker_id integer REFERENCES ticker,
    coin_id integer REFERENCES symbol,
    exchange_id smallint REFERENCES exchange,
    window_minutes integer CHECK (window_minutes BETWEEN 1 AND 10080),
    seconds integer CHECK (seconds BETWEEN 1 AND 604800),
    cooldown_seconds integer NOT NULL DEFAULT 300 CHECK (cooldown_seconds BETWEEN 1 AND 2592000),
    is_armed boolean NOT NULL DEFAULT true,
    tell_late boolean NOT NULL DEFAULT true,
    state text NOT NULL DEFAULT 'created' CHECK (state IN ('created', 'paused', 'triggered', 'expired', 'deleted')),
    kind text NOT NULL,
    direction text CHECK (direction IN ('up', 'down', 'either', 'enter', 'leave')),
    unit text CHECK (unit IN ('percent', 'price')),
    evaluate text NOT NULL DEFAULT 'tick' CHECK (evaluate IN ('tick', 'close')),
    bar text,
    frequency text NOT NULL DEFAULT 'once' CHECK (frequency IN ('once', 'once_per_bar', 'every_time')),
    note text CHECK (length(note) <= 1000),
    level numeric,
    upper numeric,
    change numeric,
    hysteresis numeric NOT NULL DEFAULT 0 CHECK (hysteresis >= 0),
    channel_ids bigint[]
);
CREATE INDEX rule_account ON alert.rule (account_id, id);
CREATE INDEX rule_changed ON alert.rule (ticker_id, revision);
CREATE INDEX rule_by_the_clock ON alert.rule (id)
    WHERE state = 'created' AND (ticker_id IS NULL OR evaluate = 'close' OR kind NOT IN ('crosses', 'reaches', 'moves', 'channel'));
CREATE INDEX rule_deleted ON alert.rule (updated_at) WHERE state = 'deleted';
CREATE INDEX rule_expiry ON alert.rule (expires_at) WHERE state IN ('created', 'paused') AND expires_at IS NOT NULL;
COMMENT ON TABLE alert.rule IS 'What accounts want to be told of.';
COMMENT ON COLUMN alert.rule.id IS 'Key.';
COMMENT ON COLUMN alert.rule.account_id IS 'Whose it is.';
COMMENT ON COLUMN alert.rule.created_at IS 'When it was made.';
COMMENT ON COLUMN alert.rule.updated_at IS 'When its owner last changed it.';
COMMENT ON COLUMN alert.rule.expires_at IS 'When it ends by itself; null for never.';
COMMENT ON COLUMN alert.rule.last_fired_at IS 'When that happened which it last fired for.';
COMMENT ON COLUMN alert.rule.revision IS 'Counts changes: alert.watch.version of the last one, where it watches a pair.';
COMMENT ON COLUMN alert.rule.fired_count IS 'How often it fired.';
COMMENT ON COLUMN alert.rule.ticker_id IS 'The pair that it watches.';
COMMENT ON COLUMN alert.rule.other_ticker_id IS 'The pair that it is compared with (kind "spread").';
COMMENT ON COLUMN alert.rule.coin_id IS 'The coin whose consolidated price it watches.';
COMMENT ON COLUMN alert.rule.exchange_id IS 'The exchange that it watches (kind "exchange_down").';
COMMENT ON COLUMN alert.rule.window_minutes IS 'Over how many minutes it looks back (kinds "moves", "volume", "volatility").';
COMMENT ON COLUMN alert.rule.seconds IS 'How long nothing may come (kinds "stale", "exchange_down").';
COMMENT ON COLUMN alert.rule.cooldown_seconds IS 'How long it rests after it fired, where it fires more than once.';
COMMENT ON COLUMN alert.rule.is_armed IS 'false after it fired, until what it fired for has passed by more than the hysteresis.';
COMMENT ON COLUMN alert.rule.tell_late IS 'Whether trades that were fetched later fire it.';
COMMENT ON COLUMN alert.rule.state IS '"created" (at work), "paused", "triggered" (it fired, and was to fire once), "expired", "deleted".';
COMMENT ON COLUMN alert.rule.kind IS '"crosses", "reaches", "moves", "channel", "closes", "volume", "volatility", "spread", "stale", "exchange_down", "gap".';
COMMENT ON COLUMN alert.rule.direction IS '"up", "down", "either"; of a channel "enter" or "leave".';
COMMENT ON COLUMN alert.rule.unit IS 'Whether change is in "percent" or in units of the "price".';
COMMENT ON COLUMN alert.rule.evaluate IS 'Whether every price counts ("tick") or the last of each candle ("close").';
COMMENT ON COLUMN alert.rule.bar IS 'The candles it looks at, or once in each of which it fires: 1m to 1d.';
COMMENT ON COLUMN alert.rule.frequency IS 'How often it fires: "once", "once_per_bar", "every_time" (after its cooldown).';
COMMENT ON COLUMN alert.rule.note IS 'What its owner wrote to it.';
COMMENT ON COLUMN alert.rule.level IS 'The price; of a channel the lower edge; of volume and volatility the threshold.';
COMMENT ON COLUMN alert.rule.upper IS 'Upper edge of a channel.';
COMMENT ON COLUMN alert.rule.change IS 'By how much (kinds "moves", "spread").';
COMMENT ON COLUMN alert.rule.hysteresis IS 'By how much what it fired for must have passed before it can fire again, in the unit of what it compares.';
COMMENT ON COLUMN alert.rule.channel_ids IS 'Where its firings are told; null for every active channel of its owner.';

-- Who evaluates locks the row of a pair until the commit, so that the prices of one pair are looked at one batch after another.
CREATE TABLE alert.watch (
    ticker_id integer PRIMARY KEY REFERENCES ticker,
    version bigint NOT NULL DEFAULT 0,
    time timestamptz,
    trade_id bigint,
    traded_at timestamptz,
    price numeric
) WITH (fillfactor = 50);
COMMENT ON TABLE alert.watch IS 'How far the prices of pairs that rules watch have been looked at.';
COMMENT ON COLUMN alert.watch.ticker_id IS 'The pair.';
COMMENT ON COLUMN alert.watch.version IS 'Counts changes of its rules, so that who keeps them in memory knows what to read anew.';
COMMENT ON COLUMN alert.watch.time IS 'When the newest price that was looked at was made; null while none was.';
COMMENT ON COLUMN alert.watch.trade_id IS 'The number of its trade, where it has one.';
COMMENT ON COLUMN alert.watch.traded_at IS 'When the newest trade that was looked at was made.';
COMMENT ON COLUMN alert.watch.price IS 'That price.';

-- Whatever changes a rule gives it another revision; where it watches a pair, the pair's next version.
CREATE FUNCTION alert.rule_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.ticker_id IS NULL THEN
        NEW.revision := NEW.revision + 1;
        RETURN NEW;
    END IF;
    INSERT INTO alert.watch AS watch (ticker_id, version, time, trade_id, traded_at, price)
    SELECT NEW.ticker_id, 1, newest.time, newest.trade_id, newest.time, newest.price
    FROM (SELECT) AS always
    LEFT JOIN LATERAL (
        SELECT time, trade_id, price FROM public.price
        WHERE price.ticker_id = NEW.ticker_id
          AND NOT EXISTS (SELECT FROM alert.watch WHERE watch.ticker_id = NEW.ticker_id)
        ORDER BY time DESC, trade_id DESC LIMIT 1) AS newest ON true
    ON CONFLICT (ticker_id) DO UPDATE SET version = watch.version + 1
    RETURNING version INTO NEW.revision;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION alert.rule_changes IS 'Gives a rule that is made or changed its next revision.';
CREATE TRIGGER rule_is_new BEFORE INSERT ON alert.rule FOR EACH ROW EXECUTE FUNCTION alert.rule_changes();
-- Who looks at prices holds the pair and counts its versions himself.
CREATE TRIGGER rule_changes BEFORE UPDATE ON alert.rule
    FOR EACH ROW WHEN (NEW.revision = OLD.revision) EXECUTE FUNCTION alert.rule_changes();

-- Rules that no single price decides are looked at by the clock.
CREATE TABLE alert.clock (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    looked_until timestamptz NOT NULL DEFAULT now()
);
INSERT INTO alert.clock DEFAULT VALUES;
COMMENT ON TABLE alert.clock IS 'How far candles have been looked at. One row.';
COMMENT ON COLUMN alert.clock.is_only IS 'Key.';
COMMENT ON COLUMN alert.clock.looked_until IS 'Every candle that ended until then was.';

CREATE TABLE alert.coin_price (
    coin_id integer PRIMARY KEY REFERENCES symbol,
    time timestamptz NOT NULL,
    price numeric NOT NULL
);
COMMENT ON TABLE alert.coin_price IS 'The price over all markets of coins that rules watch, as it was looked at last.';
COMMENT ON COLUMN alert.coin_price.coin_id IS 'The coin.';
COMMENT ON COLUMN alert.coin_price.time IS 'When it was looked at.';
COMMENT ON COLUMN alert.coin_price.price IS 'The price, in US dollars.';

CREATE TABLE alert.history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id bigint NOT NULL REFERENCES alert.rule ON DELETE CASCADE,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    state text NOT NULL
);
CREATE INDEX history_rule ON alert.history (rule_id, id);
COMMENT ON TABLE alert.history IS 'Every state that a rule came into.';
COMMENT ON COLUMN alert.history.id IS 'Key.';
COMMENT ON COLUMN alert.history.rule_id IS 'The rule.';
COMMENT ON COLUMN alert.history.at IS 'When.';
COMMENT ON COLUMN alert.history.state IS 'The state from then on.';

CREATE FUNCTION alert.rule_state_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO alert.history (rule_id, state) VALUES (NEW.id, NEW.state);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION alert.rule_state_changed IS 'Writes the history of rules.';
CREATE TRIGGER rule_is_made AFTER INSERT ON alert.rule FOR EACH ROW EXECUTE FUNCTION alert.rule_state_changed();
CREATE TRIGGER rule_state_changed AFTER UPDATE ON alert.rule
    FOR EACH ROW WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION alert.rule_state_changed();

CREATE TABLE alert.firing (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id bigint NOT NULL REFERENCES alert.rule ON DELETE CASCADE,
    happened_at timestamptz NOT NULL,
    noticed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    trade_id bigint,
    is_late boolean NOT NULL DEFAULT false,
    said text NOT NULL,
    price numeric,
    reference numeric,
    CONSTRAINT firing_once UNIQUE NULLS NOT DISTINCT (rule_id, happened_at, trade_id)
);
CREATE INDEX firing_happened ON alert.firing (happened_at);
COMMENT ON TABLE alert.firing IS 'Each time a rule fired. What it fired for is named by its time and trade, so that nothing fires it twice.';
COMMENT ON COLUMN alert.firing.id IS 'Key.';
COMMENT ON COLUMN alert.firing.rule_id IS 'The rule.';
COMMENT ON COLUMN alert.firing.happened_at IS 'When that happened which it fired for: the time of the trade, or the end of the candle.';
COMMENT ON COLUMN alert.firing.noticed_at IS 'When it was noticed.';
COMMENT ON COLUMN alert.firing.trade_id IS 'The trade, where it was one that has a number.';
COMMENT ON COLUMN alert.firing.is_late IS 'Whether the trade was fetched later.';
COMMENT ON COLUMN alert.firing.said IS 'What happened, in a sentence.';
COMMENT ON COLUMN alert.firing.price IS 'The price that fired it, or the volume, volatility or spread.';
COMMENT ON COLUMN alert.firing.reference IS 'What that was compared with: the price before it, the extreme of the window, the threshold.';

CREATE TABLE alert.channel (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES secret.account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    served_until timestamptz,
    paced_until timestamptz,
    last_sent_at timestamptz,
    is_active boolean NOT NULL DEFAULT true,
    kind text NOT NULL CHECK (kind IN ('email', 'webhook', 'slack', 'telegram', 'discord', 'pagerduty', 'desktop', 'console')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    last_error text,
    settings jsonb NOT NULL
);
CREATE INDEX channel_account ON alert.channel (account_id, id);
COMMENT ON TABLE alert.channel IS 'Where accounts want to be told.';
COMMENT ON COLUMN alert.channel.id IS 'Key.';
COMMENT ON COLUMN alert.channel.account_id IS 'Whose it is.';
COMMENT ON COLUMN alert.channel.created_at IS 'When it was made.';
COMMENT ON COLUMN alert.channel.updated_at IS 'When its owner last changed it.';
COMMENT ON COLUMN alert.channel.served_until IS 'Until when one notifier has it for itself.';
COMMENT ON COLUMN alert.channel.paced_until IS 'What was sent so far is paid for by then, at the pace that its owner wants.';
COMMENT ON COLUMN alert.channel.last_sent_at IS 'When something last arrived there.';
COMMENT ON COLUMN alert.channel.is_active IS 'Whether anything is sent there.';
COMMENT ON COLUMN alert.channel.kind IS 'What it is.';
COMMENT ON COLUMN alert.channel.name IS 'What its owner calls it.';
COMMENT ON COLUMN alert.channel.last_error IS 'Why the last message did not arrive; null where it did.';
COMMENT ON COLUMN alert.channel.settings IS 'Address and secrets, as its kind needs them.';

CREATE TABLE alert.preference (
    account_id bigint PRIMARY KEY REFERENCES secret.account ON DELETE CASCADE,
    messages_per_minute integer NOT NULL DEFAULT 10 CHECK (messages_per_minute BETWEEN 1 AND 1000),
    quiet_from time,
    quiet_to time,
    subject text CHECK (length(subject) <= 200),
    body text CHECK (length(body) <= 4000),
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL))
);
COMMENT ON TABLE alert.preference IS 'How accounts want to be told.';
COMMENT ON COLUMN alert.preference.account_id IS 'Whose.';
COMMENT ON COLUMN alert.preference.messages_per_minute IS 'How many messages a channel gets in a minute; beyond, several go in one.';
COMMENT ON COLUMN alert.preference.quiet_from IS 'Since when nothing is sent, on the owner''s clocks; null for never.';
COMMENT ON COLUMN alert.preference.quiet_to IS 'Until when.';
COMMENT ON COLUMN alert.preference.subject IS 'Template of subjects; null for ours.';
COMMENT ON COLUMN alert.preference.body IS 'Template of texts; null for ours.';

CREATE TABLE alert.schedule (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES secret.account ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    starts_at timestamptz NOT NULL,
    ends_at timestamptz,
    next_at timestamptz,
    every_minutes integer NOT NULL CHECK (every_minutes BETWEEN 1 AND 43200),
    is_active boolean NOT NULL DEFAULT true,
    kind text NOT NULL CHECK (kind IN ('rose', 'fell', 'moved')),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    threshold_percent numeric NOT NULL CHECK (threshold_percent >= 0),
    ticker_ids integer[],
    channel_ids bigint[]
);
CREATE INDEX schedule_account ON alert.schedule (account_id, id);
CREATE INDEX schedule_due ON alert.schedule (next_at) WHERE is_active AND next_at IS NOT NULL;
COMMENT ON TABLE alert.schedule IS 'What accounts want to be told regularly.';
COMMENT ON COLUMN alert.schedule.id IS 'Key.';
COMMENT ON COLUMN alert.schedule.account_id IS 'Whose it is.';
COMMENT ON COLUMN alert.schedule.created_at IS 'When it was made.';
COMMENT ON COLUMN alert.schedule.starts_at IS 'From when on.';
COMMENT ON COLUMN alert.schedule.ends_at IS 'Until when; null for ever.';
COMMENT ON COLUMN alert.schedule.next_at IS 'When it is computed next; null when it is over.';
COMMENT ON COLUMN alert.schedule.every_minutes IS 'How often, and over how many minutes changes are counted.';
COMMENT ON COLUMN alert.schedule.is_active IS 'Whether it is.';
COMMENT ON COLUMN alert.schedule.kind IS 'Pairs that "rose", "fell", or either ("moved") by more than the threshold.';
COMMENT ON COLUMN alert.schedule.name IS 'What its owner calls it.';
COMMENT ON COLUMN alert.schedule.threshold_percent IS 'By how many percent at least.';
COMMENT ON COLUMN alert.schedule.ticker_ids IS 'The pairs; null for all that are recorded.';
COMMENT ON COLUMN alert.schedule.channel_ids IS 'Where it is told; null for every active channel of its owner.';

CREATE TABLE alert.computed (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schedule_id bigint NOT NULL REFERENCES alert.schedule ON DELETE CASCADE,
    at timestamptz NOT NULL,
    said text NOT NULL,
    result jsonb NOT NULL,
    UNIQUE (schedule_id, at)
);
COMMENT ON TABLE alert.computed IS 'What a schedule found each time.';
COMMENT ON COLUMN alert.computed.id IS 'Key.';
COMMENT ON COLUMN alert.computed.schedule_id IS 'The schedule.';
COMMENT ON COLUMN alert.computed.at IS 'For which of its times.';
COMMENT ON COLUMN alert.computed.said IS 'It in a sentence.';
COMMENT ON COLUMN alert.computed.result IS 'The pairs, with their prices and changes: [{"exchange", "ticker", "from", "to", "percent"}].';

CREATE TABLE alert.notification (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    channel_id bigint NOT NULL REFERENCES alert.channel ON DELETE CASCADE,
    firing_id bigint REFERENCES alert.firing ON DELETE CASCADE,
    computed_id bigint REFERENCES alert.computed ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sent_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    is_held boolean NOT NULL DEFAULT false,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'failed')),
    error text,
    message_id uuid,
    CHECK (num_nonnulls(firing_id, computed_id) <= 1)
);
-- Whether anything is due at all, of which channels, and what else goes in the same message.
CREATE INDEX notification_waiting ON alert.notification (due_at) WHERE state = 'waiting';
CREATE INDEX notification_due ON alert.notification (channel_id, due_at) WHERE state = 'waiting';
CREATE INDEX notification_message ON alert.notification (message_id) WHERE state = 'waiting' AND message_id IS NOT NULL;
CREATE INDEX notification_channel ON alert.notification (channel_id, created_at);
CREATE INDEX notification_firing ON alert.notification (firing_id);
CREATE INDEX notification_computed ON alert.notification (computed_id) WHERE computed_id IS NOT NULL;
COMMENT ON TABLE alert.notification IS 'What is to be told, has been, or could not be: one row for each firing and channel.';
COMMENT ON COLUMN alert.notification.id IS 'Key; whoever gets it twice knows by it.';
COMMENT ON COLUMN alert.notification.channel_id IS 'Where.';
COMMENT ON COLUMN alert.notification.firing_id IS 'Of which firing; null for others.';
COMMENT ON COLUMN alert.notification.computed_id IS 'Of which result of a schedule; null for others. With neither it is a test of the channel.';
COMMENT ON COLUMN alert.notification.created_at IS 'Since when it waits.';
COMMENT ON COLUMN alert.notification.due_at IS 'When it is tried next.';
COMMENT ON COLUMN alert.notification.sent_at IS 'When it arrived.';
COMMENT ON COLUMN alert.notification.attempts IS 'How often it was tried.';
COMMENT ON COLUMN alert.notification.is_held IS 'Whether pace or quiet hours held it back, so that it goes together with what else waits.';
COMMENT ON COLUMN alert.notification.state IS '"waiting", "sent", or "failed" after too many tries, until it is resent.';
COMMENT ON COLUMN alert.notification.error IS 'Why the last try failed.';
COMMENT ON COLUMN alert.notification.message_id IS 'Names the message that it goes in, since before that was first tried: its own id, or that of several together.';
