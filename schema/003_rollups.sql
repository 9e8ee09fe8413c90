-- 003_rollups: sums of readings per device and hour, day and all time, exact at every moment.
--
-- A query adds up whole buckets and counts the rest from readings. What makes that exact:
--   storage_state.rolled_until is a moment, a whole minute. Of a device, the rollups hold every
--   reading recorded before it, and readings is asked about what was recorded since.
--   A reading that comes later than that (recorded before late_before) is added to rollup_late in
--   its own transaction, by the trigger below. It counts from there until rollup_late is folded in.
-- The moment moves on in two steps. rollup_set_late_before() sets late_before, for which it shuts out, for
-- an instant, every transaction that is storing (they share a lock, it wants that lock alone): from
-- its commit on, everybody who stores something older than that moment puts it into rollup_late,
-- and what others stored before it is committed. So rollup_until() can add up what lies between the
-- two moments from one snapshot: what of that is in rollup_late is in readings too, and is taken out.
-- Rejected: marking buckets as stale and counting them again, which needs the rows, and those of a
-- dropped partition are gone; and a trigger for each row, which halves the speed of storing.
--
-- Of the fleet as a whole (device 0) no row is ever counted: each transaction that stores also adds
-- the sums of what it stored, per ten seconds, to rollup_fleet_log. So the answer over any number of
-- rows is as fast as over none.
--
-- A feature may have any name that shared/model/features.c takes. So where readings, or their transition
-- table, are asked, every other name is one of their fixed columns: no alias of the result (ordinals
-- in GROUP BY), and in PL/pgSQL no variable (the statement is a text, or the variable is qualified).
--
-- Sums of a feature take values beyond 1e290 as 1e290, so that no sum ever overflows.
--
-- An hour also knows how far its sums had come after each ten minutes, roughly, for whoever asks about a part of an hour and
-- wants to know which devices' readings to look at: <feature>_parts and <feature>_part_sums, 16 bytes. They are NULL where
-- readings came, or were taken out, after their ten minutes were rolled up, and of all features but the first 64, for a row has to fit
-- into a page; nothing may rest on them but bounds.

-- What all rollups have in common. Features add <feature>_count, _sum, _min and _max.
CREATE TABLE rollup_hours (
    device          integer NOT NULL,
    bucket          timestamptz NOT NULL,
    readings        bigint NOT NULL DEFAULT 0,
    status_on       bigint NOT NULL DEFAULT 0,
    status_off      bigint NOT NULL DEFAULT 0,
    status_active   bigint NOT NULL DEFAULT 0,
    status_inactive bigint NOT NULL DEFAULT 0,
    first_at        timestamptz,
    last_at         timestamptz,
    PRIMARY KEY (device, bucket)
);
COMMENT ON COLUMN rollup_hours.device IS 'devices.id; 0: all devices together';
COMMENT ON COLUMN rollup_hours.bucket IS 'The start of the span, in UTC.';
COMMENT ON COLUMN rollup_hours.readings IS 'How many; those that are none of the four have no status.';
COMMENT ON COLUMN rollup_hours.first_at IS 'recorded_at of the oldest one';
COMMENT ON COLUMN rollup_hours.last_at IS 'recorded_at of the newest one';

-- For questions about all devices: their sums of a few hours lie together, as they were made.
CREATE INDEX rollup_hours_bucket ON rollup_hours (bucket);

CREATE TABLE rollup_days (LIKE rollup_hours INCLUDING ALL);
CREATE TABLE rollup_open (LIKE rollup_hours INCLUDING DEFAULTS INCLUDING COMMENTS) WITH (fillfactor = 40);
ALTER TABLE rollup_open ADD COLUMN unit text COLLATE "C" NOT NULL, ADD PRIMARY KEY (device, unit);
CREATE TABLE rollup_totals (LIKE rollup_hours INCLUDING DEFAULTS INCLUDING COMMENTS) WITH (fillfactor = 50);
ALTER TABLE rollup_totals DROP COLUMN bucket, ADD PRIMARY KEY (device);
CREATE TABLE rollup_parts (LIKE rollup_hours INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (device, bucket));
CREATE TABLE rollup_late (LIKE rollup_hours INCLUDING DEFAULTS INCLUDING COMMENTS);
CREATE INDEX rollup_late_device ON rollup_late (device, bucket);
CREATE TABLE rollup_fleet (LIKE rollup_hours INCLUDING DEFAULTS INCLUDING COMMENTS);
ALTER TABLE rollup_fleet DROP COLUMN device, ADD PRIMARY KEY (bucket);
CREATE TABLE rollup_fleet_log (LIKE rollup_fleet INCLUDING DEFAULTS INCLUDING COMMENTS);
COMMENT ON TABLE rollup_hours IS 'Sums of the readings of each device and hour that is over. People query device_hours.';
COMMENT ON TABLE rollup_days IS 'The same per day. People query device_days.';
COMMENT ON TABLE rollup_open IS 'The same of the hour, and of the full hours of the day, that storage_state.rolled_until lies in.';
COMMENT ON TABLE rollup_parts IS 'What rollup_open had of the hour after 10, 20, 30, 40 and 50 minutes.';
COMMENT ON COLUMN rollup_parts.bucket IS 'Until when.';
COMMENT ON TABLE rollup_totals IS 'The same of all days that are over.';
COMMENT ON TABLE rollup_late IS 'Sums of readings that came after their hour or minute was rolled up; folded in every minute.';
COMMENT ON TABLE rollup_fleet IS 'Sums of the readings of all devices per ten seconds, as far back as readings go.';
COMMENT ON TABLE rollup_fleet_log IS 'The same as each transaction left it; folded in every minute.';
COMMENT ON COLUMN rollup_open.unit IS 'hour or day';

