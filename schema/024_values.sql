-- 024_values: how values are distributed, over any span, without a look at each reading.
--
-- A *node* is what a device's readings of one span (ten seconds ... 256 days) have for values: per feature,
-- cells with how many fell into each. A question about a span takes the fewest nodes that lie in it, and the
-- readings themselves where there are none: at its ends.
--
-- The cells of a node are, if its values are decimals and few are distinct, these values: nothing is lost.
-- Else they are as wide as the power of two that makes 1,024 to 2,048 of them between the node's lowest and
-- highest value. All cells begin at multiples of their width, so those of one node are made of whole
-- cells of another; and since no node's values spread wider than those of a span that holds it, no cell in an answer
-- is wider than a 1,024th of what the answer spans. So the counts are exact; what may move, by half a cell, is
-- an edge between two bins.
-- Rejected: values as they are, sorted, which takes 8 bytes each where they do not repeat; cells with the
-- readings behind those which an edge cuts, for these lie anywhere in the span; sketches (t-digest, GK),
-- which count nothing exactly and cannot take one out.
--
-- A node is made from readings, or the nodes below, once its span is rolled up. A reading that comes later
-- is put into rollup_late_values by its writer, as its sums are into rollup_late: a node holds the readings of
-- its span less those, at every moment. Folding takes them into the nodes. A removal takes away nodes and lets
-- them be made again.

CREATE TABLE rollup_value_spans (
    device   integer NOT NULL,
    unit     smallint NOT NULL,
    bucket   timestamptz NOT NULL,
    readings bigint NOT NULL,
    PRIMARY KEY (device, unit, bucket)
);
COMMENT ON TABLE rollup_value_spans IS 'Spans of which the values of all features are in rollup_values.';
COMMENT ON COLUMN rollup_value_spans.device IS 'devices.id; 0: all devices together';
COMMENT ON COLUMN rollup_value_spans.unit IS 'How long it is: value_units().';
COMMENT ON COLUMN rollup_value_spans.bucket IS 'The start of the span, in UTC.';
COMMENT ON COLUMN rollup_value_spans.readings IS 'How many it had when it was made.';

CREATE TABLE rollup_values (
    device      integer NOT NULL,
    unit        smallint NOT NULL,
    bucket      timestamptz NOT NULL,
    step        double precision,
    scale       double precision,
    base        double precision NOT NULL,
    feature     text COLLATE "C" NOT NULL,
    cells       integer[],
    counts      smallint[],
    counts_wide bigint[],
    PRIMARY KEY (device, feature, unit, bucket)
);
COMMENT ON TABLE rollup_values IS 'How many values of a feature lie in each cell, per device and span.';
COMMENT ON COLUMN rollup_values.device IS 'devices.id; 0: all devices together';
COMMENT ON COLUMN rollup_values.unit IS 'As in rollup_value_spans.';
COMMENT ON COLUMN rollup_values.bucket IS 'The start of the span, in UTC.';
COMMENT ON COLUMN rollup_values.step IS 'How wide cells are: cell i begins at (base + i) * step. NULL: cells are values,';
COMMENT ON COLUMN rollup_values.scale IS '(base + i) / scale; if that is NULL, too, base itself.';
COMMENT ON COLUMN rollup_values.base IS 'What cells are counted from.';
COMMENT ON COLUMN rollup_values.feature IS 'Of which feature.';
COMMENT ON COLUMN rollup_values.cells IS 'Each cell''s i; NULL: 0, 1, 2 ...';
COMMENT ON COLUMN rollup_values.counts IS 'How many values are in each cell; NULL: see counts_wide.';
COMMENT ON COLUMN rollup_values.counts_wide IS 'The same, where one of them needs more than 16 bits.';

