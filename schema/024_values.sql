-- 024_values: how values are distributed, over any span, without a look at each reading.
--
-- A *node* is what a device's readings of one span (ten seconds ... 256 days) have for values: per feature,
-- cells with how many fell into each. A question about a span takes the fewest nodes that lie in it, and the
-- readings themselves where there are none: at its ends, and since storage_state.rolled_until.
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
LANGUAGE plpgsql IMMUTABLE SET jit = off SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_points CONSTANT integer := 4096;
    many    bigint[];
    lowest  double precision;
    highest double precision;
BEGIN
    -- the smallest power of ten whose multiples all are, 1e9: none; see packed_scale_sql() for why that is exact
    SELECT min(v), max(v), max(CASE WHEN abs(v) < 1e8 THEN CASE
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
        SELECT array_agg(k ORDER BY k), array_agg(n ORDER BY k) INTO cells, many
        FROM (SELECT (round(v * scale) - base)::integer AS k, sum(n)::bigint AS n
              FROM (SELECT unnest(plain) AS v, 1 AS n UNION ALL SELECT unnest(lows), unnest(times)) e GROUP BY 1 HAVING sum(n) <> 0) e;
        IF cardinality(cells) > most_points THEN
            plain := NULL;
            SELECT array_agg((base + k) / scale ORDER BY k) INTO lows FROM unnest(cells) k;
            times := many;
            cells := NULL;
        END IF;
    END IF;
    IF cells IS NULL THEN
        scale := NULL;
        step := greatest(CASE WHEN lowest < highest THEN power(2, floor(ln(highest - lowest) / ln(2::float8)) - 10) END, coarsest);
        EXECUTE format('SELECT %s', value_cell_sql('$1', '$2')) INTO base USING lowest, step;
        SELECT array_agg(k ORDER BY k), array_agg(n ORDER BY k) INTO cells, many
        FROM (SELECT (CASE WHEN abs(v) < step THEN CASE WHEN v < 0 THEN -1 ELSE 0 END ELSE floor(v / step) END - base)::integer AS k,
                     sum(n)::bigint AS n
              FROM (SELECT unnest(plain) AS v, 1 AS n UNION ALL SELECT unnest(lows), unnest(times)) e GROUP BY 1 HAVING sum(n) <> 0) e;
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
-- Returns how many. Only of spans that are rolled up, and under the lock 'highwater rollup'.
CREATE FUNCTION values_build(of_unit smallint, starts timestamptz, ends timestamptz, of_devices integer[]) RETURNS bigint
LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET max_parallel_workers_per_gather = 0 SET enable_seqscan = off
SET default_toast_compression = 'lz4' SET search_path FROM CURRENT AS $$
DECLARE
    u        record;
    below    interval := (SELECT coalesce((SELECT length FROM value_units() WHERE unit = of_unit - 1), length) FROM value_units() WHERE unit = of_unit);
    arrays   text;
    features text;
    built    bigint;
BEGIN
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
                    SELECT * FROM readings r WHERE %7$s r.recorded_at >= m.from_at AND r.recorded_at < m.until_at
                    AND r.recorded_at >= %1$L AND r.recorded_at < %2$L OFFSET 0) r
                WHERE m.device = w.device AND m.bucket = w.bucket) raw
            CROSS JOIN LATERAL (
                SELECT coalesce(sum(s.readings), 0) AS readings FROM rollup_value_spans s
                WHERE s.device = w.device AND s.unit = %4$s - 1 AND s.bucket >= w.bucket AND s.bucket < w.bucket + %3$L::interval) below
            CROSS JOIN LATERAL (VALUES %8$s) f (feature, plain)
            CROSS JOIN LATERAL (
                SELECT array_agg(c.low) AS lows, array_agg(c.n) AS times, max(c.step) AS coarsest
                FROM (%9$s UNION ALL
                      SELECT l.value, NULL, -1 FROM missing m JOIN rollup_late_values l ON l.device = w.device AND l.feature = f.feature
                      AND l.recorded_at >= m.from_at AND l.recorded_at < m.until_at WHERE m.device = w.device AND m.bucket = w.bucket) c) cell
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
                               ' AND v.bucket >= w.bucket AND v.bucket < w.bucket + %L::interval', of_unit, u.length)), u.fewest)
    INTO built USING of_devices;
    RETURN built;
END $$;
COMMENT ON FUNCTION values_build(smallint, timestamptz, timestamptz, integer[]) IS 'Used by values_pass().';

-- ---- questions ----------------------------------------------------------------------------------