-- These live for a minute at a time, and are read often.
ALTER TABLE rollup_late SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE rollup_fleet_log SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
ALTER TABLE rollup_open SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- What stands in FROM for all readings of a span. No day is packed yet; 023_packed has more to say.
CREATE FUNCTION readings_source(starts timestamptz, ends timestamptz, of_device text DEFAULT NULL, columns text[] DEFAULT NULL,
                                from_at text DEFAULT NULL, until_at text DEFAULT NULL, received_after text DEFAULT NULL)
RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT 'readings'
$$;

-- The sum of a feature's readings as SQL, bounded as above; NULL of none.
CREATE FUNCTION rollup_sum_sql(feature text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT format('sum(CASE WHEN abs(%1$I) <= 1e290 THEN %1$I ELSE sign(%1$I) * 1e290 END)', feature)
$$;

-- NULL of none. A quotient that is too small even for the smallest double, 5e-324, is an error in SQL.
CREATE FUNCTION rollup_mean(total double precision, count bigint) RETURNS double precision LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN abs(total) > 1e-300 THEN total / nullif(count, 0)
                ELSE round(total / 5e-324 / nullif(count, 0)) * 5e-324 END
$$;

-- The columns of a rollup as SQL: their names; made of readings; made of rollups; and one rollup
-- added to the row that is there.
CREATE FUNCTION rollup_sql(OUT names text, OUT of_readings text, OUT of_rollups text, OUT added text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT 'readings, status_on, status_off, status_active, status_inactive, first_at, last_at'
           || coalesce(string_agg(format(', %I, %I, %I, %I', f || '_count', f || '_sum', f || '_min', f || '_max'), ''
                                  ORDER BY n), ''),
           'count(*), count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2),'
           ' count(*) FILTER (WHERE status = 3), count(*) FILTER (WHERE status = 4),'
           ' min(recorded_at), max(recorded_at)'
           || coalesce(string_agg(format(', count(%1$I), coalesce(%2$s, 0), min(%1$I), max(%1$I)',
                                         f, rollup_sum_sql(f)), '' ORDER BY n), ''),
           'coalesce(sum(readings)::bigint, 0), coalesce(sum(status_on)::bigint, 0), coalesce(sum(status_off)::bigint, 0),'
           ' coalesce(sum(status_active)::bigint, 0), coalesce(sum(status_inactive)::bigint, 0),'
           ' min(first_at), max(last_at)'
           || coalesce(string_agg(format(', coalesce(sum(%I)::bigint, 0), coalesce(sum(%I), 0), min(%I), max(%I)',
                                         f || '_count', f || '_sum', f || '_min', f || '_max'), '' ORDER BY n), ''),
           'readings = t.readings + excluded.readings, status_on = t.status_on + excluded.status_on,'
           ' status_off = t.status_off + excluded.status_off, status_active = t.status_active + excluded.status_active,'
           ' status_inactive = t.status_inactive + excluded.status_inactive,'
           ' first_at = least(t.first_at, excluded.first_at), last_at = greatest(t.last_at, excluded.last_at)'
           || coalesce(string_agg(format(', %1$I = t.%1$I + excluded.%1$I, %2$I = t.%2$I + excluded.%2$I,'
                                         ' %3$I = least(t.%3$I, excluded.%3$I), %4$I = greatest(t.%4$I, excluded.%4$I)',
                                         f || '_count', f || '_sum', f || '_min', f || '_max'), '' ORDER BY n), '')
    FROM (SELECT attname::text AS f, attnum AS n FROM pg_attribute
          WHERE attrelid = 'readings'::regclass AND attnum > 6 AND NOT attisdropped) feature
$$;

-- Its columns, in their order.
CREATE FUNCTION readings_columns() RETURNS text[] LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = 'readings'::regclass AND attnum > 0 AND NOT attisdropped
$$;

-- How many of n values came in the first 10, 20, 30, 40 and 50 minutes of an hour, 12 bits each; above them three bits, which say how many
-- times three bits were taken off all of them so that n has 12, too.
CREATE FUNCTION part_counts(n bigint, counts bigint[]) RETURNS bigint LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    times integer := 0;
    bits  bigint := 0;
BEGIN
    WHILE n >> (3 * times) > 4095 LOOP
        times := times + 1;
    END LOOP;
    FOR i IN 1 .. 5 LOOP
        bits := bits | ((counts[i] >> (3 * times)) << (12 * (i - 1)));
    END LOOP;
    RETURN CASE WHEN times < 8 THEN bits | (times::bigint << 60) END;
END $$;

-- By how much the sums of these were above that of as many lowest values, in 4,096ths of what all of the hour's values would be if
-- each was the highest, 12 bits each, rounded down. NULL: these are no numbers of which that can be told.
CREATE FUNCTION part_sums(n bigint, low double precision, high double precision, counts bigint[], totals double precision[]) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    unit  double precision;
    above double precision;
    bits  bigint := 0;
BEGIN
    IF low IS NULL OR abs(low) > 1e290 OR abs(high) > 1e290 THEN
        RETURN NULL;
    END IF;
    IF (high - low) * n > 1e-280 THEN
        unit := (high - low) * n / 4096;
        FOR i IN 1 .. 5 LOOP
            above := totals[i] - low * counts[i];
            IF above >= unit THEN -- a quotient that is too small for a double is an error
                bits := bits | (least(floor(above / unit), 4095)::bigint << (12 * (i - 1)));
            END IF;
        END LOOP;
    END IF;
    RETURN bits;
END $$;

-- The columns of rollup_hours about parts as SQL, each text behind a comma: their names; as they are when nothing is known; none of them; made of
-- an hour o of rollup_open with what it had after ten minutes (p1), twenty (p2) and so on, if `known`.it; made of rollups r of ten
-- minutes, whose hour begins at r."the hour".
CREATE FUNCTION rollup_parts_sql(OUT names text, OUT unknown text, OUT nulls text, OUT of_open text, OUT of_rollups text)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT coalesce(string_agg(format(', %I, %I', f || '_parts', f || '_part_sums'), '' ORDER BY n), ''),
           coalesce(string_agg(format(', %I = NULL, %I = NULL', f || '_parts', f || '_part_sums'), '' ORDER BY n), ''),
           repeat(', NULL::bigint', 2 * count(*)::integer),
           coalesce(string_agg(format(
               ', CASE WHEN known.it THEN part_counts(o.%1$I, ARRAY[%5$s]) END,'
               ' CASE WHEN known.it THEN part_sums(o.%1$I, o.%3$I, o.%4$I, ARRAY[%5$s], ARRAY[%6$s]) END',
               f || '_count', f || '_sum', f || '_min', f || '_max',
               (SELECT string_agg(format('coalesce(p%s.%I, 0)', i, f || '_count'), ', ' ORDER BY i) FROM generate_series(1, 5) i),
               (SELECT string_agg(format('coalesce(p%s.%I, 0)', i, f || '_sum'), ', ' ORDER BY i) FROM generate_series(1, 5) i)), '' ORDER BY n), ''),
           coalesce(string_agg(format(
               ', part_counts(coalesce(sum(r.%1$I)::bigint, 0), ARRAY[%4$s]), part_sums(coalesce(sum(r.%1$I)::bigint, 0), min(r.%2$I), max(r.%3$I), ARRAY[%4$s], ARRAY[%5$s])',
               f || '_count', f || '_min', f || '_max',
               (SELECT string_agg(format('coalesce(sum(r.%I) FILTER (WHERE r.bucket < r."the hour" + interval ''%s minutes'')::bigint, 0)', f || '_count', 10 * i), ', ' ORDER BY i)
                FROM generate_series(1, 5) i),
               (SELECT string_agg(format('coalesce(sum(r.%I) FILTER (WHERE r.bucket < r."the hour" + interval ''%s minutes''), 0)', f || '_sum', 10 * i), ', ' ORDER BY i)
                FROM generate_series(1, 5) i)), '' ORDER BY n), '')
    FROM (SELECT attname::text AS f, attnum AS n FROM pg_attribute
          WHERE attrelid = 'readings'::regclass AND attnum > 6 AND NOT attisdropped ORDER BY attnum LIMIT 64) feature
$$;

-- Comments on the columns of features, of rollups and of views, so that \d+ explains them. Without loops in loops: of
-- names that it makes up itself the planner takes a few for granted, and there may be ten thousand.
CREATE FUNCTION describe_columns() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT SET enable_nestloop = off AS $$
DECLARE
    comments text;
BEGIN
    WITH feature AS (
        SELECT attname::text AS f FROM pg_attribute
        WHERE attrelid = 'readings'::regclass AND attnum > 6 AND NOT attisdropped
    ), said (is_rollup, name, words) AS (
        SELECT s.suffix <> '', f.f || s.suffix, format(s.words, f.f)
        FROM feature f, (VALUES
            ('', '%s as the device sent it, NULL when it did not.'),
            ('_count', 'How many of the readings have %s.'),
            ('_sum', 'The sum of %s, values beyond 1e290 taken as that.'),
            ('_mean', 'The mean of %s.'),
            ('_min', 'The lowest %s.'),
            ('_max', 'The highest %s.'),
            ('_packed', '%s of each, as in readings.'),
            ('_hours', 'What rollup_hours has of %s.'),
            ('_parts', 'How many of %s came in the first 10, 20, 30, 40 and 50 minutes: part_counts().'),
            ('_part_sums', 'Roughly their sums: part_sums().')) AS s (suffix, words)
    ), fixed (name, words) AS (VALUES
        ('device_id', 'The id in the topic the device publishes to.'),
        ('recorded_at', 'The timestamp the device gave, or its arrival when it gave none.'),
        ('received_at', 'When the collector received it first.'),
        ('status', 'ON, OFF, ACTIVE or INACTIVE, NULL when the reading has none.'),
        ('seq', 'The device''s own number for the reading, if it gives one.'),
        ('hour', 'The start of the hour, in UTC.'),
        ('day', 'The start of the UTC day.'),
        ('readings', 'How many; those that are none of the four have no status.'),
        ('status_on', 'How many of them have the status ON.'),
        ('status_off', 'How many of them have the status OFF.'),
        ('status_active', 'How many of them have the status ACTIVE.'),
        ('status_inactive', 'How many of them have the status INACTIVE.'),
        ('first_at', 'recorded_at of the oldest one'),
        ('last_at', 'recorded_at of the newest one')
    )
    SELECT string_agg(format('COMMENT ON COLUMN %s.%I IS %L', c.oid::regclass, a.attname, coalesce(said.words, fixed.words)), ';')
    INTO comments
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = a.attnum
    LEFT JOIN said ON said.name = a.attname::text
                  AND said.is_rollup = (c.relname NOT IN ('readings', 'peaks', 'device_readings'))
    LEFT JOIN fixed ON fixed.name = a.attname::text
    WHERE c.relnamespace = current_schema()::regnamespace AND d.objoid IS NULL
      AND coalesce(said.words, fixed.words) IS NOT NULL
      AND (c.relname IN ('readings', 'peaks', 'device_readings', 'device_hours', 'device_days', 'fleet_hours', 'reading_chunks')
           OR c.relname LIKE 'rollup\_%' AND c.relkind = 'r');
    IF comments IS NOT NULL THEN
        EXECUTE comments;
    END IF;
END $$;

-- Adds features: their columns, and the views with them. Nothing happens to those that are there. All at once, because
-- the views are made of all columns each time.
CREATE OR REPLACE FUNCTION add_features(features text[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    target text;
    added  text;
    compression text := (SELECT ' COMPRESSION lz4' FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals));
    of_readings text;
    of_rollups text;
BEGIN
    SELECT string_agg(format('ADD COLUMN %I double precision', f), ', ' ORDER BY n) INTO added
    FROM unnest(features) WITH ORDINALITY AS wanted (f, n)
    WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'readings'::regclass AND attname = f AND NOT attisdropped);
    IF added IS NOT NULL THEN
        EXECUTE 'ALTER TABLE readings ' || added;
        EXECUTE 'ALTER TABLE peaks ' || added;
    END IF;
    SELECT string_agg(format('ADD COLUMN %I bigint NOT NULL DEFAULT 0, ADD COLUMN %I double precision NOT NULL DEFAULT 0,'
                             ' ADD COLUMN %I double precision, ADD COLUMN %I double precision',
                             f || '_count', f || '_sum', f || '_min', f || '_max'), ', ' ORDER BY n) INTO added
    FROM unnest(features) WITH ORDINALITY AS wanted (f, n)
    WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'rollup_hours'::regclass AND attname = f || '_count'
                      AND NOT attisdropped);
    IF added IS NOT NULL THEN
        FOREACH target IN ARRAY ARRAY['hours', 'days', 'open', 'parts', 'totals', 'late', 'fleet', 'fleet_log'] LOOP
            EXECUTE format('ALTER TABLE %I %s', 'rollup_' || target, added);
        END LOOP;
        EXECUTE (SELECT 'ALTER TABLE rollup_hours ' || string_agg(format('ADD COLUMN %I bigint, ADD COLUMN %I bigint',
                                                                         f || '_parts', f || '_part_sums'), ', ' ORDER BY n)
                 FROM unnest(features) WITH ORDINALITY AS wanted (f, n)
                 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'rollup_hours'::regclass
                                   AND attname = f || '_parts' AND NOT attisdropped));
    END IF;
    SELECT string_agg(format('ADD COLUMN %I packed_numbers%s', f || '_packed', compression), ', ' ORDER BY n) INTO added
    FROM unnest(features) WITH ORDINALITY AS wanted (f, n)
    WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'reading_chunks'::regclass AND attname = f || '_packed'
                      AND NOT attisdropped);
    IF added IS NOT NULL THEN
        FOR target IN SELECT 'reading_chunks' UNION ALL SELECT chunks FROM packed_days WHERE NOT is_packed LOOP
            EXECUTE format('ALTER TABLE %I %s', target, added);
        END LOOP;
    END IF;
    SELECT string_agg(format('ADD COLUMN %I packed_hours%s', f || '_hours', compression), ', ' ORDER BY n) INTO added
    FROM unnest(features) WITH ORDINALITY AS wanted (f, n)
    WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'rollup_hour_chunks'::regclass AND attname = f || '_hours'
                      AND NOT attisdropped);
    IF added IS NOT NULL THEN
        EXECUTE 'ALTER TABLE rollup_hour_chunks ' || added;
    END IF;
    SELECT string_agg(format(', r.%I', attname), '' ORDER BY attnum),
           string_agg(format(', r.%I, rollup_mean(r.%I, r.%I) AS %I, r.%I, r.%I', attname || '_count', attname || '_sum',
                             attname || '_count', attname || '_mean', attname || '_min', attname || '_max'),
                      '' ORDER BY attnum)
    INTO of_readings, of_rollups
    FROM pg_attribute
    WHERE attrelid = 'readings'::regclass AND NOT attisdropped AND attnum > 6;
    EXECUTE format(
        'CREATE OR REPLACE VIEW device_readings AS
         SELECT d.device_id, r.recorded_at, r.received_at,
                (ARRAY[''ON'', ''OFF'', ''ACTIVE'', ''INACTIVE''])[r.status] AS status, r.seq%1$s
         FROM readings r JOIN devices d ON d.id = r.device
         UNION ALL
         SELECT d.device_id, r.recorded_at, r.received_at,
                (ARRAY[''ON'', ''OFF'', ''ACTIVE'', ''INACTIVE''])[r.status] AS status, r.seq%1$s
         FROM (%2$s) r JOIN devices d ON d.id = r.device', of_readings,
        chunks_select(readings_columns(), 'true'));
    EXECUTE format(
        'CREATE OR REPLACE VIEW device_hours AS
         SELECT d.device_id, r.bucket AS hour, r.readings, r.status_on, r.status_off, r.status_active,
                r.status_inactive, r.first_at, r.last_at%1$s
         FROM rollup_hours r JOIN devices d ON d.id = r.device
         UNION ALL
         SELECT d.device_id, r.bucket AS hour, r.readings, r.status_on, r.status_off, r.status_active,
                r.status_inactive, r.first_at, r.last_at%1$s
         FROM devices d CROSS JOIN LATERAL (%2$s) r', of_rollups,
        -- of many features it would take seconds to make such a view
        CASE WHEN (SELECT count(*) > 30 FROM features_of('readings')) THEN 'SELECT * FROM hours_rows(d.id)'
             ELSE hours_select(ARRAY(SELECT features_of('readings')), of_device => 'd.id') END);
    EXECUTE format(
        'CREATE OR REPLACE VIEW device_days AS
         SELECT d.device_id, r.bucket AS day, r.readings, r.status_on, r.status_off, r.status_active,
                r.status_inactive, r.first_at, r.last_at%s
         FROM rollup_days r JOIN devices d ON d.id = r.device', of_rollups);
    EXECUTE format(
        'CREATE OR REPLACE VIEW fleet_hours AS
         SELECT r.bucket AS hour, r.readings, r.status_on, r.status_off, r.status_active,
                r.status_inactive, r.first_at, r.last_at%s
         FROM rollup_hours r WHERE r.device = 0', of_rollups);
    COMMENT ON VIEW device_readings IS 'Every reading with the name of its device and status.';
    COMMENT ON VIEW device_hours IS 'Sums per device and full hour. Late readings are in it after a minute or so. Of some hours of a device hours_between() is quicker.';
    COMMENT ON VIEW device_days IS 'Sums per device and full UTC day. Late readings are in it after a minute or so.';
    COMMENT ON VIEW fleet_hours IS 'Sums over all devices per hour, up to a minute or so ago.';
    PERFORM describe_columns();
END $$;

CREATE OR REPLACE FUNCTION add_feature(feature text) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT add_features(ARRAY[feature])
$$;

-- ---- storing ------------------------------------------------------------------------------------

-- What a collector asks before it stores readings recorded since `fresh_from` straight into the
-- partition of today, whose name it is told, and adds their sums to rollup_fleet_log itself, which
-- spares it the trigger. Until its transaction ends, nothing fresher than that becomes late, and
-- nothing is removed. It is refused when there was a removal after the last that it knows.
CREATE FUNCTION ingest_enter(fresh_from timestamptz, removals_known bigint DEFAULT NULL, OUT late_before timestamptz, OUT partition text,
                             OUT starts_at timestamptz, OUT ends_at timestamptz)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    were_removed boolean;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('highwater late', 0)); -- before the other's snapshot
    SELECT s.late_before, EXISTS (SELECT FROM removals WHERE id > removals_known), p.name, p.starts_at, p.ends_at
    INTO ingest_enter.late_before, were_removed, partition, ingest_enter.starts_at, ingest_enter.ends_at
    FROM storage_state s LEFT JOIN (reading_partitions p JOIN pg_class c ON c.oid = to_regclass(p.name) AND c.relispartition)
         ON p.starts_at <= now() AND p.ends_at > now();
    IF late_before > fresh_from THEN
        RAISE EXCEPTION 'readings recorded before % are late', late_before USING ERRCODE = 'HW001';
    END IF;
    IF were_removed THEN
        RAISE EXCEPTION 'readings were removed' USING ERRCODE = 'HW002';
    END IF;
END $$;

-- Takes what a collector has put into its table readings_stage, but for what is there already. Answers
-- how many readings that were, and which devices have a reading there that differs from the same message
-- as this collector reads it: a value was taken out since, or it came before its features did.
CREATE FUNCTION ingest_merge_stage(features text[], OUT added bigint, OUT differing integer[])
LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    source text;
BEGIN
    EXECUTE (SELECT format('INSERT INTO readings (%1$s) SELECT %1$s FROM readings_stage
                            ORDER BY device, recorded_at, content_hash ON CONFLICT DO NOTHING',
                           'device, content_hash, recorded_at, received_at, status, seq' || string_agg(format(', %I', f), ''))
             FROM unnest(features) f);
    GET DIAGNOSTICS added = ROW_COUNT;
    IF added < (SELECT count(*) FROM readings_stage) THEN
        -- Only now: what was just stored holds its partitions, so none of them is packed in between. OFFSET 0: each
        -- is looked up by its key, whatever the planner thinks of a table without statistics.
        source := (SELECT readings_source(min(s.recorded_at), max(s.recorded_at) + interval '1 microsecond', 's.device',
                                          ARRAY['content_hash'] || features, 's.recorded_at', 's.recorded_at + interval ''1 microsecond''')
                   FROM readings_stage s);
        EXECUTE (SELECT format('SELECT array_agg(DISTINCT s.device) FROM readings_stage s CROSS JOIN LATERAL (
                                    SELECT * FROM %s r WHERE r.device = s.device AND r.recorded_at = s.recorded_at
                                    AND %s OFFSET 0) r
                                WHERE (%s) IS DISTINCT FROM (%s)', source,
                               CASE source WHEN 'readings' THEN 'r.content_hash = s.content_hash'
                                           ELSE 'hash_matches(r.content_hash, s.content_hash)' END,
                               string_agg(format('s.%I', f), ', '), string_agg(format('r.%I', f), ', '))
                 FROM unnest(features) f) INTO differing;
    END IF;