CREATE TABLE rollup_late_values (
    recorded_at timestamptz NOT NULL,
    value       double precision NOT NULL,
    device      integer NOT NULL,
    feature     text COLLATE "C" NOT NULL
);
CREATE INDEX rollup_late_values_device ON rollup_late_values (device, feature, recorded_at);
COMMENT ON TABLE rollup_late_values IS 'Values that came after their span was rolled up, and are in no node: twice, for the device and for all. Folded in when they are many.';
COMMENT ON COLUMN rollup_late_values.recorded_at IS 'As in readings.';
COMMENT ON COLUMN rollup_late_values.value IS 'As in readings.';
COMMENT ON COLUMN rollup_late_values.device IS 'devices.id; 0: all devices together';
COMMENT ON COLUMN rollup_late_values.feature IS 'Of which feature.';
ALTER TABLE rollup_late_values SET (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 5000);

-- A node of fewer readings than `fewest` costs more than it spares. Each unit is made of whole ones of the unit before.
CREATE FUNCTION value_units() RETURNS TABLE (unit smallint, length interval, fewest bigint) LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    VALUES (0::smallint, interval '10 seconds', 4096::bigint), (1, '1 minute', 4096), (2, '10 minutes', 4096), (3, '1 hour', 4096),
           (4, '6 hours', 4096), (5, '24 hours', 4096), (6, '96 hours', 1024), (7, '384 hours', 1024), (8, '1536 hours', 1024),
           (9, '6144 hours', 1024)
$$;

CREATE TABLE rollup_value_passes (
    unit   smallint PRIMARY KEY,
    until  timestamptz NOT NULL,
    device integer NOT NULL DEFAULT -1
) WITH (fillfactor = 50);
COMMENT ON TABLE rollup_value_passes IS 'How far the nodes of each unit are made.';
COMMENT ON COLUMN rollup_value_passes.unit IS 'As in rollup_value_spans.';
COMMENT ON COLUMN rollup_value_passes.until IS 'All before this were,';
COMMENT ON COLUMN rollup_value_passes.device IS 'and of the span that begins there those of devices up to this one; -1: none.';
INSERT INTO rollup_value_passes (unit, until)
SELECT u.unit, date_bin(u.length, s.rolled_until, 'epoch') FROM value_units() u, storage_state s;

CREATE TABLE rollup_value_todo (
    device integer NOT NULL,
    hour   timestamptz NOT NULL,
    PRIMARY KEY (device, hour)
);
COMMENT ON TABLE rollup_value_todo IS 'Hours whose nodes are missing: readings came, or were taken out, long after.';
COMMENT ON COLUMN rollup_value_todo.device IS 'devices.id; 0: all devices together';
COMMENT ON COLUMN rollup_value_todo.hour IS 'The start of the hour, in UTC.';

-- ---- nodes --------------------------------------------------------------------------------------