-- The fewest nodes in [starts, ends) of a device (0: of all), and what of it they leave.
CREATE FUNCTION value_cover(of_device integer, starts timestamptz, ends timestamptz,
                            OUT units smallint[], OUT buckets timestamptz[], OUT rest tstzmultirange)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    u     record;
    found timestamptz[];
BEGIN
    rest := CASE WHEN starts < ends THEN tstzmultirange(tstzrange(starts, ends)) ELSE '{}' END;
    units := '{}';
    buckets := '{}';
    FOR u IN SELECT unit, length FROM value_units() ORDER BY unit DESC LOOP
        SELECT array_agg(s.bucket) INTO found FROM unnest(rest) r JOIN rollup_value_spans s
        ON s.device = of_device AND s.unit = u.unit AND s.bucket >= lower(r) AND s.bucket <= upper(r) - u.length;
        CONTINUE WHEN found IS NULL;
        units := units || array_fill(u.unit, ARRAY[cardinality(found)]);
        buckets := buckets || found;
        rest := rest - (SELECT range_agg(tstzrange(b, b + u.length)) FROM unnest(found) b);
    END LOOP;
END $$;

-- The values of a feature in [starts, ends) as SQL: low, step, n, as value_cells_sql() has them; of nodes $1 (units), $2 (buckets).
CREATE FUNCTION value_sources_sql(of_device integer, feature text, starts timestamptz, ends timestamptz, rest tstzmultirange)
RETURNS text LANGUAGE sql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
    SELECT value_cells_sql(format('unnest($1, $2) AS node (unit, bucket) JOIN rollup_values v ON v.device = %s AND v.feature = %L'
                                  ' AND v.unit = node.unit AND v.bucket = node.bucket', of_device, feature))
           || format(' UNION ALL SELECT l.value, NULL, 1 FROM rollup_late_values l WHERE l.device = %s AND l.feature = %L'
                     ' AND l.recorded_at >= %L AND l.recorded_at < %L AND NOT %L::tstzmultirange @> l.recorded_at', of_device, feature, starts, ends, rest)
           || coalesce(string_agg(format(' UNION ALL SELECT r.%I, NULL, 1 FROM readings r WHERE%s r.recorded_at >= %L AND r.recorded_at < %L AND r.%1$I IS NOT NULL',
                                         feature, CASE WHEN of_device = 0 THEN '' ELSE format(' r.device = %s AND', of_device) END,
                                         lower(r), upper(r)), ''), '')
    FROM unnest(rest) r
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
    cover     record;
    step      double precision;
    cell_low  text := 's.low';
BEGIN
    IF of_id IS NULL OR starts >= ends THEN
        RETURN;
    END IF;
    SELECT * INTO state FROM storage_state;
    kept_from := greatest(starts, state.kept_from);
    SELECT s.lowest, s.highest INTO lowest, highest FROM feature_summary(of_id, feature, kept_from, ends) s;
    IF starts < kept_from THEN -- what came after its partition was dropped
        EXECUTE format('SELECT least($1, min(%1$I)), greatest($2, max(%1$I)) FROM readings
                        WHERE recorded_at >= %2$L AND recorded_at < %3$L', feature, starts, least(kept_from, ends)) || whose
        INTO lowest, highest USING lowest, highest;
    END IF;
    IF lowest IS NULL THEN
        RETURN;
    END IF;
    -- no partition is looked into from before there was anything
    kept_from := greatest(kept_from, least(date_bin('1 hour', state.rolled_until, 'epoch'),
        (SELECT min(bucket) FROM rollup_hours h WHERE h.device = of_id), (SELECT min(bucket) FROM rollup_late l WHERE l.device = of_id),
        (SELECT min(bucket) FROM rollup_fleet_log WHERE of_id = 0)));
    SELECT * INTO cover FROM value_cover(of_id, kept_from, ends);
    IF starts < state.kept_from THEN
        cover.rest := cover.rest + tstzmultirange(tstzrange(starts, least(state.kept_from, ends)));
    END IF;
    SELECT max(v.step) INTO step FROM unnest(cover.units, cover.buckets) AS node (unit, bucket)
    JOIN rollup_values v ON v.device = of_id AND v.feature = value_distribution.feature AND v.unit = node.unit AND v.bucket = node.bucket;
    edges := CASE WHEN lowest = highest THEN ARRAY[lowest, highest] ELSE histogram_edges(lowest, highest, greatest(bins, 1)) END;
    IF step IS NOT NULL THEN
        EXECUTE format('SELECT array_agg(DISTINCT s.low ORDER BY s.low) FROM (SELECT %s AS low FROM (
                            SELECT CASE WHEN e > 1e300 THEN e ELSE e + $2 / 2 END AS low FROM unnest($1) e) s) s WHERE s.low > $3 AND s.low < $4',
                       value_cell_low_sql('s.low', '$2')) INTO inner_edges USING edges[2:cardinality(edges) - 1], step, lowest, highest;
        edges := lowest || inner_edges || highest;
        cell_low := value_cell_low_sql('s.low', '$9');
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
        CASE WHEN cardinality(cover.units) = 0 THEN 's.low, s.n' ELSE cell_low || ' AS low, sum(s.n)::bigint AS n' END,
        value_sources_sql(of_id, feature, starts, ends, cover.rest), CASE WHEN cardinality(cover.units) > 0 THEN ' GROUP BY 1' END)
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

