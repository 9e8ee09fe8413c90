-- 007_removal: what should not be in readings is taken out again, and out of all that was made of it.
--
--   SELECT readings_remove('device_7', '2026-11-20 10:00Z', '2026-11-20 11:00Z', 'temperature');
--   SELECT device_remove('device_7');
--
-- A removal goes for the readings that it finds when it begins; what comes later counts as ever, also
-- if it is one of those again. It is one transaction, in this order:
--   1. The rollups are not folded meanwhile (the lock 'highwater rollup').
--   2. The sums of the fleet are counted again without those readings, in one statement: what others
--      store meanwhile is in both readings and rollup_fleet_log, or in none. It reads all readings of
--      the ten-second slots that lose one, and nobody waits for it.
--   3. Everybody who stores is shut out (the lock 'highwater late'), as long as it takes to change what
--      is about this one device: its readings, rollups and peaks. With nobody inside no reading can be
--      compared with a peak that is just being taken back.
--   4. The removal is noted, and collectors are told. One that has not heard of it is sent back by
--      ingest_enter(), so it stores nothing that rests on what it remembers.
-- Rejected: taking sums off the sums, which is not exact for doubles and impossible for minima.
--
-- Features may have any name, so what is read beside their columns is qualified.
--
-- Where partitions were dropped, sums stay as they are: they cannot be counted again. A peak of that
-- time goes if the span says so; the best of what is still stored takes its place.

CREATE TABLE removals (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device     integer NOT NULL,
    is_whole   boolean NOT NULL,
    starts_at  timestamptz,
    ends_at    timestamptz,
    feature    text COLLATE "C",
    readings   bigint NOT NULL,
    removed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE removals IS 'What was taken out of readings, by readings_remove() and device_remove().';
COMMENT ON COLUMN removals.id IS 'In the order in which they took effect.';
COMMENT ON COLUMN removals.device IS 'devices.id, or what it was.';
COMMENT ON COLUMN removals.is_whole IS 'The device was taken out of devices as well.';
COMMENT ON COLUMN removals.starts_at IS 'recorded_at was not before this,';
COMMENT ON COLUMN removals.ends_at IS 'and before this.';
COMMENT ON COLUMN removals.feature IS 'Only this value was taken out; NULL: the readings.';
COMMENT ON COLUMN removals.readings IS 'How many.';
COMMENT ON COLUMN removals.removed_at IS 'When.';

-- The readings r of `source` as they will be without what the table `removed` names.
CREATE FUNCTION removal_sql(source text, of_device integer, feature text) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT format('(SELECT r.recorded_at, r.status%s FROM %s LEFT JOIN removed x ON r.device = %s'
                  ' AND x.recorded_at = r.recorded_at AND x.content_hash = r.content_hash'
                  ' WHERE x.stays IS NOT FALSE)',
                  string_agg(CASE WHEN f IS NOT DISTINCT FROM removal_sql.feature
                                  THEN format(', CASE WHEN x.stays THEN NULL ELSE r.%1$I END AS %1$I', f)
                                  ELSE format(', r.%I', f) END, ''), source, of_device)
    FROM features_of('readings') AS known (f)
$$;

-- Step 2.
CREATE FUNCTION removal_from_fleet(of_device integer, feature text) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    q         record;
    source    text;
    kept_from timestamptz := (SELECT s.kept_from FROM storage_state s);
BEGIN
    SELECT * INTO q FROM rollup_sql();
    CREATE TEMP TABLE removed_slots ON COMMIT DROP AS
        SELECT DISTINCT date_bin('10 seconds', recorded_at, 'epoch') AS at FROM removed WHERE recorded_at >= kept_from;
    ANALYZE removed_slots;
    SELECT coalesce(max(s.source), 'readings') INTO source FROM (
        SELECT readings_source(min(at), max(at) + interval '10 seconds', NULL, '{content_hash,status}' || ARRAY(SELECT features_of('readings')),
                               'runs.starts', 'runs.ends') FROM removed_slots HAVING count(*) > 0) s (source);
    DELETE FROM rollup_fleet WHERE bucket IN (SELECT at FROM removed_slots);
    -- Slots that follow each other are read in one go; where chunks are unpacked for each run, also those that nearly do.
    EXECUTE format(
        'WITH runs AS MATERIALIZED (
             SELECT min(at) AS starts, max(at) + interval ''10 seconds'' AS ends
             FROM (SELECT at, sum(s.first) OVER (ORDER BY at) AS run
                   FROM (SELECT at, CASE WHEN at <= lag(at) OVER (ORDER BY at) + %4$L::interval THEN 0 ELSE 1 END AS first FROM removed_slots) s) s
             GROUP BY run),
         log AS (DELETE FROM rollup_fleet_log WHERE bucket IN (SELECT at FROM removed_slots))
         INSERT INTO rollup_fleet (bucket, %1$s)
         SELECT date_bin(''10 seconds'', recorded_at, ''epoch'') AS at, %2$s FROM %3$s r GROUP BY 1', q.names, q.of_readings,
        removal_sql(format('runs CROSS JOIN LATERAL (SELECT * FROM %s r WHERE r.recorded_at >= runs.starts'
                           ' AND r.recorded_at < runs.ends%s) r', source,
                           CASE WHEN source <> 'readings' THEN ' AND date_bin(''10 seconds'', r.recorded_at, ''epoch'') IN (SELECT at FROM removed_slots)' ELSE '' END),
                    of_device, feature),
        CASE WHEN source = 'readings' THEN '10 seconds' ELSE '20 minutes' END);
    CREATE TEMP TABLE removed_hours ON COMMIT DROP AS
        SELECT DISTINCT date_bin('1 hour', at, 'epoch') AS at FROM removed_slots;
    DELETE FROM rollup_hours WHERE device = 0 AND bucket IN (SELECT at FROM removed_hours);
    EXECUTE format('INSERT INTO rollup_hours (device, bucket, %1$s)
                    SELECT 0, h.at, %2$s FROM removed_hours h
                    JOIN rollup_fleet f ON f.bucket >= h.at AND f.bucket < h.at + interval ''1 hour'' GROUP BY h.at',
                   q.names, q.of_rollups);
    PERFORM removal_from_days(0, 'infinity');
    DROP TABLE removed_slots, removed_hours;