END $$;

-- Everybody else who stores into readings is taken care of here, once per statement; with our search_path,
-- for the writer may have another (a dump that is read back has none).
CREATE FUNCTION readings_after_insert() RETURNS trigger
LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    q     record;
    state storage_state;
    late_values text;
BEGIN
    IF NOT EXISTS (SELECT FROM added) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('highwater late', 0));
    IF current_setting('transaction_isolation') = 'read committed' THEN
        SELECT * INTO state FROM storage_state;
    ELSE -- its snapshot may be older than the lock; this fails when it is
        SELECT * INTO state FROM storage_state FOR SHARE;
    END IF;
    SELECT * INTO q FROM rollup_sql();
    -- By the minute, unless the whole hour is rolled up: no bucket may lie on both sides of rolled_until.
    EXECUTE format('INSERT INTO rollup_late (device, bucket, %s)
                    SELECT device, date_bin(CASE WHEN recorded_at < %L THEN interval ''1 hour'' ELSE ''1 minute'' END,
                                            recorded_at, ''epoch'') AS at, %s
                    FROM added WHERE recorded_at < %L GROUP BY 1, 2', q.names,
                   date_bin('1 hour', state.rolled_until, 'epoch'), q.of_readings, state.late_before);
    SELECT format('INSERT INTO rollup_late_values (device, feature, recorded_at, value)
                   SELECT whose.device, named.feature, a.recorded_at, named.value FROM added a
                   CROSS JOIN LATERAL (VALUES %s) named (feature, value) CROSS JOIN LATERAL (VALUES (0), (a.device)) whose (device)
                   WHERE a.recorded_at < %L AND named.value IS NOT NULL',
                  string_agg(format('(%L, a.%1$I)', f), ', '), state.late_before)
    INTO late_values FROM features_of('readings') f HAVING count(*) > 0;
    IF late_values IS NOT NULL THEN
        EXECUTE late_values;
    END IF;
    EXECUTE format('INSERT INTO rollup_fleet_log (bucket, %s)
                    SELECT date_bin(''10 seconds'', recorded_at, ''epoch'') AS at, %s FROM added GROUP BY 1',
                   q.names, q.of_readings);
    INSERT INTO partition_requests (day)
    SELECT day FROM (SELECT DISTINCT date_trunc('day', recorded_at, 'UTC') AS day FROM added) d
    WHERE NOT EXISTS (SELECT FROM reading_partitions p WHERE p.starts_at <= d.day AND p.ends_at > d.day)
      AND NOT EXISTS (SELECT FROM partition_requests r WHERE r.day = d.day);
    RETURN NULL;
