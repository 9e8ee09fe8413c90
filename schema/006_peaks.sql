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
-- are better, so that it need not send what they beat again. The statement is planned once for the columns that peaks has:
-- planning it takes longer than a few rows do, and one batch in four has some. A further feature, which some other collector
-- may add, makes it another one, for that has to be taken out of rows that are replaced.
CREATE FUNCTION peaks_merge() RETURNS TABLE (device integer, feature text, sort_order text, value double precision,
                                            recorded_at timestamptz) LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    merge CONSTANT text := (SELECT format('peaks_merge_%s_%s', max(a.attnum), count(*) FILTER (WHERE NOT a.attisdropped))
                            FROM pg_attribute a WHERE a.attrelid = 'peaks'::regclass AND a.attnum > 0);
BEGIN
    IF NOT EXISTS (SELECT FROM pg_prepared_statements s WHERE s.name = merge) THEN
        EXECUTE format('PREPARE %I AS %s', merge, peaks_merge_sql('peaks_stage', ARRAY(SELECT features_of('peaks_stage'))));
    END IF;
    EXECUTE format('EXECUTE %I', merge);
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
-- such cells are looked at in the order of what they may reach, and none that cannot change the board,
-- until nothing that is left can come before the last on it. What is looked at are always readings, so
-- it does not matter that the span begins or ends within an hour, or what came after the moment that is
-- asked about: a bound may be too high, and is never too low. What is not summed up yet, the last
-- minutes, is looked through, and so is what came for days whose partition was dropped.
-- In the hours that the span cuts, no device reaches more than the fleet did in the ten-second slots
-- within: otherwise a spike of the whole fleet, just outside, would make a candidate of every device.
-- Where that does not help, of a group that jumped outside while others did within, all readings of the
-- cut hours are read, once so many cells were looked at that this would have cost no more.
-- One hour comes first, the one in which the fleet reached most: what is on the board after that is a bar for
-- the cells of all other hours, so that few of them are more than read.
-- Rejected: to look for the row of each device's maximum, which needs a bound that is exact; to order
-- devices by their bounds, which sorts all of them; indexes on what cells reach, two for each feature,
-- which take more room than the cells.

-- The row of peaks that a reading r makes, as SQL.
CREATE FUNCTION board_row_sql(feature text, sort_order text) RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT format('ROW (%s)::peaks', string_agg(CASE attname WHEN 'value' THEN format('r.%I', feature)
                  WHEN 'feature' THEN quote_literal(feature) WHEN 'sort_order' THEN quote_literal(sort_order)
                  ELSE format('r.%I', attname) END, ', ' ORDER BY attnum))
    FROM pg_attribute WHERE attrelid = 'peaks'::regclass AND attnum > 0 AND NOT attisdropped
$$;

-- The best reading r of a device within [from_at, until_at), both SQL, as a row `found`; of those
-- that are within a span, too, and were received by a moment. The span stands there as literals: it is what
-- spares partitions before they are looked at.
CREATE FUNCTION board_look_sql(feature text, sort_order text, starts timestamptz, ends timestamptz, received_until timestamptz,
                               of_device text, from_at text, until_at text)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
BEGIN
    RETURN format('SELECT %s AS found FROM %s r WHERE r.device = %s AND r.%I <> ''NaN'' AND r.received_at <= %L'
                  ' AND r.recorded_at >= %L AND r.recorded_at < %L AND r.recorded_at >= %s AND r.recorded_at < %s ORDER BY %s LIMIT 1',
                  board_row_sql(feature, sort_order), readings_source(starts, ends, of_device, NULL, from_at, until_at),
                  of_device, feature, received_until, starts, ends, from_at, until_at, (rank_sql(feature, sort_order)).of_device);
END $$;

-- What the fleet reached in the ten-second slots from one moment to another; NULL: nothing is known.
CREATE FUNCTION board_fleet_reach(feature text, sort_order text, starts timestamptz, ends timestamptz)
RETURNS double precision LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    reach double precision;
BEGIN
    EXECUTE (SELECT format('SELECT max(%1$s) FROM (SELECT * FROM rollup_fleet WHERE bucket >= %2$L AND bucket < %3$L'
                           ' UNION ALL SELECT * FROM rollup_fleet_log WHERE bucket >= %2$L AND bucket < %3$L) f',
                           CASE sort_order WHEN 'desc' THEN format('f.%I', feature || '_max') ELSE format('-f.%I', feature || '_min') END,
                           date_bin('10 seconds', starts, 'epoch'), ends)) INTO reach;
    RETURN reach;