END $$;

-- Days that lose a reading, and the totals, from the hours.
CREATE FUNCTION removal_from_days(of_device integer, open_day timestamptz) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    q record;
BEGIN
    SELECT * INTO q FROM rollup_sql();
    CREATE TEMP TABLE removed_days ON COMMIT DROP AS
        SELECT DISTINCT date_bin('1 day', at, 'epoch') AS at FROM removed_hours;
    DELETE FROM rollup_days WHERE device = of_device AND bucket IN (SELECT at FROM removed_days);
    DELETE FROM rollup_totals WHERE device = of_device;
    EXECUTE format('INSERT INTO rollup_days (device, bucket, %1$s)
                    SELECT %3$s, d.at, %2$s FROM removed_days d JOIN rollup_hours h ON h.device = %3$s
                    AND h.bucket >= d.at AND h.bucket < d.at + interval ''24 hours'' WHERE d.at < %4$L GROUP BY d.at',
                   q.names, q.of_rollups, of_device, open_day);
    EXECUTE format('INSERT INTO rollup_totals (device, %1$s)
                    SELECT device, %2$s FROM rollup_days WHERE device = %3$s GROUP BY device',
                   q.names, q.of_rollups, of_device);
    DROP TABLE removed_days;
END $$;

-- Of step 3 what is about the rollups of the device, after its readings were changed.
CREATE FUNCTION removal_from_device(of_device integer) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    q         record;
    state     storage_state := (SELECT s FROM storage_state s);
    open_hour timestamptz := date_bin('1 hour', state.rolled_until, 'epoch');
    open_day  timestamptz := date_bin('1 day', state.rolled_until, 'epoch');
