-- 027_minutes: what dense devices sent in each minute, or ten seconds, of an hour: for plots whose steps are shorter than an hour.
--
-- Of an hour with 600 readings or more a device has a row for the readings, and one for each feature they have: arrays with
-- a *cell* for each minute; from 10,000 readings on, for each ten seconds. Behind these stand the same of minutes, where cells
-- are shorter, and of ten minutes. So a plot looks at some thousand cells, the longest of which its steps are made, and
-- not at a million readings. Hours without rows, and cells that the ends of a span or steps cut, are answered from readings.
--
-- Rows are made once the hour is rolled up, out of readings, in one statement. A reading that comes later is in rollup_late,
-- from its writer's transaction on until it is folded in: so long the rows of its hour are not looked at, and folding takes
-- them away. So this costs those who store nothing. The hour is due again when nothing has come for ten minutes: or a
-- device that always sends late would have its hours made again and again.
-- Rejected: cells of all devices, which take more than their readings where these are few; to add late readings to
-- cells, which a removal has to read the hour for all the same; one row for all features, of which a plot of one
-- would read all.

CREATE TABLE rollup_minutes (
    device        integer NOT NULL,
    cells         smallint NOT NULL,
    hour          timestamptz NOT NULL,
    base          double precision,
    scale         double precision,
    feature       text COLLATE "C" NOT NULL,
    counts        smallint[],
    counts_wide   integer[],
    sums          double precision[],
    lowest_small  smallint[],
    highest_small smallint[],
    lowest        double precision[],
    highest       double precision[],
    PRIMARY KEY (device, feature, hour)
);
COMMENT ON TABLE rollup_minutes IS 'Sums of the readings of a device per minute, or ten seconds, of hours with many; for plots.';
COMMENT ON COLUMN rollup_minutes.device IS 'devices.id';
COMMENT ON COLUMN rollup_minutes.hour IS 'The start of the hour, in UTC.';
COMMENT ON COLUMN rollup_minutes.cells IS 'How many parts of equal length it is cut into: what minute_cells() says. In arrays 60 minutes stand behind them, if they are shorter, and then ten minutes, six times.';
COMMENT ON COLUMN rollup_minutes.feature IS 'Of which feature; empty: of the readings themselves, whatever they have. That row says that the hour is there.';
COMMENT ON COLUMN rollup_minutes.counts IS 'How many values each cell has; NULL: see counts_wide,';
COMMENT ON COLUMN rollup_minutes.counts_wide IS 'the same, where one of them needs more than 16 bits; both NULL: as many as readings.';
COMMENT ON COLUMN rollup_minutes.sums IS 'Their sums, as in rollup_hours.';
COMMENT ON COLUMN rollup_minutes.lowest_small IS 'The lowest value of each cell: (base + this) / scale; NULL in a cell without one. NULL altogether: see lowest.';
COMMENT ON COLUMN rollup_minutes.highest_small IS 'The highest, likewise.';
COMMENT ON COLUMN rollup_minutes.base IS 'What the small ones are counted from; 0 where there are none.';
COMMENT ON COLUMN rollup_minutes.scale IS 'The power of ten that makes them whole; 1 where there are none.';
COMMENT ON COLUMN rollup_minutes.lowest IS 'The lowest values as they are, where 16 bits are too few, or they are no decimals.';
COMMENT ON COLUMN rollup_minutes.highest IS 'The highest, likewise.';

