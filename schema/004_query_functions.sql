-- 004_query_functions: histograms and summaries out of rollups and readings, for httpapi and for people.
--
-- A span of time is cut into what whole days, hours (of the fleet: ten seconds) of rollups cover and
-- what is left, which is counted from readings. Each function is STABLE, so all its queries see the
-- snapshot of the statement that calls it, and the parts fit together whatever is stored meanwhile.
-- The bounds stand in the SQL as literals: that is what lets the planner leave out partitions before
-- it looks at them, which is the difference between half a millisecond and twenty (and whoever calls
-- may have a DateStyle whose texts mean another moment, such as 'IST'). Answers so short are worth no
-- parallel workers, which take fifteen milliseconds to come.

-- Every span holds its first moment and not its last.
--
-- Where partitions were dropped, only whole hours can be told. What is left of one at an end of a span is
-- counted from the readings that came since, or, if the sums say that none of the hour's readings lies outside
-- of the span, taken from them.

-- Every function that looks at readings calls this first, or one that does. Its snapshot may be older
-- than a move of readings into a new partition, while its plans are made from the latest catalogue:
-- asked about a span, they would look into the new partition alone, where that snapshot sees nothing,
-- and leave out the default one, where it sees them. So no more moves from here to the end of the
-- transaction; and if one happened since the snapshot was taken, plans leave nothing out.
-- Rejected: an advisory lock (a standby does not know it, and a REPEATABLE READ transaction has its
-- snapshot before it has the lock); to compare all partitions (a millisecond where there are 400).
CREATE FUNCTION readings_settle() RETURNS void LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM FROM readings WHERE false; -- LOCK TABLE, but allowed in a STABLE function
    IF to_regclass('readings_moves_' || (SELECT moves FROM storage_state)) IS NULL THEN
        PERFORM set_config('enable_partition_pruning', 'off', true);
    END IF;
END $$;
COMMENT ON FUNCTION readings_settle() IS 'For STABLE functions: makes what they read next complete, even where readings are just moving into another partition.';

-- When the first and the last reading of a device and hour were recorded, as far as rollup_hours knows; NULL: none.
CREATE FUNCTION hour_ends(of_device integer, hour timestamptz, OUT first_at timestamptz, OUT last_at timestamptz)
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
BEGIN
    EXECUTE format('SELECT r.first_at, r.last_at FROM %s r WHERE r.device = %s AND r.bucket = %L',
                   hours_source(hour, hour + interval '1 hour', of_device::text, said => ''), of_device, hour) INTO first_at, last_at;
END $$;

-- Widens [starts, ends) of one device (0: of the fleet) to whole hours where partitions were dropped and
-- none of its readings lies in between.
CREATE FUNCTION rollup_widen(of_device integer, INOUT starts timestamptz, INOUT ends timestamptz)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    kept_from  timestamptz := (SELECT s.kept_from FROM storage_state s);
    first_hour timestamptz := date_bin('1 hour', starts, 'epoch');
    last_hour  timestamptz := date_bin('1 hour', ends, 'epoch');
BEGIN
    IF first_hour < starts AND starts < kept_from THEN
        IF coalesce((hour_ends(of_device, first_hour)).first_at >= starts, true)
           AND NOT EXISTS (SELECT FROM rollup_late WHERE device = of_device AND bucket >= first_hour AND first_at < starts)
           AND NOT EXISTS (SELECT FROM rollup_fleet_log WHERE of_device = 0 AND bucket >= first_hour AND first_at < starts) THEN
            starts := first_hour;
        END IF;
    END IF;
    IF last_hour < ends AND ends < kept_from THEN
        IF coalesce((hour_ends(of_device, last_hour)).last_at < ends, true)
           AND NOT EXISTS (SELECT FROM rollup_late WHERE device = of_device AND bucket >= last_hour
                           AND bucket < last_hour + interval '1 hour' AND last_at >= ends)
           AND NOT EXISTS (SELECT FROM rollup_fleet_log WHERE of_device = 0 AND bucket >= last_hour
                           AND bucket < last_hour + interval '1 hour' AND last_at >= ends) THEN
            ends := last_hour + interval '1 hour';
        END IF;
    END IF;
END $$;