END $$;

-- What the readings of devices in [starts, ends) may reach, hour by hour and (`uses_days`) day by day, as SQL:
-- device, reach (the value, or its opposite where the lowest is the best), last_at, when the newest
-- was recorded, and the span [from_at, until_at) of the cell. Of what is summed up, where that is $1 at least:
-- it stands first, for most rows need no other condition then. `is_capped`: not more than the fleet did. `few`: $1 is as much as few of them
-- reach, so that it is worth while to ask which these are.
CREATE FUNCTION board_cells_sql(feature text, sort_order text, starts timestamptz, ends timestamptz, uses_days boolean, whose text,
                                is_capped boolean DEFAULT true, few boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    first_hour  timestamptz := date_bin('1 hour', starts, 'epoch');
    whole_from  timestamptz := date_bin('1 hour', starts + interval '1 hour' - interval '1 microsecond', 'epoch');
    whole_until timestamptz := greatest(date_bin('1 hour', ends, 'epoch'), whole_from);
    day_from    timestamptz := date_bin('1 day', starts + interval '24 hours' - interval '1 microsecond', 'epoch');
    day_until   timestamptz := least(date_bin('1 day', ends, 'epoch'),
                                     date_bin('1 day', (SELECT rolled_until FROM storage_state), 'epoch'));
    has_days    boolean := uses_days AND day_from < day_until;
    reach       text := CASE sort_order WHEN 'desc' THEN format('%I', feature || '_max') ELSE format('-%I', feature || '_min') END;
    within      text := format(' AND last_at >= %L AND first_at < %L', starts, ends);
BEGIN
    RETURN (
        SELECT string_agg(format(
            'SELECT device, %1$s AS reach, last_at, bucket AS from_at, bucket + interval ''%2$s'' AS until_at, %3$s AS is_day FROM %4$s'
            ' WHERE %1$s >= $1 AND device > 0 AND bucket >= %5$L AND bucket < %6$L%7$s',
            CASE WHEN NOT (c.is_cut AND is_capped) THEN reach
                 ELSE format('least(%s, %L::float8)', reach, board_fleet_reach(feature, sort_order, greatest(c.a, starts), c.b)) END,
            CASE c.source WHEN 'days' THEN '24 hours' ELSE '1 hour' END, CASE c.source WHEN 'days' THEN 'true' ELSE 'false' END,
            CASE WHEN c.source = 'hours' AND c.a < c.b
                 THEN coalesce(CASE WHEN few THEN sheets_reach_sql(feature, sort_order, c.a, c.b, whose) END, hours_source(c.a, c.b, said => reach, whose => whose)) || ' r'
                 ELSE 'rollup_' || c.source END, c.a, c.b, c.more || whose), ' UNION ALL ')
        FROM (VALUES
            ('late', first_hour, ends, within, false),
            ('open', first_hour, ends, within || ' AND unit = ''hour''', false),
            ('hours', first_hour, least(whole_from, ends), within, true),
            ('hours', whole_from, CASE WHEN has_days THEN day_from ELSE whole_until END, '', false),
            ('days', day_from, CASE WHEN has_days THEN day_until ELSE day_from END, '', false),
            ('hours', day_until, CASE WHEN has_days THEN whole_until ELSE day_until END, '', false),
            ('hours', whole_until, ends, within, true)) AS c (source, a, b, more, is_cut)
        WHERE c.a < c.b OR c.source = 'late');
END $$;

-- The same of all readings of a span, by the device: cells as long as the span, of which everything is known.
CREATE FUNCTION board_read_sql(feature text, sort_order text, starts timestamptz, ends timestamptz, received_until timestamptz, whose text)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
BEGIN
    RETURN format('SELECT r.device, max(%1$sr.%2$I) AS reach, max(r.recorded_at), %3$L::timestamptz, %4$L::timestamptz, false FROM %7$s r'
                  ' WHERE r.recorded_at >= %3$L AND r.recorded_at < %4$L AND r.%2$I <> ''NaN''%5$s%6$s GROUP BY r.device HAVING max(%1$sr.%2$I) >= $1',
                  CASE sort_order WHEN 'desc' THEN '' ELSE '-' END, feature, starts, ends,
                  CASE WHEN received_until < 'infinity' THEN format(' AND r.received_at <= %L', received_until) ELSE '' END, whose,
                  readings_source(starts, ends, NULL, ARRAY[feature] || CASE WHEN received_until < 'infinity' THEN ARRAY['received_at'] END));
END $$;

-- The whole hour within [starts, ends) in which the fleet reached most, as far as its sums are folded in: a guess
-- that saves work, and nothing rests on it. NULL: none.
CREATE FUNCTION board_first_hour(feature text, sort_order text, starts timestamptz, ends timestamptz)
RETURNS timestamptz LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    hour timestamptz;
BEGIN
    EXECUTE format('SELECT bucket FROM rollup_hours WHERE device = 0 AND bucket >= %L AND bucket < %L AND %I > 0 ORDER BY %I %s, bucket LIMIT 1',
                   date_bin('1 hour', starts + interval '1 hour' - interval '1 microsecond', 'epoch'), date_bin('1 hour', ends, 'epoch'),
                   feature || '_count', feature || CASE sort_order WHEN 'desc' THEN '_max' ELSE '_min' END, sort_order) INTO hour;
    RETURN hour;
END $$;

-- The best reading of one device in [starts, ends), all of which is summed up; NULL when there is none.
CREATE FUNCTION board_best(of_device integer, feature text, sort_order text, starts timestamptz, ends timestamptz, received_until timestamptz)
RETURNS peaks LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    best  peaks;
    other peaks;
    cell  record;
    sign  double precision := CASE sort_order WHEN 'desc' THEN 1 ELSE -1 END;
BEGIN
    FOR cell IN EXECUTE format('SELECT reach, last_at, from_at, until_at FROM (%s) c ORDER BY reach DESC, last_at DESC',
                               board_cells_sql(feature, sort_order, starts, ends, false, format(' AND device = %s', of_device), false))
                USING '-Infinity'::float8
    LOOP
        EXIT WHEN best.device IS NOT NULL AND (cell.reach, cell.last_at) < (sign * best.value, best.recorded_at);
        EXECUTE 'SELECT (b.found).* FROM (' || board_look_sql(feature, sort_order, greatest(starts, cell.from_at), least(ends, cell.until_at),
                received_until, of_device::text, '''-infinity''', '''infinity''') || ') b' INTO other;
        IF other.device IS NOT NULL
           AND (best.device IS NULL OR (sign * other.value, other.recorded_at, other.content_hash)
                                       > (sign * best.value, best.recorded_at, best.content_hash)) THEN
            best := other;
        END IF;
    END LOOP;
    RETURN best;
END $$;

-- The best readings of devices, at most so many, the best first, and what the cells (SQL, as above) add to them. `look`
-- is a statement that looks at some cells; `of_devices` is $2 of the cells. `exact`: the same cells from which nobody promises more
-- than there is, for when `enough` were looked at; or NULL.
CREATE FUNCTION board_improve(bests peaks[], most bigint, sign double precision, cells text, look text, of_devices integer[],
                              exact text, enough bigint)
RETURNS peaks[] LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    last      peaks := CASE WHEN cardinality(bests) >= most THEN bests[most] END;
    bar       double precision := coalesce(sign * last.value, '-Infinity'); -- what cells must reach
    page      integer := 64 + 2 * most; -- cells, those that may reach most first:
    devices   integer[];
    reaches   double precision[];
    times     timestamptz[];
    from_ats  timestamptz[];
    until_ats timestamptz[];
    days      boolean[];
    looked    integer[] := '{}';        -- places among them
    picked    integer[];
    batch     integer := most;
BEGIN
    LOOP
        EXECUTE format('SELECT array_agg(c.device), array_agg(c.reach), array_agg(c.last_at), array_agg(c.from_at), array_agg(c.until_at),'
                       ' array_agg(c.is_day) FROM (SELECT * FROM (%s) c (device, reach, last_at, from_at, until_at, is_day)'
                       ' ORDER BY reach DESC, last_at DESC, device, from_at, until_at LIMIT %s) c',
                       cells, page) INTO devices, reaches, times, from_ats, until_ats, days USING bar, of_devices;
        LOOP
            last := CASE WHEN cardinality(bests) >= most THEN bests[most] END;
            -- of each device the one that may reach most, if it may still change the board
            picked := ARRAY(SELECT d.place FROM (
                SELECT DISTINCT ON (c.device) c.place FROM unnest(devices, reaches, times) WITH ORDINALITY AS c (device, reach, at, place)
                LEFT JOIN unnest(bests) b ON b.device = c.device
                WHERE c.place <> ALL (looked)
                  AND (last.device IS NULL OR (c.reach, c.at) >= (sign * last.value, last.recorded_at))
                  AND (b.device IS NULL OR (c.reach, c.at) >= (sign * b.value, b.recorded_at))
                ORDER BY c.device, c.place) d ORDER BY d.place LIMIT batch);
            EXIT WHEN cardinality(picked) = 0 OR exact IS NOT NULL AND cardinality(looked) >= enough;
            EXECUTE look INTO bests
            USING bests, ARRAY(SELECT devices[i] FROM unnest(picked) i), ARRAY(SELECT from_ats[i] FROM unnest(picked) i),
                  ARRAY(SELECT until_ats[i] FROM unnest(picked) i), ARRAY(SELECT days[i] FROM unnest(picked) i);
            bests := coalesce(bests, '{}');
            looked := looked || picked;
            batch := least(batch * 2, page); -- more places there are not
        END LOOP;
        IF exact IS NOT NULL AND cardinality(picked) > 0 THEN
            cells := exact;
            exact := NULL;
            looked := '{}';
            bar := coalesce(sign * last.value, '-Infinity');
            CONTINUE;
        END IF;
        EXIT WHEN coalesce(cardinality(devices), 0) < page
                  OR last.device IS NOT NULL AND (reaches[page], times[page]) < (sign * last.value, last.recorded_at);
        page := page * 8; -- the first of them are the same again
    END LOOP;
    RETURN bests;
END $$;

-- The best reading of each device recorded in [starts, ends) and received by a moment, the best devices first.
-- Where partitions were dropped, sums say what there was, but not which reading it was, unless peaks
-- has it. If one of those may belong on the board, this fails with HW003, or, if only what is
-- `kept` is asked about, it is passed over. NULL instead of ids: of all devices. Of some, only their cells are looked
-- at; what the fleet reached is a bound for them, too.
CREATE FUNCTION board_of_span(feature text, sort_order text, starts timestamptz, ends timestamptz, most bigint,
                              received_until timestamptz DEFAULT 'infinity', kept boolean DEFAULT false, of_devices integer[] DEFAULT NULL)
RETURNS TABLE (device_id text, best peaks) LANGUAGE plpgsql STABLE SET datestyle = 'ISO'
SET max_parallel_workers_per_gather = 0 SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    state   storage_state;
    kept_at timestamptz;       -- where what is kept of the span begins
    hour    timestamptz;       -- the one to begin with
    parts   text[];            -- cells as SQL
    exact   text;              -- the last of them, where the span cuts hours, with readings instead of these hours
    many    integer;           -- how many of them are summed up
    enough  bigint := greatest(256, (SELECT c.reltuples / 24 FROM pg_class c WHERE c.oid = 'devices'::regclass)); -- about, to be looked at before
    whole_from  timestamptz;
    whole_until timestamptz;
    look    text;
    bests   peaks[] := '{}';
    last    peaks;
    known   integer[];         -- devices whose peak is in the span
    dropped integer;           -- a device that had more
    rank    record := rank_sql('value', sort_order);
    sign    double precision := CASE sort_order WHEN 'desc' THEN 1 ELSE -1 END;
    whose   text := CASE WHEN of_devices IS NULL THEN '' ELSE ' AND device = ANY ($2)' END; -- alike in all statements
BEGIN
    PERFORM readings_settle();
    SELECT * INTO state FROM storage_state;
    kept_at := greatest(starts, state.kept_from);
    IF starts >= ends OR most < 1 THEN
        RETURN;
    ELSIF starts >= state.rolled_until THEN
        RETURN QUERY EXECUTE format(
            'SELECT d.device_id, %s FROM (SELECT DISTINCT ON (r.device) r.* FROM %s r'
            ' WHERE r.%I <> ''NaN'' AND r.recorded_at >= %L AND r.recorded_at < %L AND r.received_at <= %L%s ORDER BY r.device, %s) r'
            ' JOIN devices d ON d.id = r.device ORDER BY %s LIMIT %s', board_row_sql(feature, sort_order), readings_source(starts, ends), feature, starts, ends,
            received_until, whose, (rank_sql(feature, sort_order)).of_device, (rank_sql(feature, sort_order)).of_fleet, most) USING NULL, of_devices;
        RETURN;
    END IF;
    hour := board_first_hour(feature, sort_order, kept_at, least(ends, state.rolled_until));
    parts := CASE WHEN hour IS NULL THEN ARRAY[board_cells_sql(feature, sort_order, kept_at, ends, true, whose)]
                  ELSE ARRAY[board_cells_sql(feature, sort_order, hour, hour + interval '1 hour', false, whose),
                             board_cells_sql(feature, sort_order, kept_at, hour, true, whose, few => true) || ' UNION ALL '
                             || board_cells_sql(feature, sort_order, hour + interval '1 hour', ends, true, whose, few => true)] END;
    many := cardinality(parts);
    whole_from := date_bin('1 hour', kept_at + interval '1 hour' - interval '1 microsecond', 'epoch');
    whole_until := CASE WHEN ends < state.rolled_until THEN date_bin('1 hour', ends, 'epoch') ELSE state.rolled_until END;
    IF whole_from >= whole_until THEN
        exact := board_read_sql(feature, sort_order, kept_at, least(ends, state.rolled_until), received_until, whose);
    ELSIF whole_from > kept_at OR whole_until < least(ends, state.rolled_until) THEN
        exact := board_cells_sql(feature, sort_order, whole_from, coalesce(hour, whole_until), true, whose, few => true)
                 || coalesce(' UNION ALL ' || board_cells_sql(feature, sort_order, hour + interval '1 hour', whole_until, true, whose, few => true), '')
                 || ' UNION ALL ' || board_read_sql(feature, sort_order, kept_at, whole_from, received_until, whose)
                 || ' UNION ALL ' || board_read_sql(feature, sort_order, whole_until, least(ends, state.rolled_until), received_until, whose);
    END IF;
    -- what is not summed up, or is not there any more
    SELECT parts || coalesce(array_agg(board_read_sql(feature, sort_order, s.a, s.b, 'infinity', whose)), '{}')
    INTO parts FROM (VALUES (state.rolled_until, ends), (starts, least(ends, state.kept_from))) AS s (a, b) WHERE s.a < s.b;
    look := format(
        'SELECT array_agg(p.found ORDER BY p.place) FROM (SELECT ROW (r.*)::peaks AS found, row_number() OVER (ORDER BY %s) AS place'
        ' FROM (SELECT DISTINCT ON (r.device) r.* FROM (SELECT u.* FROM unnest($1) u'
        ' UNION ALL SELECT (l.found).* FROM unnest($2, $3, $4, $5) AS c (device, from_at, until_at, is_day) CROSS JOIN LATERAL (%s) l WHERE NOT c.is_day'
        ' UNION ALL SELECT b.* FROM unnest($2, $3, $4, $5) AS c (device, from_at, until_at, is_day),'
        ' board_best(c.device, %L, %L, c.from_at, c.until_at, %L) b WHERE c.is_day AND b.device IS NOT NULL) r'
        ' ORDER BY r.device, %s) r JOIN devices d ON d.id = r.device) p WHERE p.place <= %s', rank.of_fleet,
        board_look_sql(feature, sort_order, starts, ends, received_until, 'c.device', 'c.from_at', 'c.until_at'),
        feature, sort_order, received_until, rank.of_device, most);
    IF starts < state.kept_from AND NOT kept THEN
        EXECUTE format('SELECT array_agg(r.device), array_agg(ROW (r.*)::peaks) FROM peaks r WHERE r.feature = %L AND r.sort_order = %L'
                       ' AND r.recorded_at >= %L AND r.recorded_at < %L AND (r.recorded_at < %L OR EXISTS (SELECT FROM %8$s x'
                       ' WHERE x.device = r.device AND x.recorded_at = r.recorded_at AND hash_matches(x.content_hash, r.content_hash)'
                       ' AND x.recorded_at >= %5$L AND x.recorded_at < %4$L AND x.received_at <= %6$L))%7$s',
                       feature, sort_order, starts, ends, state.kept_from, received_until, whose,
                       readings_source(state.kept_from, ends, 'r.device', ARRAY['content_hash', 'received_at'], 'r.recorded_at', 'r.recorded_at + interval ''1 microsecond'''))
        INTO known, bests USING NULL, of_devices;
        EXECUTE look INTO bests USING coalesce(bests, '{}'), '{}'::integer[], '{}'::timestamptz[], '{}'::timestamptz[], '{}'::boolean[];
        bests := coalesce(bests, '{}');
    END IF;
    FOR part IN 1 .. cardinality(parts) LOOP
        bests := board_improve(bests, most, sign, parts[part], look, of_devices, CASE part WHEN many THEN exact END, enough);
    END LOOP;
    last := CASE WHEN cardinality(bests) >= most THEN bests[most] END;
    IF starts < state.kept_from AND NOT kept THEN
        EXECUTE format('SELECT c.device FROM (%s) c LEFT JOIN unnest($6) b ON b.device = c.device WHERE c.device <> ALL ($3)'
                       ' AND (c.reach, c.last_at) >= ($1, $4)'
                       ' AND (b.device IS NULL OR (c.reach, c.last_at) >= ($5 * b.value, b.recorded_at)) LIMIT 1',
                       board_cells_sql(feature, sort_order, starts, least(ends, state.kept_from), true, whose, false))
        INTO dropped USING coalesce(sign * last.value, '-Infinity'), of_devices, coalesce(known, '{}'),
                           coalesce(last.recorded_at, '-infinity'), sign, bests;
        IF dropped IS NOT NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'HW003', MESSAGE = format(
                'readings recorded before %s were dropped, and one of them may belong on this board, of which there are only sums now; from=%1$s, or later, is answered',
                to_char(state.kept_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
        END IF;
    END IF;
    RETURN QUERY EXECUTE format('SELECT d.device_id, ROW (r.*)::peaks FROM unnest($1) r JOIN devices d ON d.id = r.device'
                                ' ORDER BY %s', rank.of_fleet) USING bests;
END $$;
COMMENT ON FUNCTION board_of_span(text, text, timestamptz, timestamptz, bigint, timestamptz, boolean, integer[]) IS 'The devices with the highest (desc) or lowest (asc) values of a feature recorded from `starts` until before `ends`, each with its whole best reading, the best first.';

-- The same of what is recorded after a moment and still kept; of all time, since -infinity, it is what peaks says.
CREATE FUNCTION board_of(feature text, sort_order text, since timestamptz, most bigint,
                         received_until timestamptz DEFAULT 'infinity', of_devices integer[] DEFAULT NULL)
RETURNS TABLE (device_id text, best peaks) LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
BEGIN
    IF since = '-infinity' THEN
        RETURN QUERY EXECUTE format('SELECT d.device_id, ROW (r.*)::peaks FROM peaks r JOIN devices d ON d.id = r.device'
                                    ' WHERE r.feature = %L AND r.sort_order = %L%s ORDER BY %s LIMIT %s', feature, sort_order,
                                    CASE WHEN of_devices IS NULL THEN '' ELSE ' AND r.device = ANY ($1)' END,
                                    (rank_sql('value', sort_order)).of_fleet, most) USING of_devices;
    ELSE
        RETURN QUERY SELECT b.device_id, b.best FROM board_of_span(feature, sort_order, since + interval '1 microsecond', 'infinity', most,
                                                                   received_until, true, of_devices) b;
    END IF;
END $$;
COMMENT ON FUNCTION board_of(text, text, timestamptz, bigint, timestamptz, integer[]) IS 'The devices with the highest (desc) or lowest (asc) values of a feature recorded after `since` (-infinity: ever), each with its whole best reading, the best first.';