-- Which multiple of `step`, a power of two, a value lies at or above, as SQL. The division is exact, but an
-- error where its result is too small for a double.
CREATE FUNCTION value_cell_sql(value text, step text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT format('CASE WHEN abs(%1$s) < %2$s THEN CASE WHEN %1$s < 0 THEN -1 ELSE 0 END ELSE floor(%1$s / %2$s) END', value, step)
$$;

-- Where such a cell begins. A value that no node has, or so large that all its neighbours are multiples, too, is its own cell.
CREATE FUNCTION value_cell_low_sql(value text, step text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT format('CASE WHEN abs(%1$s) > 1e300 OR abs(%1$s) >= %2$s AND abs(%1$s) / 9007199254740992 >= %2$s THEN %1$s ELSE (%3$s) * %2$s END',
                  value, step, value_cell_sql(value, step))
$$;

-- The cells of rows v of rollup_values as SQL: `names` of v, low, step, n.
CREATE FUNCTION value_cells_sql(source text, names text DEFAULT '') RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT format('SELECT %2$s CASE WHEN c.step IS NOT NULL THEN (c.base + coalesce(c.cell, c.i)) * c.step'
                  ' WHEN c.scale IS NOT NULL THEN (c.base + coalesce(c.cell, c.i)) / c.scale ELSE c.base END AS low, c.step, coalesce(c.n, c.wide) AS n'
                  ' FROM (SELECT %3$s v.step, v.scale, v.base, generate_series(0, cardinality(coalesce(v.counts::bigint[], v.counts_wide)) - 1) AS i,'
                  ' unnest(v.cells) AS cell, unnest(v.counts)::bigint AS n, unnest(v.counts_wide) AS wide FROM %1$s) c'
                  ' WHERE coalesce(c.n, c.wide) <> 0', source, replace(names, '*.', 'c.'), replace(names, '*.', 'v.'))
$$;

-- Makes a node of values, each once, and of the lows of cells, so many times each (or less so many), the widest of them
-- as wide as `coarsest`. All NULL: of no value. is_refused: of values that are beyond what cells can tell.
CREATE FUNCTION value_node(plain double precision[], lows double precision[], times bigint[], coarsest double precision,
                           OUT is_refused boolean, OUT step double precision, OUT scale double precision, OUT base double precision,
                           OUT cells integer[], OUT counts smallint[], OUT counts_wide bigint[])
LANGUAGE plpgsql IMMUTABLE SET jit = off SET enable_sort = off SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_points CONSTANT integer := 4096;
    -- cells in order, with how many values are in each. Values that are each once are counted: a sum of bigints is a numeric.
    counted CONSTANT text := 'SELECT array_agg(k ORDER BY k), array_agg(n ORDER BY k) FROM (SELECT (%s - $5)::integer AS k, ' || CASE
        WHEN lows IS NULL THEN 'count(*) AS n FROM (SELECT unnest($1) AS v) e GROUP BY 1) c'
        ELSE 'sum(n)::bigint AS n FROM (SELECT unnest($1) AS v, 1 AS n UNION ALL SELECT unnest($2), unnest($3)) e GROUP BY 1 HAVING sum(n) <> 0) c' END;
    many     bigint[];
    are_many boolean;
    lowest   double precision;
    highest  double precision;
BEGIN
    -- where distinct values are too many by far, the first show it
    are_many := lows IS NULL AND cardinality(plain) > most_points
                AND (SELECT count(DISTINCT v) FROM (SELECT unnest(plain[:2 * most_points]) AS v) e) > most_points;
    -- the smallest power of ten whose multiples all are, 1e9: none; see packed_scale_sql() for why that is exact
    SELECT min(v), max(v), max(CASE WHEN NOT are_many AND abs(v) < 1e8 THEN CASE
               WHEN round(v) = v THEN float8 '1' WHEN round(v * 10) / 10 = v THEN 10 WHEN round(v * 100) / 100 = v THEN 100
               WHEN round(v * 1e3) / 1e3 = v THEN 1e3 WHEN round(v * 1e4) / 1e4 = v THEN 1e4 ELSE 1e9 END ELSE 1e9 END)
    INTO lowest, highest, scale FROM (SELECT unnest(plain) AS v UNION ALL SELECT unnest(lows)) e;
    IF lowest IS NULL THEN
        scale := NULL;
        RETURN;
    END IF;
    is_refused := lowest < -1e300 OR highest > 1e300 OR lowest < highest AND highest - lowest < 1e-290;
    IF is_refused THEN
        RETURN;
    END IF;
    IF lowest = highest AND coarsest IS NULL THEN
        scale := NULL;
        base := lowest;
        cells := ARRAY[0];
        many := ARRAY[coalesce(cardinality(plain), 0) + coalesce((SELECT sum(t) FROM unnest(times) t), 0)];
        many := CASE WHEN many[1] <> 0 THEN many ELSE '{}' END;
    ELSIF scale < 1e9 AND coarsest IS NULL AND (highest - lowest) * scale < 2e9 THEN
        base := round(lowest * scale);
        EXECUTE format(counted, 'round(v * $4)') INTO cells, many USING plain, lows, times, scale, base;
        IF cardinality(cells) > most_points THEN
            cells := NULL;
        END IF;
    END IF;
    IF cells IS NULL THEN
        scale := NULL;
        step := greatest(CASE WHEN lowest < highest THEN power(2, floor(ln(highest - lowest) / ln(2::float8)) - 10) END, coarsest);
        EXECUTE format('SELECT %s', value_cell_sql('$1', '$2')) INTO base USING lowest, step;
        EXECUTE format(counted, value_cell_sql('v', '$4')) INTO cells, many USING plain, lows, times, step, base;
    END IF;
    IF cells[cardinality(cells)] < 2 * cardinality(cells) THEN -- then zeros between take less than the places of the rest
        SELECT array_agg(coalesce(n, 0) ORDER BY i) INTO many
        FROM generate_series(0, cells[cardinality(cells)]) i LEFT JOIN unnest(cells, many) AS found (k, n) ON k = i;
        cells := NULL;
    END IF;
    IF (SELECT max(n) FROM unnest(many) n) <= 32767 THEN
        counts := many;
    ELSE
        counts_wide := many;
    END IF;
END $$;

-- Makes the nodes of a unit from one moment to another that are not there, of some devices, or of all devices together ({0}).
-- Returns how many. Only of spans that are rolled up, and under the lock 'highwater rollup'; or recent nodes, with all that is stored.
CREATE FUNCTION values_build(of_unit smallint, starts timestamptz, ends timestamptz, of_devices integer[], is_recent boolean DEFAULT false) RETURNS bigint
LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET max_parallel_workers_per_gather = 0 SET enable_seqscan = off
SET default_toast_compression = 'lz4' SET search_path FROM CURRENT AS $$
DECLARE
    u        record;
    below    interval := (SELECT coalesce((SELECT length FROM value_units() WHERE unit = of_unit - 1), length) FROM value_units() WHERE unit = of_unit);
    arrays   text;
    features text;
    built    bigint;
BEGIN
    PERFORM readings_settle();
    SELECT * INTO u FROM value_units() WHERE unit = of_unit;
    SELECT string_agg(format(', array_agg(r.%I) FILTER (WHERE r.%1$I IS NOT NULL) AS v%s', f, n), ''),
           string_agg(format('(%L, raw.v%s)', f, n), ', ')
    INTO arrays, features FROM features_of('readings') WITH ORDINALITY AS feature (f, n);
    IF features IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format($sql$
        WITH wanted AS MATERIALIZED (
            SELECT d AS device, b AS bucket FROM unnest($1) d, generate_series(%1$L::timestamptz, %2$L::timestamptz - %3$L::interval, %3$L) b
            WHERE NOT EXISTS (SELECT FROM rollup_value_spans s WHERE s.device = d AND s.unit = %4$s AND s.bucket = b)),
        missing AS MATERIALIZED (
            SELECT w.device, w.bucket, m AS from_at, m + %5$L::interval AS until_at
            FROM wanted w, generate_series(w.bucket, w.bucket + %3$L::interval - %5$L::interval, %5$L) m
            WHERE NOT EXISTS (SELECT FROM rollup_value_spans s WHERE s.device = w.device AND s.unit = %4$s - 1 AND s.bucket = m)),
        found AS MATERIALIZED (
            SELECT w.device, w.bucket, f.feature, raw.readings + below.readings AS readings, node.*
            FROM wanted w
            CROSS JOIN LATERAL (
                SELECT count(*) AS readings %6$s
                FROM missing m CROSS JOIN LATERAL (
                    SELECT * FROM %12$s r WHERE %7$s r.recorded_at >= m.from_at AND r.recorded_at < m.until_at
                    AND r.recorded_at >= %1$L AND r.recorded_at < %2$L OFFSET 0) r
                WHERE m.device = w.device AND m.bucket = w.bucket) raw
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(s.readings), 0) AS readings FROM rollup_value_spans s
                WHERE s.device = w.device AND s.unit = %4$s - 1 AND s.bucket >= w.bucket AND s.bucket < w.bucket + %3$L::interval) below
            CROSS JOIN LATERAL (VALUES %8$s) f (feature, plain)
            CROSS JOIN LATERAL (
                SELECT array_agg(c.low) AS lows, array_agg(c.n) AS times, max(c.step) AS coarsest
                FROM (%9$s%11$s) c) cell
            CROSS JOIN LATERAL value_node(f.plain, cell.lows, cell.times, cell.coarsest) node
            WHERE raw.readings + below.readings >= %10$s),
        spans AS (
            INSERT INTO rollup_value_spans (device, unit, bucket, readings)
            SELECT device, %4$s, bucket, max(readings) FROM found GROUP BY device, bucket HAVING bool_or(is_refused) IS NOT TRUE
            RETURNING device, bucket),
        built AS (
            INSERT INTO rollup_values (device, unit, bucket, step, scale, base, feature, cells, counts, counts_wide)
            SELECT device, %4$s, bucket, step, scale, base, feature, cells, counts, counts_wide
            FROM found JOIN spans USING (device, bucket) WHERE base IS NOT NULL AND cardinality(coalesce(counts::bigint[], counts_wide)) > 0)
        SELECT count(*) FROM spans$sql$,
        starts, ends, u.length, of_unit, below, arrays, CASE WHEN of_devices = '{0}' THEN '' ELSE 'r.device = w.device AND' END, features,
        value_cells_sql(format('rollup_values v WHERE v.device = w.device AND v.feature = f.feature AND v.unit = %s - 1'
                               ' AND v.bucket >= w.bucket AND v.bucket < w.bucket + %L::interval', of_unit, u.length)), u.fewest,
        CASE WHEN NOT is_recent THEN
            ' UNION ALL SELECT l.value, NULL, -1 FROM missing m JOIN rollup_late_values l ON l.device = w.device AND l.feature = f.feature'
            ' AND l.recorded_at >= m.from_at AND l.recorded_at < m.until_at WHERE m.device = w.device AND m.bucket = w.bucket' END,
        readings_source(starts, ends, CASE WHEN of_devices <> '{0}' THEN 'w.device' END, ARRAY(SELECT features_of('readings')),
                        'm.from_at', 'm.until_at'))
    INTO built USING of_devices;
    RETURN built;