CREATE TABLE rollup_minute_pass (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    until   timestamptz NOT NULL DEFAULT '-infinity',
    device  integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
COMMENT ON TABLE rollup_minute_pass IS 'One row: how far rollup_minutes is made.';
COMMENT ON COLUMN rollup_minute_pass.is_only IS 'Always true: there is one row.';
COMMENT ON COLUMN rollup_minute_pass.until IS 'All hours before this one were,';
COMMENT ON COLUMN rollup_minute_pass.device IS 'and of this one those of devices up to this.';
INSERT INTO rollup_minute_pass DEFAULT VALUES;

CREATE TABLE rollup_minute_todo (
    device integer NOT NULL,
    hour   timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (device, hour)
);
CREATE INDEX rollup_minute_todo_due ON rollup_minute_todo (due_at);
COMMENT ON TABLE rollup_minute_todo IS 'Hours to be made again: readings came, or were taken out, long after.';
COMMENT ON COLUMN rollup_minute_todo.device IS 'devices.id';
COMMENT ON COLUMN rollup_minute_todo.hour IS 'The start of the hour, in UTC.';
COMMENT ON COLUMN rollup_minute_todo.due_at IS 'Not before this: more may be coming.';

-- Into how many cells an hour with so many readings is cut; NULL: it is not worth it.
CREATE FUNCTION minute_cells(readings bigint) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN readings >= 10000 THEN 360 WHEN readings >= 600 THEN 60 END::smallint
$$;

-- How many elements the arrays of an hour with so many cells have before the first of those that cut it into `level` parts: 360, 60 or 6.
CREATE FUNCTION minute_place(level integer, cells integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN level >= cells THEN 0 WHEN level = 60 OR cells = 60 THEN cells ELSE cells + 60 END
$$;

-- ---- questions ----------------------------------------------------------------------------------

-- Which of some spans of a device's time cells can answer for, if each has to lie within one of the steps that begin at
-- `origin`. The hours of dropped partitions are left to the rollups.
CREATE FUNCTION minutes_cover(of_device integer, spans tstzmultirange, origin timestamptz, step_us bigint)
RETURNS tstzmultirange LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    WITH known AS MATERIALIZED (
        SELECT m.hour, interval '1 hour' / m.cells AS cell, 3600000000 / m.cells AS cell_us
        FROM rollup_minutes m
        WHERE m.device = of_device AND m.feature = '' AND m.hour > lower(spans) - interval '1 hour' AND m.hour < upper(spans)
          AND m.hour >= (SELECT s.kept_from FROM storage_state s) AND step_us >= 3600000000 / m.cells
          AND NOT EXISTS (SELECT FROM rollup_late l WHERE l.device = of_device AND l.bucket >= m.hour AND l.bucket < m.hour + interval '1 hour')
    ), whole AS (
        SELECT range_agg(tstzrange(date_bin(k.cell, greatest(lower(s), k.hour) + k.cell - interval '1 microsecond', k.hour),
                                   date_bin(k.cell, least(upper(s), k.hour + interval '1 hour'), k.hour))) AS spans
        FROM known k JOIN unnest(minutes_cover.spans) s ON s && tstzrange(k.hour, k.hour + interval '1 hour')
        WHERE date_bin(k.cell, greatest(lower(s), k.hour) + k.cell - interval '1 microsecond', k.hour)
              < date_bin(k.cell, least(upper(s), k.hour + interval '1 hour'), k.hour)
    ), cut AS (
        SELECT range_agg(tstzrange(c.starts, c.starts + k.cell)) AS spans
        FROM known k
        CROSS JOIN LATERAL (SELECT date_bin(step_us * interval '1 microsecond', k.hour, origin) AS step_at) f
        CROSS JOIN LATERAL generate_series(f.step_at, k.hour + interval '1 hour' - interval '1 microsecond', step_us * interval '1 microsecond') b
        CROSS JOIN LATERAL (SELECT date_bin(k.cell, b, k.hour) AS starts) c
        WHERE (step_us % k.cell_us <> 0 OR date_bin(k.cell, f.step_at, k.hour) <> f.step_at) AND b > k.hour AND c.starts < b
    )
    SELECT coalesce(whole.spans, '{}') - coalesce(cut.spans, '{}') FROM whole, cut
$$;

-- The cells of a device in steps, as SQL: which of the features (from 1; empty: of the readings), at, how many values, their sum, the
-- lowest, the highest. `of_device` and `covered`, what minutes_cover() says of [starts, ends), are SQL. What can be is worked out
-- once an hour, and by whole numbers; next to no cell would be expected to be covered, and all be sorted for that, but for coalesce().
-- Of hours that are covered as a whole the longest cells are taken that no step cuts.
CREATE FUNCTION minutes_sql(of_device text, features text[], covered text, starts timestamptz, ends timestamptz, origin timestamptz, step_us bigint)
RETURNS text LANGUAGE sql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
    SELECT format('SELECT c.feature, %L::timestamptz + c.step * interval ''%s microseconds'' AS at, c.n, c.s, c.l, c.h'
                  ' FROM (SELECT c.feature, (c.since + c.i * c.cell_us) / %2$s AS step, sum(c.n) AS n, sum(c.s) AS s, min(c.l) AS l, max(c.h) AS h'
                  ' FROM (SELECT f.n AS feature, p.*, generate_series(0, p.level - 1) AS i,'
                  ' unnest(coalesce(m.counts[p.low:p.high]::integer[], m.counts_wide[p.low:p.high], t.counts[p.low:p.high]::integer[], t.counts_wide[p.low:p.high])) AS n,'
                  ' unnest(m.sums[p.low:p.high]) AS s,'
                  ' (m.base + unnest(coalesce(m.lowest_small[p.low:p.high]::float8[], m.lowest[p.low:p.high]))) / m.scale AS l,'
                  ' (m.base + unnest(coalesce(m.highest_small[p.low:p.high]::float8[], m.highest[p.low:p.high]))) / m.scale AS h'
                  ' FROM unnest(%3$L::text[]) WITH ORDINALITY f (feature, n) JOIN rollup_minutes m ON m.device = %4$s AND m.feature = f.feature'
                  ' AND m.hour > %5$L AND m.hour < %6$L AND %7$s && tstzrange(m.hour, m.hour + interval ''1 hour'')'
                  ' CROSS JOIN LATERAL (SELECT %7$s @> tstzrange(m.hour, m.hour + interval ''1 hour'') AS is_whole OFFSET 0) w'
                  ' CROSS JOIN LATERAL (SELECT CASE WHEN w.is_whole THEN least(%8$s, m.cells) ELSE m.cells END AS level OFFSET 0) h'
                  ' CROSS JOIN LATERAL (SELECT m.hour, w.is_whole, h.level, 3600000000 / h.level AS cell_us, minute_place(h.level, m.cells) + 1 AS low,'
                  ' minute_place(h.level, m.cells) + h.level AS high, (extract(epoch FROM m.hour - %1$L) * 1000000)::bigint AS since OFFSET 0) p'
                  ' LEFT JOIN rollup_minutes t ON m.counts IS NULL AND m.counts_wide IS NULL AND t.device = m.device AND t.feature = '''' AND t.hour = m.hour'
                  ' ) c WHERE (c.is_whole OR coalesce(%7$s @> (c.hour + c.i * c.cell_us * interval ''1 microsecond''), false)) AND c.n > 0 GROUP BY 1, 2) c',
                  origin, step_us, features, of_device, starts - interval '1 hour', ends, covered,
                  (SELECT min(l) FROM unnest('{6,60,360}'::integer[]) l
                   WHERE l = 360 OR step_us % (3600000000 / l) = 0 AND (extract(epoch FROM origin) * 1000000)::bigint % (3600000000 / l) = 0))
$$;

-- How long cells are, in microseconds, whose multiples the steps of a plot of some devices are to be: so that no cell is cut. NULL: that
-- would spare little.
CREATE FUNCTION plot_cell(of_devices integer[], starts timestamptz, ends timestamptz, most bigint) RETURNS bigint
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    step CONSTANT interval := (ends - starts) / most;
    n    record;
BEGIN
    IF step >= interval '1 hour' THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT sum(h.readings) FILTER (WHERE minute_cells(h.readings) = 60) AS coarse, sum(h.readings) FILTER (WHERE minute_cells(h.readings) = 360) AS fine,'
                   ' sum(h.readings) FILTER (WHERE minute_cells(h.readings) IS NOT NULL) AS dense'
                   ' FROM %s h WHERE h.device = ANY ($1) AND h.bucket > %L AND h.bucket < %L',
                   hours_source(starts - interval '1 hour', ends, said => '', whose => ' AND device = ANY ($1)'), starts - interval '1 hour', ends) INTO n USING of_devices;
    -- steps become twice as long at most, but for a handful
    RETURN CASE WHEN step >= interval '10 minutes' AND n.dense > 50000 THEN 600000000
                WHEN step >= interval '1 minute' AND n.dense > 50000 OR step >= interval '30 seconds' AND n.coarse > 50000 THEN 60000000
                WHEN step >= interval '5 seconds' AND n.fine > 50000 THEN 10000000 END;
END $$;

-- ---- upkeep -------------------------------------------------------------------------------------

-- The lowest and highest values of cells in 16 bits each, if they are decimals and as close as that: then this
-- is exact, as value_node() has it. Else as they are.
CREATE FUNCTION minutes_small(lows double precision[], highs double precision[],
                              OUT base double precision, OUT scale double precision, OUT lowest_small smallint[], OUT highest_small smallint[],
                              OUT lowest double precision[], OUT highest double precision[])
LANGUAGE plpgsql IMMUTABLE SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    low  double precision;
    high double precision;
BEGIN
    IF lows IS NULL THEN
        RETURN;
    END IF;
    SELECT min(v), max(v), max(CASE WHEN abs(v) < 1e8 THEN CASE
               WHEN round(v) = v THEN float8 '1' WHEN round(v * 10) / 10 = v THEN 10 WHEN round(v * 100) / 100 = v THEN 100
               WHEN round(v * 1e3) / 1e3 = v THEN 1e3 WHEN round(v * 1e4) / 1e4 = v THEN 1e4 ELSE 1e9 END ELSE 1e9 END)
    INTO low, high, scale FROM unnest(lows || highs) v WHERE v IS NOT NULL;
    IF scale < 1e9 AND (high - low) * scale < 65000 THEN
        base := round(low * scale) + 32500;
        lowest_small := ARRAY(SELECT round(v * scale) - base FROM unnest(lows) v);
        highest_small := ARRAY(SELECT round(v * scale) - base FROM unnest(highs) v);
    ELSE
        base := 0;
        scale := 1;
        lowest := lows;
        highest := highs;
    END IF;
END $$;

-- Makes the rows of some hours of devices again, of each hour that has enough readings.
CREATE FUNCTION minutes_build(of_devices integer[], of_hours timestamptz[]) RETURNS void
LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET max_parallel_workers_per_gather = 0 SET enable_seqscan = off
SET default_toast_compression = 'lz4' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    q record;
BEGIN
    DELETE FROM rollup_minutes m USING unnest(of_devices, of_hours) AS w (device, hour) WHERE m.device = w.device AND m.hour = w.hour;
    SELECT coalesce(string_agg(format(', count(r.%1$I), %2$s, min(r.%1$I), max(r.%1$I)', f, rollup_sum_sql(f)), '' ORDER BY n), '') AS of_readings,
           coalesce(string_agg(format(', n%s, s%1$s, l%1$s, h%1$s', n), '' ORDER BY n), '') AS names,
           coalesce(string_agg(format(', sum(c.n%s)::integer, sum(c.s%1$s), min(c.l%1$s), max(c.h%1$s)', n), '' ORDER BY n), '') AS sums,
           coalesce(string_agg(format(', array_agg(coalesce(r.n%s, 0)::integer ORDER BY cell), array_agg(r.s%1$s ORDER BY cell),'
                                      ' array_agg(r.l%1$s ORDER BY cell), array_agg(r.h%1$s ORDER BY cell)', n), '' ORDER BY n), '') AS arrays,
           coalesce(string_agg(format(', (%L, nullif(g.n%s, g.n), g.s%2$s, g.l%2$s, g.h%2$s)', f, n), '' ORDER BY n), '') AS rows
    INTO q FROM features_of('readings') WITH ORDINALITY AS feature (f, n);
    EXECUTE format(
        'WITH wanted AS MATERIALIZED (
             SELECT w.device, w.hour, minute_cells(h.readings) AS cells FROM unnest($1, $2) AS w (device, hour)
             JOIN rollup_hours h ON h.device = w.device AND h.bucket = w.hour WHERE minute_cells(h.readings) IS NOT NULL),
         counted AS MATERIALIZED (
             SELECT w.device, w.hour, w.cells, r.* FROM wanted w CROSS JOIN LATERAL (
                 SELECT date_bin(interval ''1 hour'' / w.cells, r.recorded_at, w.hour), count(*)%1$s FROM %6$s r
                 WHERE r.device = w.device AND r.recorded_at >= w.hour AND r.recorded_at < w.hour + interval ''1 hour''
                 AND r.recorded_at >= %4$L AND r.recorded_at < %5$L GROUP BY 1) r (at, n%2$s)),
         placed (device, hour, place, n%2$s) AS MATERIALIZED (
             SELECT c.device, c.hour, minute_place(l.level, c.cells) + extract(epoch FROM c.at - c.hour)::integer * l.level / 3600, sum(c.n)::integer%8$s
             FROM counted c JOIN (VALUES (6), (60), (360)) l (level) ON l.level <= c.cells GROUP BY 1, 2, 3),
         gathered (device, hour, cells, n%2$s) AS (
             SELECT w.device, w.hour, w.cells, array_agg(coalesce(r.n, 0)::integer ORDER BY cell)%3$s
             FROM wanted w CROSS JOIN LATERAL generate_series(0, minute_place(6, w.cells) + 5) cell
             LEFT JOIN placed r ON r.device = w.device AND r.hour = w.hour AND r.place = cell
             GROUP BY 1, 2, 3)
         INSERT INTO rollup_minutes (device, hour, cells, feature, counts, counts_wide, sums, base, scale, lowest_small, highest_small, lowest, highest)
         SELECT g.device, g.hour, g.cells, f.feature, CASE WHEN f.most <= 32767 THEN f.counts::smallint[] END, CASE WHEN f.most > 32767 THEN f.counts END,
                f.sums, p.* FROM gathered g
         CROSS JOIN LATERAL (SELECT v.*, (SELECT max(n) FROM unnest(v.counts) n) AS most
                             FROM (VALUES ('''', g.n, NULL::float8[], NULL::float8[], NULL::float8[])%7$s) v (feature, counts, sums, lowest, highest)) f
         CROSS JOIN LATERAL minutes_small(f.lowest, f.highest) p
         WHERE f.most IS DISTINCT FROM 0
         ORDER BY g.device, f.feature, g.hour',
        q.of_readings, q.names, q.arrays, (SELECT min(h) FROM unnest(of_hours) h), (SELECT max(h) + interval '1 hour' FROM unnest(of_hours) h),
        readings_source((SELECT min(h) FROM unnest(of_hours) h), (SELECT max(h) + interval '1 hour' FROM unnest(of_hours) h), 'w.device',
                        ARRAY(SELECT features_of('readings')), 'w.hour', 'w.hour + interval ''1 hour'''), q.rows, q.sums) USING of_devices, of_hours;
END $$;
COMMENT ON FUNCTION minutes_build(integer[], timestamptz[]) IS 'Used by minutes_pass().';

-- Makes what is due: one slice. True: there is more.
CREATE FUNCTION minutes_pass() RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_rows CONSTANT bigint := 150000; -- of readings, in one slice
    state   storage_state;
    pass    rollup_minute_pass;
    devices integer[];
    hours   timestamptz[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO state FROM storage_state;
    SELECT * INTO pass FROM rollup_minute_pass;
    IF pass.until < state.kept_from THEN
        pass.until := date_bin('1 hour', state.kept_from, 'epoch');
        pass.device := 0;
    END IF;
    IF pass.until + interval '1 hour' <= state.rolled_until THEN
        SELECT array_agg(h.device ORDER BY h.device), array_agg(pass.until) INTO devices, hours
        FROM (SELECT h.device, sum(h.readings) OVER (ORDER BY h.device) - h.readings AS before FROM rollup_hours h
              WHERE h.bucket = pass.until AND h.device > pass.device AND minute_cells(h.readings) IS NOT NULL) h
        WHERE h.before < most_rows;
        IF devices IS NULL THEN -- on to the next hour that has something
            UPDATE rollup_minute_pass SET device = 0, until = least(
                coalesce((SELECT min(h.bucket) FROM rollup_hours h WHERE h.bucket > pass.until AND h.device > 0), 'infinity'),
                date_bin('1 hour', state.rolled_until, 'epoch'));
        ELSE
            PERFORM minutes_build(devices, hours);
            UPDATE rollup_minute_pass SET until = pass.until, device = devices[cardinality(devices)];
        END IF;
        RETURN true;
    END IF;
    WITH due AS (
        SELECT d.device, d.hour FROM (
            SELECT t.device, t.hour, t.due_at, sum(h.readings) OVER (ORDER BY t.due_at, t.device, t.hour) - h.readings AS before
            FROM (SELECT * FROM rollup_minute_todo WHERE due_at <= now() ORDER BY due_at, device, hour LIMIT 200) t
            CROSS JOIN LATERAL value_readings(t.device, t.hour, t.hour + interval '1 hour') h (readings)) d
        WHERE d.before < most_rows
    ), taken AS (
        DELETE FROM rollup_minute_todo t USING due d WHERE t.device = d.device AND t.hour = d.hour RETURNING t.device, t.hour)
    SELECT array_agg(t.device), array_agg(t.hour) INTO devices, hours FROM taken t;
    IF devices IS NULL THEN
        RETURN sheets_pass();
    END IF;
    PERFORM minutes_build(devices, hours);
    RETURN true;
END $$;
COMMENT ON FUNCTION minutes_pass() IS 'For the collector that looks after storage: makes some of what rollup_minutes lacks, and then of rollup_sheets. True: there is more.';

-- Of hours that late readings were folded into: takes their rows away. Those that the pass has been at are made again.
CREATE FUNCTION minutes_late(of_devices integer[], of_hours timestamptz[]) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM rollup_minutes m USING (SELECT DISTINCT device, hour FROM unnest(of_devices, of_hours) AS w (device, hour)) w
    WHERE m.device = w.device AND m.hour = w.hour;
    INSERT INTO rollup_minute_todo
    SELECT DISTINCT w.device, w.hour, now() + interval '10 minutes' FROM unnest(of_devices, of_hours) AS w (device, hour)
    JOIN rollup_hours h ON h.device = w.device AND h.bucket = w.hour CROSS JOIN rollup_minute_pass p
    WHERE minute_cells(h.readings) IS NOT NULL AND (w.hour < p.until OR w.hour = p.until AND w.device <= p.device)
      AND w.hour >= (SELECT s.kept_from FROM storage_state s)
    ON CONFLICT (device, hour) DO UPDATE SET due_at = excluded.due_at
$$;

-- Of a removal, while everybody who stores is shut out: the same of what the table `removed` names.
CREATE FUNCTION minutes_remove(of_device integer) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    hours timestamptz[] := ARRAY(SELECT DISTINCT date_bin('1 hour', recorded_at, 'epoch') FROM removed);
BEGIN
    PERFORM minutes_late(array_fill(of_device, ARRAY[cardinality(hours)]), hours);
END $$;

-- Takes away the rows of a span, of all devices; rollup_rebuild() calls it. They are made again.
CREATE FUNCTION minutes_rebuild(starts timestamptz, ends timestamptz) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM rollup_minutes m WHERE m.hour >= starts AND m.hour < ends;
    INSERT INTO rollup_minute_todo
    SELECT h.device, h.bucket, now() FROM rollup_hours h CROSS JOIN rollup_minute_pass p
    WHERE h.bucket >= starts AND h.bucket < ends AND h.device > 0 AND minute_cells(h.readings) IS NOT NULL
      AND (h.bucket < p.until OR h.bucket = p.until AND h.device <= p.device)
    ON CONFLICT DO NOTHING
$$;

-- Forgets the hours of dropped partitions.
CREATE FUNCTION minutes_forget() RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM rollup_minutes WHERE hour < (SELECT kept_from FROM storage_state);
    DELETE FROM rollup_minute_todo WHERE hour < (SELECT kept_from FROM storage_state)
$$;