END $$;
CREATE TRIGGER readings_after_insert AFTER INSERT ON readings REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION readings_after_insert();

-- ---- folding, by one collector at a time --------------------------------------------------------

-- Says that readings recorded more than `delay` ago are late from now on. Returns that moment; NULL:
-- not for now, since a writer is active.
CREATE FUNCTION rollup_set_late_before(delay interval) RETURNS timestamptz
LANGUAGE plpgsql SET lock_timeout = '50ms' SET search_path FROM CURRENT AS $$
DECLARE
    moment timestamptz := date_bin('1 minute', now() - delay, 'epoch');
    before timestamptz := (SELECT late_before FROM storage_state);
BEGIN
    IF moment <= before THEN
        RETURN before;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater late', 0));
    UPDATE storage_state SET late_before = moment;
    RETURN moment;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END $$;

-- Rolls up the devices' readings to a moment that was announced, but one hour at most: one slice.
-- Returns rolled_until.
CREATE FUNCTION rollup_until(upto timestamptz) RETURNS timestamptz LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    q     record;
    parts  record;
    state storage_state;
    hour  timestamptz;
    day   timestamptz;
    slice timestamptz;
    slice_end timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO state FROM storage_state;
    SELECT * INTO q FROM rollup_sql();
    hour := date_bin('1 hour', state.rolled_until, 'epoch');
    day := date_bin('1 day', state.rolled_until, 'epoch');
    upto := least(date_bin('1 minute', upto, 'epoch'), state.late_before, hour + interval '1 hour');
    IF upto <= state.rolled_until THEN
        RETURN state.rolled_until;
    END IF;
    slice := state.rolled_until;
    WHILE slice < upto LOOP
        slice_end := least(date_bin('10 minutes', slice, 'epoch') + interval '10 minutes', upto);
        -- one statement, so one snapshot
        EXECUTE format('WITH gone AS (DELETE FROM rollup_late WHERE bucket >= %1$L AND bucket < %2$L)
                        INSERT INTO rollup_open AS t (device, unit, bucket, %3$s)
                        SELECT device, ''hour'', %4$L, %5$s FROM readings
                        WHERE recorded_at >= %1$L AND recorded_at < %2$L GROUP BY device
                        ON CONFLICT (device, unit) DO UPDATE SET %6$s',
                       slice, slice_end, q.names, hour, q.of_readings, q.added);
        IF slice_end = date_bin('10 minutes', slice_end, 'epoch') AND slice_end < hour + interval '1 hour' THEN
            EXECUTE format('INSERT INTO rollup_parts (device, bucket, %1$s)
                            SELECT device, %2$L, %1$s FROM rollup_open WHERE unit = ''hour'' ORDER BY device', q.names, slice_end);
        END IF;
        slice := slice_end;
    END LOOP;
    IF upto = hour + interval '1 hour' THEN
        SELECT * INTO parts FROM rollup_parts_sql();
        -- of what had nothing yet, nothing is there
        EXECUTE (SELECT format('INSERT INTO rollup_hours AS t (device, bucket, %1$s%3$s)
                                SELECT o.device, o.bucket, %4$s%5$s FROM rollup_open o %6$s CROSS JOIN LATERAL (SELECT %7$s) known (it)
                                WHERE o.unit = ''hour'' ORDER BY o.device
                                ON CONFLICT (device, bucket) DO UPDATE SET %2$s%8$s', q.names, q.added, parts.names,
                               'o.' || replace(q.names, ', ', ', o.'), parts.of_open,
                               string_agg(format('LEFT JOIN rollup_parts p%1$s ON p%1$s.device = o.device AND p%1$s.bucket = %2$L', i, hour + i * interval '10 minutes'), ' '),
                               string_agg(format('(p%s.device IS NOT NULL OR o.first_at >= %L)', i, hour + i * interval '10 minutes'), ' AND '), parts.unknown)
                 FROM generate_series(1, 5) i);
        DELETE FROM rollup_parts;
        EXECUTE format('INSERT INTO rollup_open AS t (device, unit, bucket, %1$s)
                        SELECT device, ''day'', %3$L, %1$s FROM rollup_open WHERE unit = ''hour''
                        ON CONFLICT (device, unit) DO UPDATE SET %2$s', q.names, q.added, day);
        DELETE FROM rollup_open WHERE unit = 'hour';
    END IF;
    IF upto = day + interval '24 hours' THEN
        EXECUTE format('INSERT INTO rollup_days AS t (device, bucket, %1$s)
                        SELECT device, bucket, %1$s FROM rollup_open WHERE unit = ''day'' ORDER BY device
                        ON CONFLICT (device, bucket) DO UPDATE SET %2$s', q.names, q.added);
        EXECUTE format('INSERT INTO rollup_totals AS t (device, %1$s)
                        SELECT device, %1$s FROM rollup_open WHERE unit = ''day'' ORDER BY device
                        ON CONFLICT (device) DO UPDATE SET %2$s', q.names, q.added);
        DELETE FROM rollup_open WHERE unit = 'day';
    END IF;
    UPDATE storage_state SET rolled_until = upto;
    RETURN upto;
END $$;

-- Folds in up to `most` rows of rollup_late, of as many of them as make few packed hours rows again; returns how many, and `most` where that left some.
CREATE FUNCTION rollup_fold_late(most integer) RETURNS bigint LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    q     record;
    state storage_state;
    folded bigint;
    of_devices integer[];
    of_hours   timestamptz[];
    picked     tid[];
    is_rest    boolean; -- some are left for the next time
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO state FROM storage_state;
    SELECT * INTO q FROM rollup_sql();
    SELECT array_agg(l.row) FILTER (WHERE NOT l.is_too_much), array_agg(l.device) FILTER (WHERE NOT l.is_too_much),
           array_agg(l.bucket) FILTER (WHERE NOT l.is_too_much), bool_or(l.is_too_much) INTO picked, of_devices, of_hours, is_rest FROM (
        SELECT l.*, dense_rank() OVER (ORDER BY x.starts_at, x.device_group) > 64 AND x.starts_at IS NOT NULL AS is_too_much
        FROM (SELECT ctid AS row, device, bucket FROM rollup_late WHERE bucket < state.rolled_until LIMIT most) l
        LEFT JOIN rollup_hour_chunks x ON x.device_group = l.device >> 4 AND x.starts_at = date_bin('48 hours', l.bucket, 'epoch')) l;
    PERFORM hours_unpack(of_devices, of_hours);
    PERFORM sheets_forget(of_devices, of_hours);
    EXECUTE format(
        'WITH gone AS (DELETE FROM rollup_late WHERE ctid = ANY (%1$L) RETURNING *),
         hours (device, bucket, %2$s) AS MATERIALIZED (
             SELECT device, date_bin(''1 hour'', bucket, ''epoch'') AS at, %3$s FROM gone GROUP BY device, at),
         open_hours AS (INSERT INTO rollup_open AS t (device, unit, bucket, %2$s)
             SELECT device, ''hour'', bucket, %2$s FROM hours WHERE bucket >= %5$L
             ON CONFLICT (device, unit) DO UPDATE SET %4$s),
         full_hours AS (INSERT INTO rollup_hours AS t (device, bucket, %2$s)
             SELECT device, bucket, %2$s FROM hours WHERE bucket < %5$L ORDER BY device, bucket
             ON CONFLICT (device, bucket) DO UPDATE SET %4$s%7$s),
         parts AS (DELETE FROM rollup_parts t USING hours h WHERE h.bucket >= %5$L AND t.device = h.device),
         open_days AS (INSERT INTO rollup_open AS t (device, unit, bucket, %2$s)
             SELECT device, ''day'', %6$L, %3$s FROM hours WHERE bucket >= %6$L AND bucket < %5$L GROUP BY device
             ON CONFLICT (device, unit) DO UPDATE SET %4$s),
         full_days AS (INSERT INTO rollup_days AS t (device, bucket, %2$s)
             SELECT device, date_bin(''1 day'', bucket, ''epoch'') AS at, %3$s FROM hours WHERE bucket < %6$L
             GROUP BY device, at ORDER BY device, at
             ON CONFLICT (device, bucket) DO UPDATE SET %4$s),
         totals AS (INSERT INTO rollup_totals AS t (device, %2$s)
             SELECT device, %3$s FROM hours WHERE bucket < %6$L GROUP BY device ORDER BY device
             ON CONFLICT (device) DO UPDATE SET %4$s)
         SELECT count(*), (SELECT array_agg(device) FROM hours), (SELECT array_agg(bucket) FROM hours) FROM gone',
        picked, q.names, q.of_rollups, q.added,
        date_bin('1 hour', state.rolled_until, 'epoch'), date_bin('1 day', state.rolled_until, 'epoch'),
        (SELECT k.unknown FROM rollup_parts_sql() k))
    INTO folded, of_devices, of_hours;
    PERFORM values_missing(of_devices, of_hours);
    PERFORM minutes_late(of_devices, of_hours);
    RETURN CASE WHEN is_rest THEN most ELSE folded END;
END $$;

-- Folds in up to `most` rows of rollup_fleet_log; returns how many.
CREATE FUNCTION rollup_fold_fleet(most integer) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    q record;
    folded bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO q FROM rollup_sql();
    EXECUTE format(
        'WITH gone AS (DELETE FROM rollup_fleet_log WHERE ctid = ANY (ARRAY(
                           SELECT ctid FROM rollup_fleet_log LIMIT %1$s)) RETURNING *),
         fleet AS (INSERT INTO rollup_fleet AS t (bucket, %2$s)
             SELECT bucket, %3$s FROM gone GROUP BY bucket ORDER BY bucket
             ON CONFLICT (bucket) DO UPDATE SET %4$s),
         hours AS (INSERT INTO rollup_hours AS t (device, bucket, %2$s)
             SELECT 0, date_bin(''1 hour'', bucket, ''epoch'') AS at, %3$s FROM gone GROUP BY at ORDER BY at
             ON CONFLICT (device, bucket) DO UPDATE SET %4$s),
         days AS (INSERT INTO rollup_days AS t (device, bucket, %2$s)
             SELECT 0, date_bin(''1 day'', bucket, ''epoch'') AS at, %3$s FROM gone GROUP BY at ORDER BY at
             ON CONFLICT (device, bucket) DO UPDATE SET %4$s),
         totals AS (INSERT INTO rollup_totals AS t (device, %2$s)
             SELECT 0, %3$s FROM gone HAVING count(*) > 0
             ON CONFLICT (device) DO UPDATE SET %4$s)
         SELECT count(*) FROM gone', most, q.names, q.of_rollups, q.added) INTO folded;
    RETURN folded;
END $$;

-- Counts whole UTC days again, after readings were changed or deleted by hand, or stored straight
-- into partitions, and looks for their peaks. Not for days whose partition was dropped.
CREATE FUNCTION rollup_rebuild(first_day timestamptz, last_day timestamptz) RETURNS bigint
LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
DECLARE
    q      record;
    parts  record;
    state  storage_state;
    starts timestamptz := date_trunc('day', first_day, 'UTC');
    ends   timestamptz := date_trunc('day', last_day, 'UTC') + interval '24 hours';
    hour   timestamptz;
    day    timestamptz;
    counted bigint;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'rollup_rebuild() needs READ COMMITTED: it looks at what others commit while it waits';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO state FROM storage_state;
    SELECT * INTO q FROM rollup_sql();
    SELECT * INTO parts FROM rollup_parts_sql();
    hour := date_bin('1 hour', state.rolled_until, 'epoch');
    day := date_bin('1 day', state.rolled_until, 'epoch');
    IF starts < state.kept_from THEN
        RAISE EXCEPTION 'readings before % were dropped and cannot be counted again', state.kept_from;
    END IF;
    CREATE TEMP TABLE rebuilt (LIKE rollup_hours INCLUDING DEFAULTS) ON COMMIT DROP;
    EXECUTE format(
        'WITH late AS (DELETE FROM rollup_late WHERE bucket >= %1$L AND bucket < %2$L),
         log AS (DELETE FROM rollup_fleet_log WHERE bucket >= %1$L AND bucket < %2$L)
         INSERT INTO rebuilt (device, bucket, %3$s%6$s)
         SELECT r.device, r."the hour", %7$s%8$s FROM (
             SELECT b.*, date_bin(''1 hour'', b.bucket, ''epoch'') AS "the hour" FROM (
                 SELECT device, date_bin(''10 minutes'', recorded_at, ''epoch'') AS at, %4$s FROM %10$s r
                 WHERE recorded_at >= %1$L AND recorded_at < %5$L GROUP BY 1, 2) b (device, bucket, %3$s)) r GROUP BY r.device, r."the hour"
         UNION ALL
         SELECT 0, date_bin(''10 seconds'', recorded_at, ''epoch'') AS at, %4$s%9$s FROM %10$s r
         WHERE recorded_at >= %1$L AND recorded_at < %2$L GROUP BY 1, 2',
        starts, ends, q.names, q.of_readings, least(ends, state.rolled_until), parts.names, q.of_rollups, parts.of_rollups, parts.nulls,
        readings_source(starts, ends, columns => '{status}' || ARRAY(SELECT features_of('readings'))));
    DELETE FROM rollup_fleet WHERE bucket >= starts AND bucket < ends;
    PERFORM hours_unpack_all(starts, ends);
    DELETE FROM rollup_hours WHERE bucket >= starts AND bucket < ends;
    DELETE FROM rollup_days WHERE bucket >= starts AND bucket < ends;
    DELETE FROM rollup_open WHERE bucket >= starts AND bucket < ends;
    DELETE FROM rollup_parts WHERE bucket >= starts AND bucket < ends;
    EXECUTE format('INSERT INTO rollup_fleet (bucket, %1$s)
                    SELECT bucket, %1$s FROM rebuilt WHERE device = 0 ORDER BY bucket', q.names);
    EXECUTE format('INSERT INTO rollup_hours (device, bucket, %1$s%4$s)
                    SELECT 0, date_bin(''1 hour'', bucket, ''epoch'') AS at, %2$s%5$s FROM rebuilt WHERE device = 0 GROUP BY at
                    UNION ALL SELECT device, bucket, %1$s%4$s FROM rebuilt WHERE device > 0 AND bucket < %3$L
                    ORDER BY 2, 1', q.names, q.of_rollups, hour, parts.names, parts.nulls);
    PERFORM hours_unpack(array_agg(r.device), array_agg(r.at))
    FROM (SELECT DISTINCT r.device >> 4 << 4 | 15 AS device, date_bin('48 hours', r.bucket, 'epoch') AS at FROM rebuilt r WHERE r.device > 0) r;
    EXECUTE format('INSERT INTO rollup_days (device, bucket, %1$s)
                    SELECT device, date_bin(''1 day'', bucket, ''epoch'') AS at, %2$s FROM rebuilt
                    WHERE device = 0 OR bucket < %3$L GROUP BY device, at ORDER BY at, device', q.names, q.of_rollups, day);
    EXECUTE format('INSERT INTO rollup_open (device, unit, bucket, %1$s)
                    SELECT device, ''day'', %3$L, %2$s FROM rebuilt WHERE device > 0 AND bucket >= %3$L AND bucket < %4$L
                    GROUP BY device
                    UNION ALL SELECT device, ''hour'', bucket, %1$s FROM rebuilt WHERE device > 0 AND bucket >= %4$L',
                   q.names, q.of_rollups, day, hour);
    DELETE FROM rollup_totals;
    EXECUTE format('INSERT INTO rollup_totals (device, %1$s)
                    SELECT device, %2$s FROM rollup_days GROUP BY device ORDER BY device', q.names, q.of_rollups);
    SELECT coalesce(sum(readings), 0) INTO counted FROM rebuilt WHERE device = 0;
    DROP TABLE rebuilt;
    PERFORM values_rebuild(starts, ends);
    PERFORM minutes_rebuild(starts, ends);
    PERFORM sheets_rebuild(starts, ends);
    PERFORM peaks_rebuild(starts, ends);
    RETURN counted;
END $$;

-- Forgets the ten-second sums of days whose partition was dropped: they are for the ends of spans,
-- which need readings anyhow. Returns how many. And the values and minutes of such days.
CREATE FUNCTION rollup_forget() RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    gone bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    DELETE FROM rollup_fleet WHERE bucket < (SELECT kept_from FROM storage_state);
    GET DIAGNOSTICS gone = ROW_COUNT;
    PERFORM values_forget();
    PERFORM minutes_forget();
    RETURN gone;
END $$;

-- What is there already.
LOCK TABLE readings IN SHARE MODE;
SELECT rollup_rebuild(min(recorded_at), max(recorded_at)) FROM readings HAVING count(*) > 0;