END $$;
COMMENT ON FUNCTION values_build(smallint, timestamptz, timestamptz, integer[], boolean) IS 'Used by values_pass().';

-- ---- questions ----------------------------------------------------------------------------------

-- The fewest nodes in [starts, ends) of a device (0: of all), and what of it they leave; `recent` is what recent nodes hold.
CREATE FUNCTION value_cover(of_device integer, starts timestamptz, ends timestamptz,
                            OUT units smallint[], OUT buckets timestamptz[], OUT rest tstzmultirange, OUT recent tstzmultirange)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    u     record;
    found timestamptz[];
BEGIN
    rest := CASE WHEN starts < ends THEN tstzmultirange(tstzrange(starts, ends)) ELSE '{}' END;
    recent := '{}';
    units := '{}';
    buckets := '{}';
    FOR u IN SELECT v.unit, v.length, CASE WHEN of_device = 0 AND v.unit < 2 THEN p.until ELSE 'infinity' END AS until
             FROM value_units() v JOIN rollup_value_passes p USING (unit) ORDER BY v.unit DESC LOOP
        SELECT array_agg(s.bucket) INTO found FROM unnest(rest) r JOIN rollup_value_spans s
        ON s.device = of_device AND s.unit = u.unit AND s.bucket >= lower(r) AND s.bucket <= upper(r) - u.length AND s.bucket < u.until;
        IF u.until < upper(rest) THEN
            SELECT found || array_agg(n.bucket), recent + coalesce(range_agg(tstzrange(n.bucket, n.bucket + u.length)), '{}') INTO found, recent
            FROM values_recent_state(u.unit, u.until) n JOIN unnest(rest) r ON n.bucket >= lower(r) AND n.bucket <= upper(r) - u.length
            WHERE n.is_whole;
        END IF;
        CONTINUE WHEN found IS NULL;
        units := units || array_fill(u.unit, ARRAY[cardinality(found)]);
        buckets := buckets || found;
        rest := rest - (SELECT range_agg(tstzrange(b, b + u.length)) FROM unnest(found) b);
    END LOOP;