BEGIN
    SELECT * INTO q FROM rollup_sql();
    CREATE TEMP TABLE removed_hours ON COMMIT DROP AS
        SELECT DISTINCT date_bin('1 hour', recorded_at, 'epoch') AS at FROM removed
        WHERE recorded_at >= state.kept_from AND recorded_at < state.rolled_until;
    CREATE TEMP TABLE recounted (LIKE rollup_hours INCLUDING DEFAULTS) ON COMMIT DROP;
    EXECUTE format('INSERT INTO recounted (device, bucket, %1$s)
                    SELECT %3$s, h.at, s.* FROM removed_hours h CROSS JOIN LATERAL (
                        SELECT %2$s FROM %5$s r WHERE r.device = %3$s AND r.recorded_at >= h.at
                        AND r.recorded_at < least(h.at + interval ''1 hour'', %4$L) HAVING count(*) > 0) s',
                   q.names, q.of_readings, of_device, state.rolled_until,
                   coalesce((SELECT readings_source(min(at), max(at) + interval '1 hour', of_device::text, '{status}' || ARRAY(SELECT features_of('readings')),
                                                    'h.at', 'h.at + interval ''1 hour''') FROM removed_hours HAVING count(*) > 0), 'readings'));
    DELETE FROM rollup_late l WHERE device = of_device AND bucket < state.rolled_until
        AND date_bin('1 hour', bucket, 'epoch') IN (SELECT at FROM removed_hours);
    DELETE FROM rollup_hours WHERE device = of_device AND bucket IN (SELECT at FROM removed_hours);
    DELETE FROM rollup_open WHERE device = of_device AND unit = 'hour' AND bucket IN (SELECT at FROM removed_hours);
    DELETE FROM rollup_open WHERE device = of_device AND unit = 'day';
    DELETE FROM rollup_parts WHERE device = of_device;
    EXECUTE format('INSERT INTO rollup_hours (device, bucket, %1$s) SELECT device, bucket, %1$s FROM recounted WHERE bucket < %2$L',
                   q.names, open_hour);
    EXECUTE format('INSERT INTO rollup_open (device, unit, bucket, %1$s)
                    SELECT device, ''hour'', bucket, %1$s FROM recounted WHERE bucket >= %2$L',
                   q.names, open_hour);
    EXECUTE format('INSERT INTO rollup_open (device, unit, bucket, %1$s)
                    SELECT device, ''day'', %4$L, %2$s FROM rollup_hours WHERE device = %3$s AND bucket >= %4$L GROUP BY device',
                   q.names, q.of_rollups, of_device, open_day);
    PERFORM removal_from_days(of_device, open_day);
    DROP TABLE removed_hours, recounted;
END $$;

-- Of step 3 what is about packed readings of the device: the chunks of a day that loses some are made again. What came
-- late for it is in readings, and stays there.
CREATE FUNCTION removal_from_chunks(of_device integer, feature text) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    day     record;
    columns CONSTANT text[] := readings_columns();
    names   text := (SELECT string_agg(CASE WHEN c.name IS NOT DISTINCT FROM feature
                                            THEN format('CASE WHEN x.stays THEN NULL ELSE r.%1$I END AS %1$I', c.name)
                                            ELSE format('r.%I', c.name) END, ', ' ORDER BY c.n)
                     FROM unnest(columns) WITH ORDINALITY AS c (name, n));
BEGIN
    FOR day IN SELECT d.* FROM packed_days d WHERE d.is_packed
               AND EXISTS (SELECT FROM removed x WHERE x.recorded_at >= d.starts_at AND x.recorded_at < d.ends_at) LOOP
        EXECUTE format('CREATE TEMP TABLE removal_rest ON COMMIT DROP AS SELECT %s FROM (%s) r LEFT JOIN removed x'
                       ' ON x.recorded_at = r.recorded_at AND x.content_hash = r.content_hash WHERE x.stays IS NOT FALSE', names,
                       chunks_select(columns, format('reading_chunks.device = %s AND reading_chunks.first_at >= %L AND reading_chunks.first_at < %L',
                                                     of_device, day.starts_at, day.ends_at)));
        PERFORM chunks_rewrite(of_device, day.starts_at, day.ends_at, 'removal_rest');
        DROP TABLE removal_rest;
    END LOOP;