-- ---- keeping up, by one collector at a time -----------------------------------------------------

-- Makes some of the nodes that are due: one slice. True: there is more.
CREATE FUNCTION values_pass() RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_rows CONSTANT bigint := 150000; -- of devices, in one slice
    state   storage_state;
    u       record;
    starts  timestamptz;
    ends    timestamptz;
    devices integer[];
    at      timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO state FROM storage_state;
    UPDATE rollup_value_passes p SET until = date_bin(v.length, state.kept_from, 'epoch'), device = -1
    FROM value_units() v WHERE v.unit = p.unit AND p.until < date_bin(v.length, state.kept_from, 'epoch');
    SELECT v.unit, v.length, v.fewest, p.until, p.device, coalesce(up.length, v.length) AS longer INTO u
    FROM rollup_value_passes p JOIN value_units() v USING (unit) LEFT JOIN value_units() up ON up.unit = v.unit + 1
    WHERE p.until + v.length <= state.rolled_until ORDER BY unit LIMIT 1;
    IF u.unit IS NULL THEN
        RETURN values_catch_up();
    ELSIF u.unit < 3 THEN
        -- nobody has sent more than all have
        ends := least(date_bin(u.length, state.rolled_until, 'epoch'), u.until + interval '24 hours');
        SELECT min(b.bucket) INTO starts FROM (
            SELECT date_bin(u.length, f.bucket, 'epoch') AS bucket FROM rollup_fleet f WHERE f.bucket >= u.until AND f.bucket < ends
            GROUP BY 1 HAVING sum(f.readings) >= u.fewest) b;
        IF starts IS NULL THEN
            UPDATE rollup_value_passes SET until = ends WHERE unit = u.unit;
            RETURN true;
        END IF;
        ends := least(ends, date_bin(u.longer, starts, 'epoch') + u.longer);
        PERFORM values_build(u.unit, starts, ends, '{0}');
        at := date_bin('1 hour', starts, 'epoch');
        SELECT array_agg(h.device) INTO devices
        FROM (SELECT h.device, h.readings FROM rollup_hours h WHERE h.bucket = at AND h.device > 0
              UNION ALL SELECT o.device, o.readings FROM rollup_open o WHERE o.unit = 'hour' AND o.bucket = at) h
        WHERE h.readings * extract(epoch FROM u.length) >= u.fewest * extract(epoch FROM least(state.rolled_until, at + interval '1 hour') - at);
        PERFORM values_build(u.unit, starts, ends, devices) WHERE devices IS NOT NULL;
        UPDATE rollup_value_passes SET until = ends WHERE unit = u.unit;
    ELSIF u.device < 0 THEN
        PERFORM values_build(u.unit, u.until, u.until + u.length, '{0}');
        UPDATE rollup_value_passes SET device = 0 WHERE unit = u.unit;
    ELSE
        SELECT array_agg(d.id ORDER BY d.id) INTO devices
        FROM (SELECT d.id, sum(least(n.readings, 25000)) OVER (ORDER BY d.id) - least(n.readings, 25000) AS before
              FROM (SELECT id FROM devices WHERE id > u.device ORDER BY id LIMIT 200) d
              CROSS JOIN LATERAL value_readings(d.id, u.until, u.until + u.length) n (readings)) d
        WHERE before < most_rows;
        IF devices IS NULL THEN
            UPDATE rollup_value_passes SET until = u.until + u.length, device = -1 WHERE unit = u.unit;
        ELSE
            PERFORM values_build(u.unit, u.until, u.until + u.length, many) FROM (
                SELECT array_agg(d) AS many FROM unnest(devices) d WHERE value_readings(d, u.until, u.until + u.length) >= u.fewest) m
            WHERE many IS NOT NULL;
            UPDATE rollup_value_passes SET device = devices[cardinality(devices)] WHERE unit = u.unit;
        END IF;
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION values_pass() IS 'For the collector that looks after storage: makes some of what rollup_values lacks. True: there is more.';