-- Cuts [starts, ends) of one device (0: of the fleet). Each part is a table and a span of it.
CREATE FUNCTION rollup_parts(of_device integer, starts timestamptz, ends timestamptz)
RETURNS TABLE (source text, from_at timestamptz, until_at timestamptz) LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    state      storage_state;
    open_hour  timestamptz;
    open_day   timestamptz;
    hour_from  timestamptz; -- whole hours
    hour_until timestamptz;
    slot_from  timestamptz; -- whole slots of the fleet
    slot_until timestamptz;
    day_from   timestamptz;
    day_until  timestamptz;
BEGIN
    IF starts >= ends THEN
        RETURN;
    END IF;
    SELECT * INTO state FROM storage_state;
    SELECT w.starts, w.ends INTO starts, ends FROM rollup_widen(of_device, starts, ends) w;
    hour_from := date_bin('1 hour', starts + interval '1 hour' - interval '1 microsecond', 'epoch');
    hour_until := date_bin('1 hour', ends, 'epoch');
    IF of_device = 0 THEN
        -- the slots of dropped partitions are dropped, too
        slot_from := CASE WHEN starts < state.kept_from THEN hour_from
                     ELSE date_bin('10 seconds', starts + interval '10 seconds' - interval '1 microsecond', 'epoch') END;
        slot_until := CASE WHEN ends < state.kept_from THEN hour_until ELSE date_bin('10 seconds', ends, 'epoch') END;
        IF starts = '-infinity' AND ends = 'infinity' THEN
            RETURN QUERY VALUES ('totals', starts, ends), ('fleet_log', starts, ends);
            RETURN;
        ELSIF slot_from >= slot_until THEN
            RETURN QUERY VALUES ('readings', starts, ends);
            RETURN;
        END IF;
        RETURN QUERY VALUES ('readings', starts, slot_from), ('readings', slot_until, ends),
                            ('fleet_log', slot_from, slot_until),
                            ('fleet', slot_from, least(hour_from, slot_until)),
                            ('fleet', greatest(hour_until, least(hour_from, slot_until)), slot_until);
        day_until := date_bin('1 day', hour_until, 'epoch');
    ELSE
        open_hour := date_bin('1 hour', state.rolled_until, 'epoch');
        open_day := date_bin('1 day', state.rolled_until, 'epoch');
        IF ends >= state.rolled_until THEN
            hour_until := state.rolled_until; -- the open hour counts as whole
        END IF;
        IF hour_from >= hour_until THEN
            RETURN QUERY VALUES ('readings', starts, ends);
            RETURN;
        END IF;
        RETURN QUERY VALUES ('readings', starts, hour_from), ('readings', hour_until, ends),
                            ('late', hour_from, hour_until);
        IF starts = '-infinity' AND hour_until = state.rolled_until THEN
            RETURN QUERY VALUES ('totals', starts, ends), ('open', starts, ends);
            RETURN;
        END IF;
        IF hour_until > open_hour THEN
            RETURN QUERY VALUES ('open', open_hour, hour_until);
            hour_until := open_hour;
        END IF;
        day_until := least(date_bin('1 day', hour_until, 'epoch'), open_day);
    END IF;
    day_from := date_bin('1 day', hour_from + interval '24 hours' - interval '1 microsecond', 'epoch');
    IF day_from < day_until THEN
        RETURN QUERY VALUES ('days', day_from, day_until), ('hours', hour_from, day_from),
                            ('hours', day_until, hour_until);
    ELSE
        RETURN QUERY VALUES ('hours', hour_from, hour_until);
    END IF;
END $$;

-- The parts as one SELECT: `of_readings` is a list of aggregates, `of_rollups` the same columns of a
-- rollup. `columns` are what the former needs of readings.
CREATE FUNCTION rollup_select(of_device integer, starts timestamptz, ends timestamptz,
                              of_readings text, of_rollups text, columns text[] DEFAULT NULL)