END $$;

-- Spans of the fleet since a moment: how many readings they have, and whether there is a node with all of them (NULL: none at all).
CREATE FUNCTION values_recent_state(of_unit smallint, since timestamptz) RETURNS TABLE (bucket timestamptz, readings bigint, is_whole boolean)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT f.bucket, f.readings, s.readings = f.readings
    FROM (SELECT date_bin(u.length, t.bucket, 'epoch') AS bucket, sum(t.readings)::bigint AS readings
          FROM value_units() u, (SELECT l.bucket, l.readings FROM rollup_fleet l WHERE l.bucket >= since
                                 UNION ALL SELECT l.bucket, l.readings FROM rollup_fleet_log l WHERE l.bucket >= since) t
          WHERE u.unit = of_unit GROUP BY 1) f
    LEFT JOIN rollup_value_spans s ON s.device = 0 AND s.unit = of_unit AND s.bucket = f.bucket
$$;

-- The values of a feature in each of some spans, out of readings, as SQL.
CREATE FUNCTION value_readings_sql(of_device integer, feature text, spans tstzmultirange) RETURNS SETOF text
LANGUAGE sql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
    SELECT format('SELECT r.%I AS value FROM %s r WHERE%s r.recorded_at >= %L AND r.recorded_at < %L AND r.%1$I IS NOT NULL', feature,
                  readings_source(lower(s), upper(s), CASE WHEN of_device > 0 THEN of_device::text END, ARRAY[feature]),
                  CASE WHEN of_device > 0 THEN format(' r.device = %s AND', of_device) ELSE '' END, lower(s), upper(s))
    FROM unnest(spans) s ORDER BY s DESC
