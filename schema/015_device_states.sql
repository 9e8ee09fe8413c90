-- 015_device_states: how each device is, in one row, with an index for each order in which people look at a fleet.
--
-- A hundred thousand devices are listed by when they were heard, how wrong their clocks are, how much they lose.
-- To find that out of readings costs what the readings cost, and who is silent has none of late. So it is kept:
--   heard_at, clock_offset  the collector writes rows that are half a minute old, of who has fallen silent ten
--                           seconds, up to 2,000 a second: those of 100,000 busy devices are a minute old. Not in the
--                           transaction that stores: a row per device and batch would cost as much as the readings.
--   missing                 as device_sequences has it, written with it.
--   rejected                of the past hour by whole minutes. Who stores rejected messages adds to a log,
--                           so that he waits for nobody; it is folded in every five seconds.
-- A device all of whose messages are rejected is here, too, without a number, for as long as its messages are.
-- Rejected: rows in devices, for then whoever may publish has devices registered; and a view, which
-- reads all there is for each page.
--
-- Who changes rows that are there holds the lock 'highwater devices', after 'highwater late' if he needs both.
-- New rows are added without it, in the order of their key.

ALTER TABLE rejected_messages ADD COLUMN device_id text COLLATE "C";
COMMENT ON COLUMN rejected_messages.device_id IS 'Whose it is, where that can be told: the topic says it, or what of the message could be read.';