RETURNS text LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT coalesce(string_agg(
        CASE source
        WHEN 'readings' THEN 'SELECT ' || of_readings || ' FROM '
                             || readings_source(from_at, until_at, nullif(of_device, 0)::text, columns) || ' r WHERE true'
        WHEN 'hours' THEN 'SELECT ' || of_rollups || ' FROM ' || hours_source(from_at, until_at, of_device::text, said => of_rollups) || ' r WHERE true'
        ELSE 'SELECT ' || of_rollups || ' FROM rollup_' || source || ' WHERE true' END
        || CASE WHEN of_device = 0 AND source IN ('readings', 'fleet', 'fleet_log') THEN ''
                ELSE ' AND device = ' || of_device END
        || CASE WHEN source = 'open' AND from_at > '-infinity' THEN ' AND unit = ''hour''' ELSE '' END
        || CASE WHEN source = 'totals' OR from_at = '-infinity' THEN ''
                ELSE format(' AND %I >= %L', CASE source WHEN 'readings' THEN 'recorded_at' ELSE 'bucket' END, from_at) END
        || CASE WHEN source = 'totals' OR until_at = 'infinity' THEN ''
                ELSE format(' AND %I < %L', CASE source WHEN 'readings' THEN 'recorded_at' ELSE 'bucket' END, until_at) END,
        ' UNION ALL '), 'SELECT ' || of_readings || ' FROM readings WHERE false')
    FROM rollup_parts(of_device, starts, ends) WHERE from_at < until_at);
END $$;

CREATE FUNCTION status_counts(of_device integer, starts timestamptz, ends timestamptz)
RETURNS TABLE (status smallint, readings bigint) LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    n bigint[];
BEGIN
    PERFORM readings_settle();
    EXECUTE 'SELECT ARRAY[sum(n1), sum(n2), sum(n3), sum(n4), sum(n)] FROM ('
            || rollup_select(of_device, starts, ends,
                             'count(*), count(*) FILTER (WHERE status = 1), count(*) FILTER (WHERE status = 2),'
                             ' count(*) FILTER (WHERE status = 3), count(*) FILTER (WHERE status = 4)',
                             'readings, status_on, status_off, status_active, status_inactive', ARRAY['status'])
            || ') parts (n, n1, n2, n3, n4)' INTO n;
    RETURN QUERY VALUES (1::smallint, coalesce(n[1], 0)), (2::smallint, coalesce(n[2], 0)), (3::smallint, coalesce(n[3], 0)),
                        (4::smallint, coalesce(n[4], 0)), (NULL, coalesce(n[5] - n[1] - n[2] - n[3] - n[4], 0));
END $$;
COMMENT ON FUNCTION status_counts(integer, timestamptz, timestamptz) IS 'How many readings of each status a device (devices.id; 0: all) sent, from `starts` until before `ends`. Five rows; NULL: without a status.';

