-- 006_peaks: the order of rankings, and the best reading of each device of all time.
--
-- peaks holds, of each device and feature, the reading with the highest value and the one with the
-- lowest, each whole: every column as it is in readings, never a mixture of two. Both directions
-- always, though boards of the lowest are an option: what was not kept could not be found again once
-- its partition is dropped, and a collector that ranks one direction may share a database with one
-- that ranks both.
--
-- Every way into readings keeps them. A collector sends, beside what it stores straight into a
-- partition, those of it that may be better than what is here (peaks_merge()); for everybody else the
-- trigger looks. Both use one statement, which compares with the row that is there: it does not
-- matter who comes first, nor how often. Rejected: comparing with what a collector remembers alone;
-- it does not know what others stored, nor what was stored before it ranked that way.
--
-- Taking out again is in 007_removal.sql. A value that is not a number is none, as in JSON.

-- The order of a ranking, once for all that is kept or asked in SQL; shared/model/reading.h is the same in C.
-- `of_device` puts the readings r of one device in order, `of_fleet` the readings r of devices d.
CREATE FUNCTION rank_sql(feature text, sort_order text, OUT of_device text, OUT of_fleet text)
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT best || ', r.content_hash DESC', best || ', d.device_id'
    FROM (VALUES (format('r.%I %s, r.recorded_at DESC', feature, sort_order))) AS o (best)
$$;