END $$;

-- Finds the best reading of a device that is stored, and takes it into peaks. The rollups say which
-- hour it is in, so that not all its readings are read.
CREATE FUNCTION peaks_find(of_device integer, feature text, sort_order text) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    state storage_state := (SELECT s FROM storage_state s);
    best  text := feature || CASE sort_order WHEN 'desc' THEN '_max' ELSE '_min' END;
    q     record;
BEGIN
    SELECT * INTO q FROM rank_sql(feature, sort_order);
    EXECUTE peaks_merge_sql(format(
        '(WITH days AS (SELECT bucket FROM rollup_days WHERE device = %1$s AND bucket >= %2$L AND %3$I IS NOT NULL
                        ORDER BY %3$I %4$s, bucket DESC LIMIT 1),
          spans (starts, ends) AS (
              (SELECT h.bucket, h.bucket + interval ''1 hour'' FROM days d JOIN %11$s h ON h.device = %1$s
               AND h.bucket >= d.bucket AND h.bucket < d.bucket + interval ''24 hours''
               WHERE h.%3$I IS NOT NULL ORDER BY h.%3$I %4$s, h.bucket DESC LIMIT 1)
              UNION (SELECT bucket, bucket + interval ''1 hour'' FROM rollup_hours WHERE device = %1$s AND bucket >= %5$L
                     AND %3$I IS NOT NULL ORDER BY %3$I %4$s, bucket DESC LIMIT 1)
              UNION SELECT date_bin(''1 hour'', bucket, ''epoch''), date_bin(''1 hour'', bucket, ''epoch'') + interval ''1 hour''
                    FROM rollup_late WHERE device = %1$s
              UNION VALUES (''-infinity''::timestamptz, %2$L::timestamptz), (%6$L, ''infinity''))
          SELECT r.device, r.content_hash, r.recorded_at, r.%7$I AS value, r.status, %7$L AS feature, %4$L AS sort_order, %8$s
          FROM spans CROSS JOIN LATERAL (SELECT * FROM %10$s r WHERE r.device = %1$s AND r.recorded_at >= spans.starts
               AND r.recorded_at < spans.ends AND r.%7$I <> ''NaN'' ORDER BY %9$s LIMIT 1) r ORDER BY %9$s LIMIT 1)',
        of_device, state.kept_from, best, sort_order, date_bin('1 day', state.rolled_until, 'epoch'),
        date_bin('1 hour', state.rolled_until, 'epoch'), feature,
        (SELECT string_agg(format('r.%I', f), ', ') FROM features_of('readings') f), q.of_device,
        readings_source('-infinity', 'infinity', of_device::text, ARRAY['content_hash', 'status'] || ARRAY(SELECT features_of('readings')),
                        'spans.starts', 'spans.ends'),
        hours_source(state.kept_from, 'infinity', of_device::text, said => best)),
        ARRAY(SELECT features_of('readings')));
END $$;