-- The order in which people count: device_2 before device_10. Digits follow their number, without the zeros before
-- them; the id itself comes last, so that no two are equal.
CREATE FUNCTION natural_id(device_id text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path FROM CURRENT AS $$
    SELECT string_agg(coalesce(lpad(length(ltrim(part[1], '0'))::text, 2, '0') || ltrim(part[1], '0'), part[2]), ''
                      ORDER BY place) COLLATE "C" || E'\x01' || device_id
    FROM regexp_matches(device_id, '([0-9]+)|([^0-9]+)', 'g') WITH ORDINALITY AS parts (part, place)
$$;
COMMENT ON FUNCTION natural_id(text) IS 'A key that orders device ids as people count.';

CREATE TABLE device_states (
    natural_id   text COLLATE "C" PRIMARY KEY,
    device_id    text COLLATE "C" NOT NULL,
    device       integer UNIQUE,
    heard_at     timestamptz NOT NULL,
    clock_offset bigint NOT NULL DEFAULT 0,
    missing      bigint NOT NULL DEFAULT 0,
    rejected     bigint NOT NULL DEFAULT 0
) WITH (autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX device_states_heard ON device_states (heard_at, natural_id);
CREATE INDEX device_states_clock ON device_states (clock_offset, natural_id);
CREATE INDEX device_states_missing ON device_states (missing, natural_id);
CREATE INDEX device_states_rejected ON device_states (rejected, natural_id);
CREATE INDEX device_states_refused ON device_states (heard_at) WHERE device IS NULL;
COMMENT ON TABLE device_states IS 'How each device is, for lists of them; also of those all of whose messages are rejected.';
COMMENT ON COLUMN device_states.natural_id IS 'natural_id(device_id).';
COMMENT ON COLUMN device_states.device_id IS 'The id in the topic the device publishes to.';
COMMENT ON COLUMN device_states.device IS 'devices.id; NULL: it never sent a reading.';
COMMENT ON COLUMN device_states.heard_at IS 'When its last message came, be it a reading or rejected.';
COMMENT ON COLUMN device_states.clock_offset IS 'The timestamp of its last reading less when that came, in microseconds: below 0 its clock is behind, or it sends late.';
COMMENT ON COLUMN device_states.missing IS 'As in device_sequences.';
COMMENT ON COLUMN device_states.rejected IS 'How many of its messages were rejected in the past hour.';

CREATE FUNCTION device_states_lock() RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT pg_advisory_xact_lock(hashtextextended('highwater devices', 0))
$$;

-- ---- devices come and go ------------------------------------------------------------------------

CREATE FUNCTION devices_were_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO device_states (natural_id, device_id, device, heard_at)
    SELECT natural_id(a.device_id), a.device_id, a.id, a.first_seen_at FROM added a ORDER BY 1
    ON CONFLICT (natural_id) DO NOTHING; -- its messages were rejected before: device_states_fold() adds the number
    RETURN NULL;
END $$;
CREATE TRIGGER devices_were_added AFTER INSERT ON devices REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION devices_were_added();

CREATE FUNCTION devices_were_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM device_states_lock();
    DELETE FROM rejected_minutes m USING removed r WHERE m.device_id = r.device_id;
    DELETE FROM device_states s USING removed r WHERE s.natural_id = natural_id(r.device_id);
    RETURN NULL;
END $$;
CREATE TRIGGER devices_were_removed AFTER DELETE ON devices REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION devices_were_removed();

-- ---- readings -----------------------------------------------------------------------------------

-- By collectors: `offsets` are the timestamps of the last readings less their arrivals, all in microseconds.
CREATE FUNCTION devices_heard(whose integer[], arrivals bigint[], offsets bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM device_states_lock();
    UPDATE device_states s SET heard_at = greatest(s.heard_at, h.heard_at), clock_offset = h.clock_offset
    FROM (SELECT u.device, 'epoch'::timestamptz + u.arrival * interval '1 microsecond' AS heard_at, u.clock_offset
          FROM unnest(whose, arrivals, offsets) u (device, arrival, clock_offset)) h
    WHERE s.device = h.device;
END $$;
COMMENT ON FUNCTION devices_heard(integer[], bigint[], bigint[]) IS 'Used by collectors, each second.';

-- By everybody else; a collector says in its session that it is one. After the other triggers, by its name: one of them
-- takes the lock 'highwater late'.
CREATE FUNCTION readings_were_heard() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF current_setting('highwater.ranks', true) IS DISTINCT FROM 'on' AND EXISTS (SELECT FROM added) THEN
        PERFORM device_states_lock();
        UPDATE device_states s
        SET heard_at = greatest(s.heard_at, h.received_at), clock_offset = extract(epoch FROM h.recorded_at - h.received_at) * 1000000
        FROM (SELECT DISTINCT ON (a.device) a.device, a.received_at, a.recorded_at FROM added a
              ORDER BY a.device, a.received_at DESC, a.recorded_at DESC) h
        WHERE s.device = h.device;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER readings_were_stored AFTER INSERT ON readings REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION readings_were_heard();

-- ---- numbers ------------------------------------------------------------------------------------

CREATE FUNCTION device_sequences_lost() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM device_states_lock();
    UPDATE device_states SET missing = NEW.missing WHERE device = NEW.device AND missing <> NEW.missing;
    RETURN NULL;
END $$;
CREATE TRIGGER device_sequences_begun AFTER INSERT ON device_sequences
FOR EACH ROW WHEN (NEW.missing > 0) EXECUTE FUNCTION device_sequences_lost();
CREATE TRIGGER device_sequences_lost AFTER UPDATE ON device_sequences
FOR EACH ROW WHEN (OLD.missing <> NEW.missing) EXECUTE FUNCTION device_sequences_lost();

-- It can be emptied.
CREATE FUNCTION device_sequences_gone() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM device_states_lock();
    UPDATE device_states s SET missing = 0
    WHERE s.missing > 0 AND NOT EXISTS (SELECT FROM device_sequences q WHERE q.device = s.device);
    RETURN NULL;
END $$;
CREATE TRIGGER device_sequences_gone AFTER DELETE OR TRUNCATE ON device_sequences
FOR EACH STATEMENT EXECUTE FUNCTION device_sequences_gone();

-- ---- rejected messages --------------------------------------------------------------------------

CREATE TABLE rejected_minutes (
    device_id text COLLATE "C" NOT NULL,
    minute    timestamptz NOT NULL,
    messages  bigint NOT NULL,
    PRIMARY KEY (minute, device_id)
);
CREATE TABLE rejected_minutes_log (LIKE rejected_minutes INCLUDING DEFAULTS);
COMMENT ON TABLE rejected_minutes IS 'Rejected messages of each device in the past hour.';
COMMENT ON COLUMN rejected_minutes.device_id IS 'As in rejected_messages.';
COMMENT ON COLUMN rejected_minutes.minute IS 'The start of the minute they came in.';
COMMENT ON COLUMN rejected_minutes.messages IS 'How many.';
COMMENT ON TABLE rejected_minutes_log IS 'The same as each transaction left it; folded in every five seconds.';
COMMENT ON COLUMN rejected_minutes_log.device_id IS 'As in rejected_messages.';
COMMENT ON COLUMN rejected_minutes_log.minute IS 'When the last of them came.';
COMMENT ON COLUMN rejected_minutes_log.messages IS 'How many.';
ALTER TABLE rejected_minutes_log SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE FUNCTION rejected_were_someones() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO rejected_minutes_log (device_id, minute, messages)
    SELECT a.device_id, max(a.received_at), count(*) FROM added a WHERE a.device_id IS NOT NULL
    GROUP BY a.device_id, date_bin('1 minute', a.received_at, 'epoch');
    RETURN NULL;
END $$;
CREATE TRIGGER rejected_were_someones AFTER INSERT ON rejected_messages REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION rejected_were_someones();

-- Folds in the log, takes out what is older than an hour, and devices all of whose messages are gone.
CREATE FUNCTION device_states_fold() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM device_states_lock();
    WITH gone AS (DELETE FROM rejected_minutes_log RETURNING *),
    came AS (SELECT device_id, max(minute) AS last_at,
                    sum(messages) FILTER (WHERE minute >= date_bin('1 minute', now(), 'epoch') - interval '1 hour') AS messages
             FROM gone GROUP BY device_id),
    minutes AS (
        INSERT INTO rejected_minutes AS m (device_id, minute, messages)
        SELECT device_id, date_bin('1 minute', minute, 'epoch') AS of_minute, sum(messages) FROM gone
        WHERE minute >= date_bin('1 minute', now(), 'epoch') - interval '1 hour' GROUP BY device_id, of_minute
        ON CONFLICT (minute, device_id) DO UPDATE SET messages = m.messages + excluded.messages)
    INSERT INTO device_states AS s (natural_id, device_id, heard_at, rejected)
    SELECT natural_id(device_id), device_id, last_at, coalesce(messages, 0) FROM came ORDER BY 1
    ON CONFLICT (natural_id) DO UPDATE
    SET heard_at = greatest(s.heard_at, excluded.heard_at), rejected = s.rejected + excluded.rejected;
    WITH gone AS (
        DELETE FROM rejected_minutes WHERE minute < date_bin('1 minute', now(), 'epoch') - interval '1 hour' RETURNING *),
    old AS (SELECT device_id, sum(messages) AS messages FROM gone GROUP BY device_id)
    UPDATE device_states s SET rejected = greatest(s.rejected - o.messages, 0)
    FROM old o WHERE s.natural_id = natural_id(o.device_id);
    UPDATE device_states s SET device = d.id FROM devices d WHERE s.device IS NULL AND d.device_id = s.device_id;
    DELETE FROM device_states s WHERE s.device IS NULL
        AND s.heard_at < coalesce((SELECT m.received_at FROM rejected_messages m ORDER BY m.received_at LIMIT 1), 'infinity');
END $$;
COMMENT ON FUNCTION device_states_fold() IS 'Used by the collector that looks after storage, every five seconds.';

-- ---- asked --------------------------------------------------------------------------------------

-- The newest reading of each of some devices, by when that was recorded (device_spans() says it). A day at a
-- time, so that each statement needs one partition.
CREATE FUNCTION devices_latest(of_devices integer[], last_at timestamptz[]) RETURNS SETOF readings
LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    part record;
BEGIN
    PERFORM readings_settle();
    FOR part IN SELECT date_trunc('day', u.at, 'UTC') AS day, array_agg(u.device) AS whose, array_agg(u.at) AS times
                FROM unnest(of_devices, last_at) u (device, at) WHERE u.at IS NOT NULL GROUP BY 1 LOOP
        RETURN QUERY EXECUTE format(
            'SELECT r.* FROM unnest($1, $2) wanted ("its device", "its time") CROSS JOIN LATERAL (
                 SELECT * FROM %s r WHERE r.device = "its device" AND r.recorded_at = "its time"
                 AND r.recorded_at >= %L AND r.recorded_at < %L ORDER BY r.content_hash DESC LIMIT 1) r',
            readings_source(part.day, part.day + interval '24 hours', '"its device"', NULL, '"its time"',
                            '"its time" + interval ''1 microsecond'''),
            part.day, part.day + interval '24 hours') USING part.whose, part.times;
    END LOOP;
END $$;
COMMENT ON FUNCTION devices_latest(integer[], timestamptz[]) IS 'The newest reading of each of some devices (devices.id), given when that was recorded.';

-- How many readings of each of some devices were recorded after a moment. It may lie in a day that is packed, for who packs
-- soon (PACK_AFTER) does so minutes after midnight.
CREATE FUNCTION devices_recent(of_devices integer[], since timestamptz) RETURNS TABLE (device integer, readings bigint)
LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM readings_settle();
    RETURN QUERY EXECUTE format(
        'SELECT wanted."its device", r.n FROM unnest($1) wanted ("its device") CROSS JOIN LATERAL (
             SELECT count(*) AS n FROM %s r WHERE r.device = "its device" AND r.recorded_at > %L) r',
        readings_source(since, 'infinity', '"its device"', '{}'), since) USING of_devices;
END $$;
COMMENT ON FUNCTION devices_recent(integer[], timestamptz) IS 'How many readings of each of some devices (devices.id) were recorded after a moment.';

-- What is there already.
INSERT INTO device_states (natural_id, device_id, device, heard_at, missing)
SELECT natural_id(d.device_id), d.device_id, d.id, greatest(d.first_seen_at, least(s.last_at, now())), coalesce(q.missing, 0)
FROM devices d LEFT JOIN device_spans(ARRAY(SELECT id FROM devices)) s ON s.device = d.id
LEFT JOIN device_sequences q ON q.device = d.id ORDER BY 1;