CREATE FUNCTION device_histogram(of_device text, starts timestamptz DEFAULT '-infinity', ends timestamptz DEFAULT 'infinity')
RETURNS TABLE (status text, readings bigint) LANGUAGE sql STABLE SET jit = off SET search_path FROM CURRENT AS $$
    SELECT (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[c.status], c.readings
    FROM devices d, status_counts(d.id, starts, ends) c WHERE d.device_id = of_device
$$;
COMMENT ON FUNCTION device_histogram(text, timestamptz, timestamptz) IS 'The same with names. No rows: no such device.';

CREATE FUNCTION fleet_histogram(starts timestamptz DEFAULT '-infinity', ends timestamptz DEFAULT 'infinity')
RETURNS TABLE (status text, readings bigint) LANGUAGE sql STABLE SET jit = off SET search_path FROM CURRENT AS $$
    SELECT (ARRAY['ON', 'OFF', 'ACTIVE', 'INACTIVE'])[c.status], c.readings FROM status_counts(0, starts, ends) c
$$;
COMMENT ON FUNCTION fleet_histogram(timestamptz, timestamptz) IS 'The same of all devices together.';

CREATE FUNCTION feature_summary(of_device integer, feature text, starts timestamptz, ends timestamptz,
                                OUT readings bigint, OUT mean double precision,
                                OUT lowest double precision, OUT highest double precision)
LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM readings_settle();
    EXECUTE 'SELECT coalesce(sum(n)::bigint, 0), rollup_mean(sum(s), sum(n)::bigint), min(l), max(h) FROM ('
            || rollup_select(of_device, starts, ends,
                             format('count(%1$I), %2$s, min(%1$I), max(%1$I)', feature, rollup_sum_sql(feature)),
                             format('%I, %I, %I, %I', feature || '_count', feature || '_sum', feature || '_min',
                                    feature || '_max'), ARRAY[feature])
            || ') parts (n, s, l, h)' INTO readings, mean, lowest, highest;
END $$;
COMMENT ON FUNCTION feature_summary(integer, text, timestamptz, timestamptz) IS 'Of one feature of a device (devices.id; 0: of all), from `starts` until before `ends`.';

-- The edges of so many bins of equal width, rising, the first and the last as they are given. Made of
-- decimals, which neither overflow nor lose a digit. Where doubles do not lie as close as that there
-- are fewer.
CREATE FUNCTION histogram_edges(lowest double precision, highest double precision, bins integer)
RETURNS double precision[] LANGUAGE sql IMMUTABLE SET extra_float_digits = 1 SET search_path FROM CURRENT AS $$
    SELECT ARRAY(SELECT DISTINCT CASE WHEN i = 0 THEN lowest
                                      WHEN i = bins THEN highest
                                      WHEN abs(edge) < 5e-324 THEN 0 -- the smallest double
                                      ELSE least(greatest(edge::double precision, lowest), highest) END
                 FROM (SELECT i, (low * (bins - i) + high * i) / bins AS edge
                       FROM generate_series(0, bins) i,
                            (SELECT lowest::text::numeric AS low, highest::text::numeric AS high) decimals) e
                 ORDER BY 1)
$$;

-- The rest is about a device's readings without a look at every partition.
CREATE FUNCTION device_spans(of_devices integer[])
RETURNS TABLE (device integer, readings bigint, first_at timestamptz, last_at timestamptz)
LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    rolled timestamptz := (SELECT rolled_until FROM storage_state);
BEGIN
    PERFORM readings_settle();
    RETURN QUERY EXECUTE format(
        'SELECT device, sum(n)::bigint, min(f), max(l) FROM (
             SELECT device, readings AS n, first_at AS f, last_at AS l FROM rollup_totals WHERE device = ANY ($1)
             UNION ALL SELECT device, readings, first_at, last_at FROM rollup_open WHERE device = ANY ($1)
             UNION ALL SELECT device, readings, first_at, last_at FROM rollup_late WHERE device = ANY ($1) AND bucket < %1$L
             UNION ALL SELECT device, count(*), min(recorded_at), max(recorded_at) FROM readings
             WHERE device = ANY ($1) AND recorded_at >= %1$L GROUP BY device) s
         GROUP BY device', rolled) USING of_devices;
END $$;
COMMENT ON FUNCTION device_spans(integer[]) IS 'How many readings each of some devices (devices.id) ever sent, and when it recorded the oldest and the newest.';

-- About up to where it has to be looked, from one end of [low, high), for so many packed readings of a device; NULL: there
-- are not so many. Chunks say how many they hold, and of one that is cut as much as time is taken to count.
CREATE FUNCTION chunks_bound(of_device integer, low timestamptz, high timestamptz, newest_first boolean, most bigint)
RETURNS timestamptz LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    bound timestamptz;
BEGIN
    EXECUTE format(
        'SELECT CASE WHEN %1$L THEN least(c.ends - (c.ends - c.starts) * c.share, c.ends - interval ''1 microsecond'')
                    ELSE greatest(c.starts + (c.ends - c.starts) * c.share, c.starts + interval ''1 microsecond'') END FROM (
             SELECT p.starts, p.ends, sum(p.here) OVER rest AS found, (%2$s - sum(p.here) OVER rest) / p.here + 1 AS share FROM (
                 SELECT first_at, greatest(first_at, %3$L) AS starts, least(last_at + interval ''1 microsecond'', %4$L) AS ends,
                        readings * date_part(''epoch'', least(last_at + interval ''1 microsecond'', %4$L) - greatest(first_at, %3$L))
                        / date_part(''epoch'', last_at + interval ''1 microsecond'' - first_at) AS here
                 FROM reading_chunks WHERE device = %5$s AND first_at >= %6$L AND first_at < %4$L AND last_at >= %3$L
                 ORDER BY first_at %7$s LIMIT %2$s) p
             WINDOW rest AS (ORDER BY p.first_at %7$s)) c
         WHERE c.found >= %2$s ORDER BY c.found LIMIT 1',
        newest_first, least(most + most / 8, 1000000) + 8, low, high, of_device,
        coalesce((SELECT p.starts_at FROM reading_partitions p WHERE p.starts_at <= low AND p.ends_at > low), low),
        CASE WHEN newest_first THEN 'DESC' ELSE 'ASC' END) INTO bound;
    RETURN bound;
END $$;

-- In spans of time that double, from where the newest (or oldest) reading is, until there are enough. Of packed days no
-- more is unpacked than it takes. `wanted` are the columns that are told beside device, recorded_at and content_hash, the others may
-- be NULL; NULL: all of them.
--
-- A cursor that was handed out before its day was packed names a whole hash, of which a part is kept, and what is kept
-- is never more. So what comes after it is found as ever; of what comes before, the reading that it names is left out.
CREATE FUNCTION device_page(of_device integer, starts timestamptz, ends timestamptz, newest_first boolean, most bigint,
                            after_at timestamptz DEFAULT NULL, after_hash bigint DEFAULT NULL, wanted text[] DEFAULT NULL)
RETURNS SETOF readings LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
DECLARE
    span   record;
    step   interval := interval '24 hours';
    low    timestamptz;
    high   timestamptz;
    found  bigint;
    source text;
    names  text;
    needed text[];
    is_there boolean;
    tries  bigint := 1; -- as many readings are expected where some were that were not there
    cursor text := CASE WHEN after_at IS NULL THEN ''
                        ELSE format(' AND (recorded_at, content_hash) %s (%L::timestamptz, %L::bigint)',
                                    CASE WHEN newest_first THEN '<' ELSE '>' END, after_at, after_hash) END;
    way    text := CASE WHEN newest_first THEN 'DESC' ELSE 'ASC' END;
BEGIN
    SELECT * INTO span FROM device_spans(ARRAY[of_device]);
    starts := greatest(starts, span.first_at, CASE WHEN NOT newest_first THEN after_at END);
    ends := least(ends, span.last_at + interval '1 microsecond',
                  CASE WHEN newest_first THEN after_at + interval '1 microsecond' END);
    IF span.first_at IS NULL THEN
        RETURN;
    END IF;
    WHILE starts < ends AND most > 0 LOOP
        low := CASE WHEN newest_first THEN greatest(starts, ends - step) ELSE starts END;
        high := CASE WHEN newest_first THEN ends ELSE least(ends, starts + step) END;
        source := readings_source(low, high, of_device::text, '{content_hash}');
        names := '*';
        IF source <> 'readings' THEN
            IF newest_first THEN
                low := greatest(low, chunks_bound(of_device, low, high, true, most * tries));
            ELSE
                high := least(high, chunks_bound(of_device, low, high, false, most * tries));
            END IF;
            IF wanted IS NOT NULL THEN
                SELECT array_agg(a.attname::text) FILTER (WHERE a.is_needed),
                       string_agg(CASE WHEN a.is_needed OR a.attname IN ('device', 'recorded_at') THEN format('r.%I', a.attname)
                                       ELSE format('NULL::%s AS %I', a.atttypid::regtype, a.attname) END, ', ' ORDER BY a.attnum)
                INTO needed, names
                FROM (SELECT p.*, p.attname = 'content_hash' OR p.attname = ANY (wanted) AS is_needed FROM pg_attribute p
                      WHERE p.attrelid = 'readings'::regclass AND p.attnum > 0 AND NOT p.attisdropped) a;
            END IF;
            source := readings_source(low, high, of_device::text, needed);
            IF newest_first AND after_at >= low AND after_at < high THEN
                EXECUTE format('SELECT EXISTS (SELECT FROM %s r WHERE device = %s AND recorded_at = %L AND content_hash = %s)',
                               readings_source(after_at, after_at + interval '1 microsecond', of_device::text, '{content_hash}'), of_device, after_at, after_hash) INTO is_there;
                IF NOT is_there THEN
                    cursor := cursor || format(' AND NOT (recorded_at = %L AND hash_matches(content_hash, %L))', after_at, after_hash);
                END IF;
            END IF;
        END IF;
        IF newest_first THEN
            ends := low;
        ELSE
            starts := high;
        END IF;
        RETURN QUERY EXECUTE format(
            'SELECT %s FROM %s r WHERE device = %s AND recorded_at >= %L AND recorded_at < %L%s
             ORDER BY recorded_at %s, content_hash %7$s LIMIT %s', names, source, of_device, low, high, cursor, way, most);
        GET DIAGNOSTICS found = ROW_COUNT;
        most := most - found;
        step := step * 2;
        tries := least(tries * 4, 1024);
    END LOOP;
END $$;
COMMENT ON FUNCTION device_page(integer, timestamptz, timestamptz, boolean, bigint, timestamptz, bigint, text[]) IS 'Up to `most` readings of a device (devices.id) that are still kept, in order of time and content_hash, after the one named last, if any.';

-- At most so many steps of equal length that cover [starts, ends). They begin with it if that makes them
-- an hour at most, or whole hours. If not, they are rounded up to whole hours and begin with one, so
-- that they can be made of rollups alone; and always so where partitions were dropped. Below an hour they are
-- rounded up to whole cells, if there are any (plot_cell()), and begin at multiples of themselves.
CREATE FUNCTION plot_steps(starts timestamptz, ends timestamptz, most bigint, cell_us bigint DEFAULT NULL,
                           OUT origin timestamptz, OUT step_us bigint)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    hour_us CONSTANT bigint := 3600000000;
    is_kept CONSTANT boolean := starts >= (SELECT kept_from FROM storage_state);
BEGIN
    origin := starts;
    step_us := ceil(extract(epoch FROM ends - origin) * 1000000 / most);
    IF cell_us IS NOT NULL AND is_kept AND step_us < hour_us
       AND (step_us % cell_us <> 0 OR starts + most * step_us * interval '1 microsecond' <> ends
            OR date_bin(cell_us * interval '1 microsecond', starts, 'epoch') <> starts) THEN -- else they are asked for as they are
        step_us := (step_us + cell_us - 1) / cell_us * cell_us;
        origin := date_bin(step_us * interval '1 microsecond', starts, 'epoch');
        IF origin + most * step_us * interval '1 microsecond' < ends THEN -- what lies before `starts` is one step more
            step_us := step_us + cell_us;
            origin := date_bin(step_us * interval '1 microsecond', starts, 'epoch');
        END IF;
        IF origin + most * step_us * interval '1 microsecond' < ends THEN -- of few steps that is too much
            origin := date_bin(cell_us * interval '1 microsecond', starts, 'epoch');
            step_us := ceil(extract(epoch FROM ends - origin) * 1000000 / cell_us / most) * cell_us;
        END IF;
    END IF;
    IF (step_us > hour_us AND step_us % hour_us <> 0) OR NOT is_kept THEN
        origin := date_bin('1 hour', starts, 'epoch');
        step_us := ceil(extract(epoch FROM ends - origin) * 1000000 / hour_us / most) * hour_us;
    END IF;
END $$;

-- Readings in at most so many steps of equal length, each with the lowest, highest and mean value of
-- each feature, so that a plot of any span shows every peak. Whole hours come out of the rollups,
-- except those in whose midst a step begins; of these, and where steps are shorter, whole cells come out of
-- rollup_minutes (027_minutes). `ends` of infinity is the newest reading, which then
-- belongs to them. Steps without readings are left out; without any there is one row, whose `at` is NULL.
-- Several devices in the same steps have a cell_us (NULL: none) in common, which is looked for where it is negative.
CREATE FUNCTION device_points(of_device integer, starts timestamptz, ends timestamptz, most bigint, features text[],
                              cell_us bigint DEFAULT -1)
RETURNS TABLE (first_at timestamptz, last_at timestamptz, step_ms double precision, at timestamptz, readings bigint,
               lowest double precision[], highest double precision[], mean double precision[])
LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET jit = off SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    hour_us   CONSTANT bigint := 3600000000;
    most_spans CONSTANT integer := 8; -- of readings, each with a plan of its own
    span        record;
    until       timestamptz := ends;
    origin      timestamptz;
    origin_hour timestamptz;
    step_us     bigint;
    step_at     text; -- the step that a moment belongs to
    uncut       text := ''; -- this hour has no step that begins within
    raw         tstzmultirange; -- what no rollup of hours tells
    covered     tstzmultirange; -- what of it cells do
    of_readings text;
    of_cells    text;
    of_rollups  text;
    names       text;
    results     text;
    parts       text;
BEGIN
    SELECT * INTO span FROM device_spans(ARRAY[of_device]);
    first_at := CASE WHEN starts = '-infinity' THEN span.first_at ELSE starts END;
    last_at := CASE WHEN ends = 'infinity' THEN span.last_at ELSE ends END;
    IF ends = 'infinity' THEN
        until := last_at + interval '1 microsecond';
    END IF;
    IF first_at < until THEN
        IF cell_us < 0 THEN
            cell_us := plot_cell(ARRAY[of_device], first_at, until, most);
        END IF;
        SELECT s.origin, s.step_us INTO origin, step_us FROM plot_steps(first_at, until, most, cell_us) s;
        step_ms := step_us / 1000.0;
        step_at := format('date_bin(''%s microseconds'', %%s, %L)', step_us, origin);
        SELECT string_agg(format(', count(%1$I), %2$s, min(%1$I), max(%1$I)', f, rollup_sum_sql(f)), '' ORDER BY n),
               string_agg(format(', CASE feature WHEN %1$s THEN n END, CASE feature WHEN %1$s THEN s END,'
                                 ' CASE feature WHEN %1$s THEN l END, CASE feature WHEN %1$s THEN h END', n + 1), '' ORDER BY n),
               string_agg(format(', sum(%I)::bigint, sum(%I), min(%I), max(%I)',
                                 f || '_count', f || '_sum', f || '_min', f || '_max'), '' ORDER BY n),
               string_agg(format(', n%s, s%1$s, l%1$s, h%1$s', n), '' ORDER BY n),
               format('ARRAY[%s], ARRAY[%s], ARRAY[%s]', string_agg('min(l' || n || ')', ', ' ORDER BY n),
                      string_agg('max(h' || n || ')', ', ' ORDER BY n),
                      string_agg('rollup_mean(sum(s' || n || '), sum(n' || n || ')::bigint)', ', ' ORDER BY n))
        INTO of_readings, of_cells, of_rollups, names, results FROM unnest(features) WITH ORDINALITY AS feature (f, n);
        of_readings := 'SELECT ' || format(step_at, 'recorded_at') || ' AS at, count(*)' || of_readings || ' FROM ';
        of_rollups := 'SELECT ' || format(step_at, 'bucket') || ' AS at, sum(readings)' || of_rollups || ' FROM ';
        origin_hour := date_bin('1 hour', origin, 'epoch');
        IF origin_hour < origin THEN
            uncut := format(' AND %s = %s', format(step_at, 'date_bin(''1 hour'', bucket, ''epoch'')'),
                            format(step_at, 'date_bin(''1 hour'', bucket, ''epoch'') + interval ''1 hour'' - interval ''1 microsecond'''));
        END IF;
        IF step_us < hour_us THEN
            raw := tstzmultirange(tstzrange(first_at, until));
        ELSE
            SELECT range_agg(tstzrange(p.from_at, p.until_at)) INTO raw
            FROM (SELECT r.from_at, r.until_at FROM rollup_parts(of_device, first_at, until) r WHERE r.source = 'readings'
                  UNION ALL SELECT cut, least(cut + interval '1 hour', r.until_at)
                  FROM (SELECT max(r.until_at) AS until_at FROM rollup_parts(of_device, first_at, until) r WHERE r.source <> 'readings') r
                  CROSS JOIN LATERAL generate_series(origin_hour + step_us * interval '1 microsecond', r.until_at - interval '1 microsecond',
                                                     step_us * interval '1 microsecond') cut
                  WHERE origin_hour < origin) p
            WHERE p.from_at < p.until_at;
        END IF;
        covered := minutes_cover(of_device, raw, origin, step_us);
        raw := raw - covered;
        SELECT string_agg(CASE source
                   WHEN 'readings' THEN format('%s%s r WHERE device = %s AND recorded_at >= %L AND recorded_at < %L GROUP BY 1', of_readings,
                                               readings_source(from_at, until_at, of_device::text, features), of_device, from_at, until_at)
                   WHEN 'many' THEN format('%sunnest($5) AS rest ("its span") CROSS JOIN LATERAL (
                                                SELECT * FROM %s r WHERE r.device = %s AND r.recorded_at >= lower("its span")
                                                AND r.recorded_at < upper("its span") AND r.recorded_at >= %L AND r.recorded_at < %L) r GROUP BY 1',
                                           of_readings, readings_source(from_at, until_at, of_device::text, features,
                                                                        'lower("its span")', 'upper("its span")'),
                                           of_device, from_at, until_at)
                   WHEN 'minutes' THEN format('SELECT at, CASE feature WHEN 1 THEN n END%s FROM (%s) m', of_cells,
                                              minutes_sql(of_device::text, array_prepend('', features), '$4', from_at, until_at, origin, step_us))
                   ELSE format('%s%s r WHERE device = %s AND bucket >= %L AND bucket < %L%s%s GROUP BY 1', of_rollups,
                               CASE WHEN source IN ('days', 'hours') THEN hours_source(from_at, until_at, of_device::text, said => of_rollups)
                                    ELSE 'rollup_' || source END, of_device, from_at, until_at,
                               CASE source WHEN 'open' THEN ' AND unit = ''hour''' END, uncut)
                   END, ' UNION ALL ')
        INTO parts
        FROM (SELECT 'readings' AS source, lower(r) AS from_at, upper(r) AS until_at FROM unnest(raw) r
              WHERE (SELECT count(*) FROM unnest(raw)) <= most_spans
              UNION ALL SELECT 'many', lower(raw), upper(raw) WHERE (SELECT count(*) FROM unnest(raw)) > most_spans
              UNION ALL SELECT 'minutes', lower(covered), upper(covered) WHERE NOT isempty(covered)
              UNION ALL SELECT * FROM rollup_parts(of_device, first_at, until) r WHERE step_us >= hour_us AND r.source <> 'readings') p
        WHERE from_at < until_at;
        RETURN QUERY EXECUTE 'SELECT $1, $2, $3, at, sum(readings)::bigint, ' || results
                             || ' FROM (' || parts || ') parts (at, readings' || names || ') GROUP BY at ORDER BY at'
        USING first_at, last_at, step_ms, covered, raw;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION device_points(integer, timestamptz, timestamptz, bigint, text[], bigint) IS 'The readings of a device (devices.id), from `starts` until before `ends`, in at most so many steps, each with the lowest, highest and mean value of each feature.';

-- What the collector's metrics say about storage. Rows are counted where there are few, and
-- estimated by the statistics collector where there are many.
CREATE FUNCTION storage_status(OUT partitions bigint, OUT default_rows bigint, OUT requests_open bigint,
                               OUT requests_answered bigint, OUT late_rows bigint, OUT fleet_log_rows bigint,
                               OUT rolled_until timestamptz, OUT kept_from timestamptz,
                               OUT oldest_partition timestamptz)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    most_bytes CONSTANT bigint := 4 * 1024 * 1024;
BEGIN
    SELECT count(*), min(starts_at) INTO partitions, oldest_partition FROM reading_partitions;
    IF (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('readings_default') WHERE isleaf) < most_bytes THEN
        SELECT count(*) INTO default_rows FROM readings_default;
    ELSE
        SELECT sum(greatest(pg_stat_get_live_tuples(relid), c.reltuples::bigint)) INTO default_rows
        FROM pg_partition_tree('readings_default') JOIN pg_class c ON c.oid = relid WHERE isleaf;
    END IF;
    SELECT count(*) FILTER (WHERE answer IS NULL), count(*) FILTER (WHERE answer IS NOT NULL)
    INTO requests_open, requests_answered FROM partition_requests;
    late_rows := pg_stat_get_live_tuples('rollup_late'::regclass);
    fleet_log_rows := pg_stat_get_live_tuples('rollup_fleet_log'::regclass);
    SELECT s.rolled_until, s.kept_from INTO storage_status.rolled_until, storage_status.kept_from FROM storage_state s;
END $$;
COMMENT ON FUNCTION storage_status() IS 'How storage is doing: what the collector shows in its metrics.';