-- How many readings of a device the rollups have of whole hours, or days.
CREATE FUNCTION value_readings(of_device integer, starts timestamptz, ends timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF ends - starts < interval '24 hours' THEN
        RETURN (SELECT coalesce(sum(h.readings), 0) FROM rollup_hours h WHERE h.device = of_device AND h.bucket >= starts AND h.bucket < ends);
    END IF;
    RETURN (SELECT coalesce(sum(d.readings), 0) FROM rollup_days d WHERE d.device = of_device AND d.bucket >= starts AND d.bucket < ends);
END $$;

-- Makes what is missing of one of the hours in rollup_value_todo, and of the spans around it once there is no other in them.
CREATE FUNCTION values_catch_up() RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    missing rollup_value_todo;
    starts  timestamptz;
    u       record;
    n       bigint;
BEGIN
    DELETE FROM rollup_value_todo WHERE (device, hour) = (SELECT device, hour FROM rollup_value_todo ORDER BY device, hour LIMIT 1)
    RETURNING * INTO missing;
    IF missing IS NULL THEN
        RETURN false;
    END IF;
    n := value_readings(missing.device, missing.hour, missing.hour + interval '1 hour');
    FOR u IN SELECT v.unit, v.length, v.fewest, p.until FROM value_units() v JOIN rollup_value_passes p USING (unit) ORDER BY v.unit LOOP
        starts := date_bin(u.length, missing.hour, 'epoch');
        IF u.unit < 3 THEN
            PERFORM values_build(u.unit, starts, least(starts + interval '1 hour', u.until), ARRAY[missing.device])
            WHERE n * extract(epoch FROM u.length) >= u.fewest * 3600 AND starts < u.until;
        ELSE
            EXIT WHEN starts + u.length > u.until OR EXISTS (
                SELECT FROM rollup_value_todo t WHERE t.device = missing.device AND t.hour >= starts AND t.hour < starts + u.length);
            PERFORM values_build(u.unit, starts, starts + u.length, ARRAY[missing.device])
            WHERE value_readings(missing.device, starts, starts + u.length) >= u.fewest;
        END IF;
    END LOOP;
    RETURN true;
END $$;

-- Takes the late values of one device, or of all together, that has at least so many, into its nodes. Returns how many they were.
CREATE FUNCTION values_fold_late(least_rows integer) RETURNS bigint
LANGUAGE plpgsql SET jit = off SET default_toast_compression = 'lz4' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_rows CONSTANT integer := 200000;
    of_device integer;
    folded    bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT l.device INTO of_device FROM rollup_late_values l GROUP BY l.device HAVING count(*) >= least_rows ORDER BY count(*) DESC LIMIT 1;
    IF of_device IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format($sql$
        WITH gone AS (
            DELETE FROM rollup_late_values WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM rollup_late_values WHERE device = $1 LIMIT %1$s)) RETURNING *),
        late AS MATERIALIZED (
            SELECT s.unit, s.bucket, g.feature, array_agg(g.value) AS plain
            FROM gone g CROSS JOIN value_units() u JOIN rollup_value_spans s
            ON s.device = $1 AND s.unit = u.unit AND s.bucket = date_bin(u.length, g.recorded_at, 'epoch') GROUP BY 1, 2, 3),
        node AS MATERIALIZED (
            SELECT l.unit, l.bucket, l.feature, n.* FROM late l
            CROSS JOIN LATERAL (SELECT array_agg(c.low) AS lows, array_agg(c.n) AS times, max(c.step) AS coarsest FROM (%2$s) c) cell
            CROSS JOIN LATERAL value_node(l.plain, cell.lows, cell.times, cell.coarsest) n),
        refused AS MATERIALIZED (SELECT DISTINCT unit, bucket FROM node WHERE is_refused),
        no_spans AS (DELETE FROM rollup_value_spans s USING refused x WHERE s.device = $1 AND s.unit = x.unit AND s.bucket = x.bucket),
        no_nodes AS (DELETE FROM rollup_values v USING refused x WHERE v.device = $1 AND v.unit = x.unit AND v.bucket = x.bucket),
        folded AS (
            INSERT INTO rollup_values AS t (device, unit, bucket, step, scale, base, feature, cells, counts, counts_wide)
            SELECT $1, n.unit, n.bucket, n.step, n.scale, n.base, n.feature, n.cells, n.counts, n.counts_wide FROM node n
            WHERE NOT EXISTS (SELECT FROM refused x WHERE x.unit = n.unit AND x.bucket = n.bucket)
            ON CONFLICT (device, feature, unit, bucket) DO UPDATE SET (step, scale, base, cells, counts, counts_wide)
                = ROW (excluded.step, excluded.scale, excluded.base, excluded.cells, excluded.counts, excluded.counts_wide))
        SELECT count(*) FROM gone$sql$, most_rows,
        value_cells_sql('rollup_values v WHERE v.device = $1 AND v.feature = l.feature AND v.unit = l.unit AND v.bucket = l.bucket'))
    INTO folded USING of_device;
    RETURN folded;