$$;

-- The values of a feature in [starts, ends) as SQL: low, step, n, as value_cells_sql() has them; of nodes $1 (units), $2 (buckets).
-- Readings r are put together by `raw_low`, or, if that is NULL, stand for themselves.
CREATE FUNCTION value_sources_sql(of_device integer, feature text, starts timestamptz, ends timestamptz, rest tstzmultirange,
                                  recent tstzmultirange, raw_low text)
RETURNS text LANGUAGE sql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
    SELECT value_cells_sql(format('unnest($1, $2) AS node (unit, bucket) JOIN rollup_values v ON v.device = %s AND v.feature = %L'
                                  ' AND v.unit = node.unit AND v.bucket = node.bucket', of_device, feature))
           || format(' UNION ALL SELECT l.value, NULL, 1 FROM rollup_late_values l WHERE l.device = %s AND l.feature = %L'
                     ' AND l.recorded_at >= %L AND l.recorded_at < %L AND NOT %L::tstzmultirange @> l.recorded_at', of_device, feature, starts, ends, rest + recent)
           || coalesce(' UNION ALL SELECT ' || coalesce(raw_low || ', NULL, count(*)', 'r.value, NULL, 1') || ' FROM ('
                       || (SELECT string_agg(raw, ' UNION ALL ') FROM value_readings_sql(of_device, feature, rest) raw) || ') r'
                       || CASE WHEN raw_low IS NULL THEN '' ELSE ' GROUP BY 1' END, '')
$$;