-- The same as a condition: reading a with value x ranks before reading b of that device with y.
CREATE FUNCTION rank_beats_sql(sort_order text, a text, x text, b text, y text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN format('(%I.%I, %I.recorded_at, %3$I.content_hash) > (%I.%I, %I.recorded_at, %6$I.content_hash)',
                  CASE sort_order WHEN 'desc' THEN a ELSE b END, CASE sort_order WHEN 'desc' THEN x ELSE y END, a,
                  CASE sort_order WHEN 'desc' THEN b ELSE a END, CASE sort_order WHEN 'desc' THEN y ELSE x END, b);
END $$;

-- The features that a table has a column for.
CREATE FUNCTION features_of(relation regclass) RETURNS SETOF text LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY SELECT a.attname::text FROM pg_attribute a
                 WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attname IN (SELECT f.attname FROM pg_attribute f
                                     WHERE f.attrelid = 'readings'::regclass AND f.attnum > 6 AND NOT f.attisdropped)
                 ORDER BY a.attname;
END $$;

-- Rows for peaks as a query: the best readings of each device and ranking in `source`, but for those
-- that are no news to peaks.
CREATE FUNCTION peaks_of_sql(source text) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT string_agg(format(
        '(SELECT DISTINCT ON (r.device) r.device, r.content_hash, r.recorded_at, r.%1$I AS value, r.status,'
        ' %2$L AS feature, %3$L AS sort_order, %4$s FROM %5$s r WHERE r.%1$I <> ''NaN'' AND NOT EXISTS'
        ' (SELECT FROM peaks p WHERE p.device = r.device AND p.feature = %2$L AND p.sort_order = %3$L AND NOT %6$s)'
        ' ORDER BY r.device, %7$s)',
        feature, feature, sort_order, columns, source, rank_beats_sql(sort_order, 'r', feature, 'p', 'value'),
        (rank_sql(feature, sort_order)).of_device), ' UNION ALL ')
    FROM features_of('readings') AS f (feature), (VALUES ('desc'), ('asc')) AS o (sort_order),
         (SELECT string_agg(format('r.%I', feature), ', ') FROM features_of('readings') AS f (feature)) AS c (columns)
$$;

-- The statement that takes such rows into peaks, each if it beats what is there. Features that
-- `source` has no column for were in none of its readings. Each batch needs it: PL/pgSQL keeps its plans,
-- SQL makes them again each time.
CREATE FUNCTION peaks_merge_sql(source text, features text[]) RETURNS text LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN format('INSERT INTO peaks AS p (%1$s) SELECT %1$s FROM %2$s c ORDER BY device, feature, sort_order'
                  ' ON CONFLICT (device, feature, sort_order) DO UPDATE SET (%3$s) = ROW (%4$s) WHERE CASE'
                  ' excluded.sort_order WHEN ''desc'' THEN %5$s ELSE %6$s END',
                  'device, feature, sort_order, content_hash, recorded_at, value, status'
                  || coalesce((SELECT string_agg(format(', %I', f), '') FROM unnest(features) f), ''), source,
                  'content_hash, recorded_at, value, status' || coalesce(string_agg(format(', %I', feature), ''), ''),
                  'excluded.content_hash, excluded.recorded_at, excluded.value, excluded.status'
                  || coalesce(string_agg(format(', excluded.%I', feature), ''), ''),
                  rank_beats_sql('desc', 'excluded', 'value', 'p', 'value'),
                  rank_beats_sql('asc', 'excluded', 'value', 'p', 'value'))
    FROM features_of('peaks') AS f (feature);
END $$;

-- Takes what a collector has put into its table peaks_stage. Answers with those rows of peaks that
-- are better, so that it need not send what they beat again.
CREATE FUNCTION peaks_merge() RETURNS TABLE (device integer, feature text, sort_order text, value double precision,
                                            recorded_at timestamptz) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE peaks_merge_sql('peaks_stage', ARRAY(SELECT features_of('peaks_stage')));
    -- OFFSET 0: row by row through the key; nothing is known of the size of peaks_stage, and a plan for a
    -- large one would read all of peaks for each batch
    RETURN QUERY SELECT p.device, p.feature, p.sort_order, p.value, p.recorded_at
                 FROM peaks_stage c CROSS JOIN LATERAL (
                     SELECT * FROM peaks p WHERE p.device = c.device AND p.feature = c.feature
                     AND p.sort_order = c.sort_order OFFSET 0) p
                 WHERE (p.value, p.recorded_at) <> (c.value, c.recorded_at);
END $$;

-- Fires after readings_after_insert(), by their names: that one takes the lock which tells a snapshot
-- that is too old. What nobody who ranks has stored is not in any collector's windows, so they are
-- told which devices to look at; a collector says in its session that it is one.
CREATE FUNCTION readings_were_ranked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable -- a feature may have any name
DECLARE
    most_devices CONSTANT integer := 100; -- that are named one by one
BEGIN
    IF NOT EXISTS (SELECT FROM added) THEN
        RETURN NULL;
    END IF;
    EXECUTE peaks_merge_sql('(' || peaks_of_sql('added') || ')', ARRAY(SELECT features_of('readings')));
    IF current_setting('highwater.ranks', true) IS DISTINCT FROM 'on' THEN
        PERFORM pg_notify('highwater', CASE WHEN n <= most_devices THEN device::text ELSE 'many' END)
        FROM (SELECT device, count(*) OVER () AS n FROM (SELECT DISTINCT a.device FROM added a LIMIT most_devices + 1) d) t;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER readings_were_ranked AFTER INSERT ON readings REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION readings_were_ranked();

-- ---- boards -------------------------------------------------------------------------------------
--
-- A board of any span costs what its rollups cost, not what its readings do. The highest (lowest) value
-- of a device in an hour is in the rollups; it says what a reading of that hour may reach at most. So
-- devices are looked at in the order of what they may reach, and of each only the hours that may hold
-- its best reading, until nothing that is left can come before the last on the board. What is looked at
-- are always readings, so it does not matter that the span begins within an hour, or what came after the
-- moment that is asked about: a bound may be too high, and is never too low. What is not summed up yet, the
-- last minutes, is looked through, and so is what came for days whose partition was dropped.
-- Rejected: to look for the row of each device's maximum, which needs a bound that is exact.

-- The row of peaks that a reading r makes, as SQL.
CREATE FUNCTION board_row_sql(feature text, sort_order text) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT format('ROW (%s)::peaks', string_agg(CASE attname WHEN 'value' THEN format('r.%I', feature)
                  WHEN 'feature' THEN quote_literal(feature) WHEN 'sort_order' THEN quote_literal(sort_order)
                  ELSE format('r.%I', attname) END, ', ' ORDER BY attnum))
    FROM pg_attribute WHERE attrelid = 'peaks'::regclass AND attnum > 0 AND NOT attisdropped
$$;

-- What the readings of devices may reach in each bucket that ends after `since`, as SQL: device, reach
-- (the value, or its opposite where the lowest is the best), from_at, and last_at, when the newest was recorded.
CREATE FUNCTION board_bounds_sql(feature text, sort_order text, since timestamptz, uses_days boolean, whose text)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    state      storage_state;
    starts     timestamptz;
    first_hour timestamptz;
    first_day  timestamptz; -- of the whole ones
    open_day   timestamptz;
    part       text;
BEGIN
    SELECT * INTO state FROM storage_state;
    starts := greatest(since, state.kept_from); -- before that there are sums without readings
    first_hour := date_bin('1 hour', starts, 'epoch');
    open_day := date_bin('1 day', state.rolled_until, 'epoch');
    first_day := least(date_bin('1 day', starts, 'epoch') + interval '24 hours', open_day);
    part := format('SELECT device, %s AS reach, bucket AS from_at, last_at FROM %%s WHERE %I > 0 AND device > 0 AND last_at >= %L%s',
                   CASE sort_order WHEN 'desc' THEN format('%I', feature || '_max') ELSE format('-%I', feature || '_min') END,
                   feature || '_count', starts, whose);
    RETURN format(part, 'rollup_open') || ' AND unit = ''hour'' UNION ALL ' || format(part, 'rollup_late')
           || ' UNION ALL ' || format(part, 'rollup_hours')
           || CASE WHEN uses_days THEN format(' AND (bucket >= %L AND bucket < %L OR bucket >= %L) UNION ALL ',
                                              first_hour, first_day, open_day)
                                       || format(part, 'rollup_days') || format(' AND bucket >= %L AND bucket < %L', first_day, open_day)
                   ELSE format(' AND bucket >= %L', first_hour) END;
END $$;

-- The best reading of one device recorded after `since` and received by then; NULL when there is none.
CREATE FUNCTION board_best(of_device integer, feature text, sort_order text, since timestamptz, received_until timestamptz)
RETURNS peaks LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    state storage_state;
    best  peaks;
    other peaks;
    cell  record;
    sign  double precision := CASE sort_order WHEN 'desc' THEN 1 ELSE -1 END;
    look  text := format('SELECT (b.found).* FROM (SELECT %s AS found FROM readings r WHERE r.device = %s AND r.%I <> ''NaN'''
                         ' AND r.recorded_at > %L AND r.received_at <= %L AND r.recorded_at >= %%L AND r.recorded_at < %%L'
                         ' ORDER BY %s LIMIT 1) b', board_row_sql(feature, sort_order), of_device, feature, since,
                         received_until, (rank_sql(feature, sort_order)).of_device);
BEGIN
    SELECT * INTO state FROM storage_state;
    EXECUTE format(look, state.rolled_until, 'infinity') INTO best;
    FOR cell IN EXECUTE
        CASE WHEN since < state.kept_from
             THEN format('SELECT ''Infinity''::float8 AS reach, ''infinity''::timestamptz AS last_at,'
                         ' ''-infinity''::timestamptz AS from_at, %L::timestamptz AS until_at UNION ALL ', state.kept_from)
             ELSE '' END
        || format('SELECT reach, last_at, from_at, from_at + interval ''1 hour'' AS until_at FROM (%s) b ORDER BY reach DESC, last_at DESC',
                  board_bounds_sql(feature, sort_order, since, false, format(' AND device = %s', of_device)))
    LOOP
        EXIT WHEN best.device IS NOT NULL AND (cell.reach < sign * best.value
                                               OR cell.reach = sign * best.value AND cell.last_at < best.recorded_at);
        EXECUTE format(look, cell.from_at, cell.until_at) INTO other;
        IF other.device IS NOT NULL
           AND (best.device IS NULL OR (sign * other.value, other.recorded_at, other.content_hash)
                                       > (sign * best.value, best.recorded_at, best.content_hash)) THEN
            best := other;
        END IF;
    END LOOP;
    RETURN best;
END $$;

-- A board out of the tables: the best reading of each device recorded after a moment, the best
-- devices first. Of all time, since -infinity, it is what peaks says.
CREATE FUNCTION board_of(feature text, sort_order text, since timestamptz, most bigint,
                         received_until timestamptz DEFAULT 'infinity')
RETURNS TABLE (device_id text, best peaks) LANGUAGE plpgsql STABLE SET datestyle = 'ISO'
SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    state   storage_state;
    whose   integer[];          -- devices, in the order of what they may reach
    reaches double precision[];
    times   double precision[]; -- when at the latest, in seconds and a little more
    taken   integer := 0;
    batch   integer := most + 8;
    bests   peaks[] := '{}';
    last    peaks;
    best_first text := (rank_sql('value', sort_order)).of_fleet;
    sign    double precision := CASE sort_order WHEN 'desc' THEN 1 ELSE -1 END;
BEGIN
    IF since = '-infinity' THEN
        RETURN QUERY EXECUTE format('SELECT d.device_id, ROW (r.*)::peaks FROM peaks r JOIN devices d ON d.id = r.device'
                                    ' WHERE r.feature = %L AND r.sort_order = %L ORDER BY %s LIMIT %s',
                                    feature, sort_order, best_first, most);
        RETURN;
    END IF;
    PERFORM readings_settle();
    SELECT * INTO state FROM storage_state;
    IF since >= state.rolled_until THEN
        RETURN QUERY EXECUTE format(
            'SELECT d.device_id, %s FROM (SELECT DISTINCT ON (r.device) r.* FROM readings r'
            ' WHERE r.%I <> ''NaN'' AND r.recorded_at > %L AND r.received_at <= %L ORDER BY r.device, %s) r'
            ' JOIN devices d ON d.id = r.device ORDER BY %s LIMIT %s', board_row_sql(feature, sort_order), feature, since,
            received_until, (rank_sql(feature, sort_order)).of_device, (rank_sql(feature, sort_order)).of_fleet, most);
        RETURN;
    END IF;
    EXECUTE format(
        'SELECT array_agg(device ORDER BY bound DESC), array_agg(bound[1] ORDER BY bound DESC), array_agg(bound[2] ORDER BY bound DESC)'
        ' FROM (SELECT device, max(ARRAY[reach, date_part(''epoch'', last_at) + 0.00001]) AS bound FROM (%s'
        ' UNION ALL SELECT r.device, max(%s * r.%I), NULL, max(r.recorded_at) FROM readings r'
        ' WHERE r.recorded_at >= %L AND r.%3$I <> ''NaN'' GROUP BY r.device'
        ' UNION ALL SELECT r.device, max(%2$s * r.%3$I), NULL, max(r.recorded_at) FROM readings r'
        ' WHERE r.recorded_at > %5$L AND r.recorded_at < %6$L AND r.%3$I <> ''NaN'' GROUP BY r.device) b GROUP BY device) d',
        board_bounds_sql(feature, sort_order, since, true, ''), sign, feature, state.rolled_until, since, state.kept_from)
    INTO whose, reaches, times;
    WHILE taken < cardinality(whose) LOOP
        last := CASE WHEN cardinality(bests) >= most THEN bests[most] END;
        EXIT WHEN last.device IS NOT NULL
                  AND (reaches[taken + 1] < sign * last.value
                       OR reaches[taken + 1] = sign * last.value AND times[taken + 1] < date_part('epoch', last.recorded_at));
        EXECUTE format('SELECT array_agg(found ORDER BY place) FROM (SELECT ROW (r.*)::peaks AS found, row_number() OVER (ORDER BY %s) AS place'
                       ' FROM (SELECT u.* FROM unnest($1) u UNION ALL SELECT b.* FROM unnest($2) AS w (id),'
                       ' board_best(w.id, %L, %L, %L, %L) b WHERE b.device IS NOT NULL) r JOIN devices d ON d.id = r.device) p'
                       ' WHERE place <= %s', best_first, feature, sort_order, since, received_until, most)
        INTO bests USING bests, whose[taken + 1:taken + batch];
        bests := coalesce(bests, '{}');
        taken := taken + batch;
        batch := batch * 4;
    END LOOP;
    RETURN QUERY EXECUTE format('SELECT d.device_id, ROW (r.*)::peaks FROM unnest($1) r JOIN devices d ON d.id = r.device'
                                ' ORDER BY %s', best_first) USING bests;
END $$;
COMMENT ON FUNCTION board_of(text, text, timestamptz, bigint, timestamptz) IS 'The devices with the highest (desc) or lowest (asc) values of a feature recorded after `since` (-infinity: ever), each with its whole best reading, the best first.';