END $$;
COMMENT ON FUNCTION values_fold_late(integer) IS 'For the collector that looks after storage: folds late values into nodes. Returns how many.';

-- Hours whose readings came, after the nodes of their time were made, where none was: to be made.
CREATE FUNCTION values_missing(of_devices integer[], of_hours timestamptz[]) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO rollup_value_todo
    SELECT w.device, w.hour FROM (
        SELECT DISTINCT d.device, h.hour FROM unnest(of_devices, of_hours) AS h (device, hour)
        CROSS JOIN LATERAL (VALUES (0), (h.device)) d (device)
        WHERE h.hour < (SELECT p.until FROM rollup_value_passes p WHERE p.unit = 5) AND h.hour >= (SELECT s.kept_from FROM storage_state s)) w
    WHERE NOT EXISTS (SELECT FROM value_units() u JOIN rollup_value_spans s
                      ON s.device = w.device AND s.unit = u.unit AND s.bucket = date_bin(u.length, w.hour, 'epoch'))
    ON CONFLICT DO NOTHING
$$;

-- Of a removal, while everybody who stores is shut out: takes away the nodes of what the table `removed` names.
CREATE FUNCTION values_remove(of_device integer) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    u record;
BEGIN
    DELETE FROM rollup_late_values l WHERE l.device IN (0, of_device) AND l.recorded_at IN (SELECT recorded_at FROM removed);
    FOR u IN SELECT unit, length FROM value_units() LOOP
        CREATE TEMP TABLE removed_nodes ON COMMIT DROP AS
            SELECT DISTINCT date_bin(u.length, recorded_at, 'epoch') AS at FROM removed;
        DELETE FROM rollup_value_spans s WHERE s.device IN (0, of_device) AND s.unit = u.unit AND s.bucket IN (SELECT at FROM removed_nodes);
        DELETE FROM rollup_values v WHERE v.device IN (0, of_device) AND v.unit = u.unit AND v.bucket IN (SELECT at FROM removed_nodes);
        DROP TABLE removed_nodes;
    END LOOP;
    INSERT INTO rollup_value_todo
    SELECT DISTINCT d.device, date_bin('1 hour', x.recorded_at, 'epoch') FROM removed x CROSS JOIN (VALUES (0), (of_device)) d (device)
    WHERE x.recorded_at >= (SELECT s.kept_from FROM storage_state s) AND x.recorded_at < (SELECT s.rolled_until FROM storage_state s)
    ON CONFLICT DO NOTHING;
END $$;

-- Takes away the nodes of a span, of all devices; rollup_rebuild() calls it. They are made again.
CREATE FUNCTION values_rebuild(starts timestamptz, ends timestamptz) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
BEGIN
    DELETE FROM rollup_late_values l WHERE l.recorded_at >= starts AND l.recorded_at < ends;
    DELETE FROM rollup_value_spans s USING value_units() u WHERE u.unit = s.unit AND s.bucket < ends AND s.bucket > starts - u.length;
    DELETE FROM rollup_values v USING value_units() u WHERE u.unit = v.unit AND v.bucket < ends AND v.bucket > starts - u.length;
    INSERT INTO rollup_value_todo
    SELECT h.device, h.bucket FROM rollup_hours h WHERE h.bucket >= starts AND h.bucket < ends ON CONFLICT DO NOTHING;
END $$;

-- Forgets the nodes of dropped partitions.
CREATE FUNCTION values_forget() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    kept_from timestamptz := (SELECT s.kept_from FROM storage_state s);
BEGIN
    DELETE FROM rollup_late_values WHERE recorded_at < kept_from;
    DELETE FROM rollup_value_spans WHERE bucket < kept_from;
    DELETE FROM rollup_values WHERE bucket < kept_from;
    DELETE FROM rollup_value_todo WHERE hour < kept_from;
END $$;