-- Bins between the lowest and the highest value of the readings that are still kept, of equal width, and quantiles. The edges
-- come out of the rollups. Where a node's cells are wider than a value, edges lie where cells begin.
CREATE FUNCTION value_distribution(of_device text, feature text, bins integer, quantiles double precision[],
                                   starts timestamptz DEFAULT '-infinity', ends timestamptz DEFAULT 'infinity')
RETURNS TABLE (bin integer, quantile double precision, low double precision, high double precision, readings bigint)
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET jit = off SET work_mem = '32MB' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    of_id     integer := CASE WHEN of_device IS NULL THEN 0 ELSE (SELECT id FROM devices WHERE device_id = of_device) END;
    state     storage_state;
    kept_from timestamptz;
    whose     text := CASE WHEN of_id = 0 THEN '' ELSE format(' AND device = %s', of_id) END;
    lowest    double precision;
    highest   double precision;
    edges     double precision[];
    inner_edges double precision[];
    many      bigint;
    most_raw  CONSTANT bigint := 20000; -- that stand for themselves
    cover     record;
    is_varied boolean;
    step      double precision;
    is_merged boolean;
BEGIN
    IF of_id IS NULL OR starts >= ends THEN
        RETURN;
    END IF;
    SELECT * INTO state FROM storage_state;
    kept_from := greatest(starts, state.kept_from);
    SELECT s.lowest, s.highest, s.readings INTO lowest, highest, many FROM feature_summary(of_id, feature, kept_from, ends) s;
    IF starts < kept_from THEN -- what came after its partition was dropped
        EXECUTE format('SELECT least($1, min(%1$I)), greatest($2, max(%1$I)) FROM readings
                        WHERE recorded_at >= %2$L AND recorded_at < %3$L', feature, starts, least(kept_from, ends)) || whose
        INTO lowest, highest USING lowest, highest;
    END IF;
    IF lowest IS NULL THEN
        RETURN;
    END IF;
    SELECT * INTO cover FROM value_cover(of_id, kept_from, ends);
    -- no partition is looked into from before there was anything; a node may begin before that
    cover.rest := cover.rest * tstzmultirange(tstzrange(least(date_bin('1 hour', state.rolled_until, 'epoch'),
        (SELECT min(bucket) FROM rollup_hours h WHERE h.device = of_id), (SELECT min(x.starts_at) FROM rollup_hour_chunks x WHERE of_id = ANY (x.devices) AND x.device_group = of_id >> 4),
        (SELECT min(bucket) FROM rollup_late l WHERE l.device = of_id),
        (SELECT min(bucket) FROM rollup_fleet_log WHERE of_id = 0)), NULL));
    IF starts < state.kept_from THEN
        cover.rest := cover.rest + tstzmultirange(tstzrange(starts, least(state.kept_from, ends)));
    END IF;
    SELECT max(v.step) INTO step FROM unnest(cover.units, cover.buckets) AS node (unit, bucket)
    JOIN rollup_values v ON v.device = of_id AND v.feature = value_distribution.feature AND v.unit = node.unit AND v.bucket = node.bucket;
    is_merged := cardinality(cover.units) > 0 OR many > most_raw;
    IF cardinality(cover.units) = 0 AND is_merged AND lowest > -1e300 AND highest < 1e300 AND highest - lowest > 1e-290 THEN
        -- as a node's would be, if they do not repeat: the first of them say so
        EXECUTE 'SELECT count(DISTINCT s.value) > 1500 FROM (SELECT r.value FROM ('
                || (SELECT string_agg(s, ' UNION ALL ') FROM value_readings_sql(of_id, feature, cover.rest) s) || ') r LIMIT 2000) s' INTO is_varied;
        step := CASE WHEN is_varied THEN power(2, floor(ln(highest - lowest) / ln(2::float8)) - 10) END;
    END IF;
    edges := CASE WHEN lowest = highest THEN ARRAY[lowest, highest] ELSE histogram_edges(lowest, highest, greatest(bins, 1)) END;
    IF step IS NOT NULL THEN
        EXECUTE format('SELECT array_agg(DISTINCT s.low ORDER BY s.low) FROM (SELECT %s AS low FROM (
                            SELECT CASE WHEN e > 1e300 THEN e ELSE e + $2 / 2 END AS low FROM unnest($1) e) s) s WHERE s.low > $3 AND s.low < $4',
                       value_cell_low_sql('s.low', '$2')) INTO inner_edges USING edges[2:cardinality(edges) - 1], step, lowest, highest;
        edges := lowest || inner_edges || highest;
    END IF;
    bins := cardinality(edges) - 1;
    RETURN QUERY EXECUTE format(
        'WITH merged AS MATERIALIZED (SELECT %s FROM (%s) s%s),
         running AS MATERIALIZED (SELECT m.low, sum(m.n) OVER (ORDER BY m.low) AS upto, (SELECT sum(n) FROM merged) AS total
                                  FROM merged m WHERE cardinality($6) > 0)
         SELECT i, NULL::float8, $3[i + 1], $3[i + 2], coalesce(b.n, 0)::bigint FROM generate_series(0, $4 - 1) i
         LEFT JOIN (SELECT width_bucket(m.low, $5) AS at, sum(m.n) AS n FROM merged m GROUP BY 1) b ON b.at = i
         UNION ALL SELECT NULL, q, r.low, r.high, NULL FROM unnest($6) q
         CROSS JOIN LATERAL (SELECT greatest(r.low, $7) AS low, CASE WHEN $9 IS NULL OR r.low > 1e300 THEN r.low ELSE least(r.low + $9, $8) END AS high FROM running r
                             WHERE r.upto >= least(greatest(ceil(q::numeric * r.total), 1), r.total) ORDER BY r.low LIMIT 1) r
         ORDER BY 1, 2',
        -- the readings of a short span are not put together: most of their values stand for themselves
        CASE WHEN is_merged THEN concat(CASE WHEN step IS NULL THEN 's.low' ELSE value_cell_low_sql('s.low', '$9') END, ' AS low, sum(s.n)::bigint AS n')
             ELSE 's.low, s.n' END,
        value_sources_sql(of_id, feature, starts, ends, cover.rest, cover.recent,
                          CASE WHEN NOT is_merged THEN NULL WHEN step IS NULL THEN 'r.value' ELSE value_cell_low_sql('r.value', '$9') END),
        CASE WHEN is_merged THEN ' GROUP BY 1' END)
    USING cover.units, cover.buckets, edges, bins, CASE WHEN bins > 1 THEN edges[2:bins] ELSE ARRAY['Infinity'::double precision] END,
          quantiles, lowest, highest, step;
END $$;
COMMENT ON FUNCTION value_distribution(text, text, integer, double precision[], timestamptz, timestamptz) IS 'How many readings of a device (NULL: of all), from `starts` until before `ends`, have a value in each of `bins` bins, as value_histogram(); and for each of `quantiles` (0 to 1) a row with the bounds of the smallest value that so much of all values does not exceed.';

CREATE FUNCTION value_histogram(of_device text, feature text, bins integer,
                                starts timestamptz DEFAULT '-infinity', ends timestamptz DEFAULT 'infinity')
RETURNS TABLE (bin integer, low double precision, high double precision, readings bigint)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT d.bin, d.low, d.high, d.readings FROM value_distribution(of_device, feature, bins, '{}', starts, ends) d ORDER BY d.bin
$$;
COMMENT ON FUNCTION value_histogram(text, text, integer, timestamptz, timestamptz) IS 'How many readings of a device (NULL: of all), from `starts` until before `ends`, have a value in each of `bins` bins of equal width, the last with its upper edge. Where values do not repeat edges move by up to a 2,048th of what they span. Fewer bins where there are not so many doubles between the edges, one when all values are equal; no rows when there is none.';