-- All of it, of one device. Returns how many readings were taken out, or lost the feature.
CREATE FUNCTION removal_of(of_device integer, starts timestamptz, ends timestamptz, of_feature text, is_whole boolean)
RETURNS bigint LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    count bigint;
    span  text;
    peak  record;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'readings are removed in READ COMMITTED: what others commit meanwhile is looked at';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    span := format('device = %s AND recorded_at >= %L AND recorded_at < %L', of_device, starts, ends);
    EXECUTE format('CREATE TEMP TABLE removed ON COMMIT DROP AS SELECT recorded_at, content_hash, %s AS stays FROM %s r WHERE %s%s',
                   CASE WHEN of_feature IS NULL THEN 'false'
                        ELSE (SELECT 'num_nonnulls(status' || string_agg(format(', %I', f), '') || ') > 1'
                              FROM features_of('readings') f) END,
                   readings_source(starts, ends, of_device::text, '{content_hash,status}' || ARRAY(SELECT features_of('readings'))),
                   span, CASE WHEN of_feature IS NULL THEN '' ELSE format(' AND %I IS NOT NULL', of_feature) END);
    ANALYZE removed;
    SELECT count(*) INTO count FROM removed;
    PERFORM hours_unpack(array_agg(of_device), array_agg(x.at)), sheets_forget(array_agg(of_device), array_agg(x.at))
    FROM (SELECT DISTINCT date_bin('1 hour', x.recorded_at, 'epoch') AS at FROM removed x) x;
    PERFORM removal_from_fleet(of_device, of_feature);

    PERFORM pg_advisory_xact_lock(hashtextextended('highwater late', 0));
    UPDATE storage_state SET late_before = late_before; -- so that older snapshots fail when they store
    EXECUTE format('DELETE FROM readings WHERE %s AND (recorded_at, content_hash) IN
                    (SELECT recorded_at, content_hash FROM removed WHERE NOT stays)', span);
    IF of_feature IS NOT NULL THEN
        EXECUTE format('UPDATE readings SET %I = NULL WHERE %s AND (recorded_at, content_hash) IN
                        (SELECT recorded_at, content_hash FROM removed WHERE stays)', of_feature, span);
        -- of a packed reading 16 bits of its hash are known, and of a peak all that there ever were
        EXECUTE format('UPDATE peaks SET %1$I = NULL WHERE %2$s AND feature <> %1$L AND (recorded_at < %3$L OR
                        (recorded_at, content_hash) IN (SELECT recorded_at, content_hash FROM removed) OR
                        (recorded_at, content_hash >> 48) IN (SELECT recorded_at, content_hash >> 48 FROM removed
                                                              WHERE content_hash & 281474976710655 = 0))',
                       of_feature, span, (SELECT kept_from FROM storage_state));
    END IF;
    PERFORM removal_from_chunks(of_device, of_feature);
    PERFORM removal_from_device(of_device);
    PERFORM values_remove(of_device);
    PERFORM minutes_remove(of_device);
    FOR peak IN DELETE FROM peaks p WHERE p.device = of_device AND p.recorded_at >= starts AND p.recorded_at < ends
                AND (of_feature IS NULL OR p.feature = of_feature) RETURNING p.feature, p.sort_order LOOP
        PERFORM peaks_find(of_device, peak.feature, peak.sort_order);
    END LOOP;
    DELETE FROM partition_requests r WHERE r.day IN (SELECT date_trunc('day', recorded_at, 'UTC') FROM removed)
        AND NOT EXISTS (SELECT FROM readings_default d WHERE d.recorded_at >= r.day AND d.recorded_at < r.day + interval '24 hours');
    INSERT INTO removals (device, is_whole, starts_at, ends_at, feature, readings)
    VALUES (of_device, is_whole, starts, ends, of_feature, count);
    NOTIFY highwater, 'removed';
    DROP TABLE removed;
    RETURN count;
END $$;

-- Takes out what a device (by its id in the topic) recorded from `starts` until before `ends`; with a
-- feature, that value alone, and then readings that have nothing else. Returns how many.
CREATE FUNCTION readings_remove(of_device text, starts timestamptz, ends timestamptz, feature text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    of_id integer := (SELECT id FROM devices WHERE device_id = of_device);
BEGIN
    IF of_id IS NULL THEN
        RAISE EXCEPTION 'there is no device %', quote_literal(of_device);
    ELSIF feature IS NOT NULL AND feature NOT IN (SELECT features_of('readings')) THEN
        RAISE EXCEPTION 'there is no feature %', quote_literal(feature);
    ELSIF starts IS NULL OR ends IS NULL THEN
        RAISE EXCEPTION 'a removal needs both ends of its span; -infinity and infinity are legal';
    END IF;
    RETURN removal_of(of_id, starts, ends, feature, false);
END $$;
COMMENT ON FUNCTION readings_remove(text, timestamptz, timestamptz, text) IS 'Takes out what a device recorded from `starts` until before `ends`, or one feature of it, as if it had never come. Returns how many readings.';

-- Takes out all that is known of a device, its id and its rejected messages included. The fleet's sums
-- of time whose partitions were dropped keep its share, which nobody can tell from the rest.
CREATE FUNCTION device_remove(of_device text) RETURNS bigint LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    of_id integer := (SELECT id FROM devices WHERE device_id = of_device);
    count bigint := 0;
BEGIN
    IF of_id IS NOT NULL THEN
        LOOP -- once more for what was stored after it began; then others are shut out
            count := count + removal_of(of_id, '-infinity', 'infinity', NULL, true);
            EXIT WHEN NOT EXISTS (SELECT FROM readings WHERE device = of_id);
        END LOOP;
        PERFORM hours_unpack_all('-infinity', 'infinity', of_id);
        PERFORM sheets_remove(of_id);
        DELETE FROM rollup_hours WHERE device = of_id;
        DELETE FROM rollup_days WHERE device = of_id;
        DELETE FROM rollup_open WHERE device = of_id;
        DELETE FROM rollup_parts WHERE device = of_id;
        DELETE FROM rollup_totals WHERE device = of_id;
        DELETE FROM rollup_late WHERE device = of_id;
        DELETE FROM rollup_value_spans WHERE device = of_id;
        DELETE FROM rollup_values WHERE device = of_id;
        DELETE FROM rollup_late_values WHERE device = of_id;
        DELETE FROM rollup_value_todo WHERE device = of_id;
        DELETE FROM rollup_minutes WHERE device = of_id;
        DELETE FROM rollup_minute_todo WHERE device = of_id;
        DELETE FROM device_sequences WHERE device = of_id;
        DELETE FROM devices WHERE id = of_id;
    END IF;
    DELETE FROM rejected_messages WHERE of_device = ANY (string_to_array(topic, '/'));
    RETURN count;
END $$;
COMMENT ON FUNCTION device_remove(text) IS 'Takes out all that is known of a device. Returns how many readings.';

-- After days were changed by hand: peaks of readings that are not there any more, or not like that, are
-- looked for again, and those of readings that were put straight into partitions are taken.
-- rollup_rebuild() calls it.
CREATE FUNCTION peaks_rebuild(starts timestamptz, ends timestamptz) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    peak    record;
    changed integer[] := '{}';
BEGIN
    EXECUTE peaks_merge_sql(
        '(' || peaks_of_sql(format('(SELECT * FROM %s r WHERE r.recorded_at >= %L AND r.recorded_at < %L)',
            readings_source(starts, ends, columns => ARRAY['content_hash', 'status'] || ARRAY(SELECT features_of('readings'))), starts, ends)) || ')',
        ARRAY(SELECT features_of('readings')));
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater late', 0));
    UPDATE storage_state SET late_before = late_before;
    FOR peak IN EXECUTE format(
        'DELETE FROM peaks p WHERE p.recorded_at >= %1$L AND p.recorded_at < %2$L AND NOT EXISTS (
             SELECT FROM %4$s r WHERE r.device = p.device AND r.recorded_at = p.recorded_at
             AND hash_matches(r.content_hash, p.content_hash) AND r.status IS NOT DISTINCT FROM p.status%3$s)
         RETURNING p.device, p.feature, p.sort_order', starts, ends,
        (SELECT string_agg(format(' AND r.%1$I IS NOT DISTINCT FROM p.%1$I', f), '') FROM features_of('readings') f),
        readings_source(starts, ends, 'p.device', ARRAY['content_hash', 'status'] || ARRAY(SELECT features_of('readings')),
                        'p.recorded_at', 'p.recorded_at + interval ''1 microsecond''')) LOOP
        PERFORM peaks_find(peak.device, peak.feature, peak.sort_order);
        changed := changed || peak.device;
    END LOOP;
    INSERT INTO removals (device, is_whole, starts_at, ends_at, readings)
    SELECT DISTINCT unnest(changed), false, starts, ends, 0;
    NOTIFY highwater, 'removed';
END $$;
