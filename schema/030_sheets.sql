-- 030_sheets: what hours have of devices side by side, for boards of a span.
--
-- A board by deviation or rise (018_boards_by) has to bound the change of every device before it looks at some. Of rows of rollup_hours that
-- is a row for each device and hour, most of the cost of which is to find it, take it apart and add it to its device's others. A *sheet* has what a
-- block of 64 devices have of a feature in an hour: arrays, in which a device has the same place in each hour. So a device's hours
-- are subscripts in one row, and nothing is grouped. And it has the same of the four hours that end with it: a night is a handful of sheets.
--
-- Nothing rests on sheets but bounds, and yet they are exact: who changes a closed hour takes away, in the same transaction, the sheets that
-- tell of it (sheets_forget()), and they are made again later. Where a block lacks one that a board needs, and of devices with readings in
-- rollup_late, rows are asked as ever. They reach back four days, and a small fleet has none: it is quick without.
-- Rejected: rows that have some hours, which take as long to be grouped; sheets of all hours there are, which would take more than packed hours do.

CREATE TABLE rollup_sheets (
    hour        timestamptz NOT NULL,
    block       integer NOT NULL,
    has_four     boolean NOT NULL,
    feature     text COLLATE "C" NOT NULL,
    top         double precision,
    bottom      double precision,
    counts      integer[],
    sums        double precision[],
    lowest      double precision[],
    highest     double precision[],
    part_counts integer[],
    part_sums   double precision[],
    four_counts  integer[],
    four_sums    double precision[],
    four_lowest  double precision[],
    four_highest double precision[],
    PRIMARY KEY (feature, hour, block)
) WITH (toast_tuple_target = 8160); -- a row is a page, and nothing of it is elsewhere
COMMENT ON TABLE rollup_sheets IS 'What rollup_hours has of a feature, an hour and 64 devices, of the last four days, for boards of a span.';
COMMENT ON COLUMN rollup_sheets.hour IS 'The start of the hour, in UTC.';
COMMENT ON COLUMN rollup_sheets.block IS 'devices.id / 64; id % 64 is a device''s place in the arrays, from 0.';
COMMENT ON COLUMN rollup_sheets.has_four IS 'Whether the columns four_... tell of the four hours that end with this one.';
COMMENT ON COLUMN rollup_sheets.feature IS 'Of which feature.';
COMMENT ON COLUMN rollup_sheets.top IS 'The highest of all its devices in the hour; NaN if there is any.';
COMMENT ON COLUMN rollup_sheets.bottom IS 'The lowest, likewise.';
COMMENT ON COLUMN rollup_sheets.counts IS 'As in rollup_hours, 0 where there is none. NULL, like all that follow: of no device.';
COMMENT ON COLUMN rollup_sheets.sums IS 'As in rollup_hours, 0 where there is none.';
COMMENT ON COLUMN rollup_sheets.lowest IS 'As in rollup_hours, Infinity where there is none; NaN where a value is no number, or beyond 1e290.';
COMMENT ON COLUMN rollup_sheets.highest IS 'The same, -Infinity where there is none.';
COMMENT ON COLUMN rollup_sheets.part_counts IS 'How many came in the first 10 minutes, of each device; then in the first 20, and so on to 50. About, as <feature>_parts has it.';
COMMENT ON COLUMN rollup_sheets.part_sums IS 'Their sums, about; NaN where that is not known.';
COMMENT ON COLUMN rollup_sheets.four_counts IS 'Of four hours.';
COMMENT ON COLUMN rollup_sheets.four_sums IS 'Of four hours.';
COMMENT ON COLUMN rollup_sheets.four_lowest IS 'Of four hours.';
COMMENT ON COLUMN rollup_sheets.four_highest IS 'Of four hours.';

CREATE TABLE rollup_sheet_pass (
    until    timestamptz NOT NULL DEFAULT '-infinity',
    block    integer NOT NULL DEFAULT -1,
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    features text[] COLLATE "C" NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
COMMENT ON TABLE rollup_sheet_pass IS 'How far rollup_sheets is made.';
COMMENT ON COLUMN rollup_sheet_pass.until IS 'All hours before this one were, but for what is in rollup_sheet_todo;';
COMMENT ON COLUMN rollup_sheet_pass.block IS 'and of this one those of blocks up to this. -1: none.';
COMMENT ON COLUMN rollup_sheet_pass.only_row IS 'There is one row.';
COMMENT ON COLUMN rollup_sheet_pass.features IS 'Of which features. When others come, all begins anew.';
INSERT INTO rollup_sheet_pass DEFAULT VALUES;

CREATE TABLE rollup_sheet_todo (
    hour   timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    block  integer NOT NULL,
    PRIMARY KEY (hour, block)
);
COMMENT ON TABLE rollup_sheet_todo IS 'Sheets to be made again: readings came, or were taken out, long after.';
COMMENT ON COLUMN rollup_sheet_todo.hour IS 'rollup_sheets.hour';
COMMENT ON COLUMN rollup_sheet_todo.due_at IS 'Not before this: more may be coming.';
COMMENT ON COLUMN rollup_sheet_todo.block IS 'rollup_sheets.block';

-- How many devices a block has: so many that a row fills a page.
CREATE FUNCTION sheet_devices() RETURNS integer LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT 64
$$;

-- The features that have sheets: those of which hours know parts.
CREATE FUNCTION sheet_features() RETURNS text[] LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT ARRAY(SELECT f FROM features_of('readings') WITH ORDINALITY AS feature (f, n) ORDER BY n LIMIT 64)
$$;

-- ---- upkeep, under the lock 'highwater rollup' --------------------------------------------------

-- Makes the sheets of an hour and some blocks, those before it being there if they are to be.
CREATE FUNCTION sheets_build(of_hour timestamptz, blocks integer[]) RETURNS void
LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    size    CONSTANT integer := sheet_devices();
    devices CONSTANT text := format('r.device >= greatest(%s, 1) AND r.device < %s', (SELECT min(b) FROM unnest(blocks) b) * size,
                                    ((SELECT max(b) FROM unnest(blocks) b) + 1) * size);
    feature text;
BEGIN
    DELETE FROM rollup_sheets s WHERE s.feature = ANY (sheet_features()) AND s.hour = of_hour AND s.block = ANY (blocks);
    FOREACH feature IN ARRAY sheet_features() LOOP
        EXECUTE format($sql$
            WITH given AS MATERIALIZED (
                SELECT r.device, r.%3$I AS n, r.%4$I AS total, CASE WHEN r.%5$I >= -1e290 AND r.%6$I <= 1e290 THEN r.%5$I ELSE 'NaN' END AS low,
                       CASE WHEN r.%5$I >= -1e290 AND r.%6$I <= 1e290 THEN r.%6$I ELSE 'NaN' END AS high, r.%7$I AS parts, r.%8$I AS above
                FROM %9$s r WHERE r.bucket = $2 AND %10$s AND r.%3$I > 0
            ), placed AS (
                -- what is not there is 0 of everything; of what is there, but whose parts are not known, 0 readings whose sum is none
                SELECT b.block, g.device, coalesce(g.n, 0)::integer AS n, coalesce(g.total, 0) AS total, coalesce(g.low, 'Infinity') AS low, coalesce(g.high, '-Infinity') AS high,
                       CASE WHEN g.above IS NULL THEN 0 ELSE coalesce(g.parts, 0) END AS parts, CASE WHEN g.parts IS NULL THEN 0 ELSE coalesce(g.above, 0) END AS above,
                       CASE WHEN g.n IS NULL THEN 0 WHEN g.parts IS NULL OR g.above IS NULL THEN 'NaN' ELSE g.low END AS least,
                       CASE WHEN (g.high - g.low) * g.n >= 1e-280 THEN (g.high - g.low) * g.n / 4096 ELSE 0 END AS unit,
                       coalesce(3 * (g.parts >> 60)::integer, 0) AS more
                FROM unnest($1) AS b (block) CROSS JOIN generate_series(1, %2$s) i LEFT JOIN given g ON g.device = b.block * %2$s + i - 1 ORDER BY b.block, i OFFSET 0
            ), made AS (
                SELECT o.block, max(o.high) AS top, -max(-o.low) AS bottom, array_agg(o.n) AS counts, array_agg(o.total) AS sums, array_agg(o.low) AS lowest,
                       array_agg(o.high) AS highest, %11$s AS part_counts, %12$s AS part_sums
                FROM placed o GROUP BY o.block HAVING count(o.device) > 0
            )
            INSERT INTO rollup_sheets (hour, block, has_four, feature, top, bottom, counts, sums, lowest, highest, part_counts, part_sums, four_counts, four_sums, four_lowest, four_highest)
            SELECT $2, b.block, four.is_there, %1$L, s.top, s.bottom, s.counts, s.sums, s.lowest, s.highest, s.part_counts, s.part_sums, four.counts, four.sums, four.lowest, four.highest
            FROM unnest($1) AS b (block) LEFT JOIN made s USING (block)
            LEFT JOIN rollup_sheets h1 ON h1.feature = %1$L AND h1.block = b.block AND h1.hour = $2 - interval '1 hour'
            LEFT JOIN rollup_sheets h2 ON h2.feature = %1$L AND h2.block = b.block AND h2.hour = $2 - interval '2 hours'
            LEFT JOIN rollup_sheets h3 ON h3.feature = %1$L AND h3.block = b.block AND h3.hour = $2 - interval '3 hours'
            CROSS JOIN LATERAL (
                SELECT num_nulls(h1.block, h2.block, h3.block) = 0 AS is_there, CASE WHEN max(o.n) > 0 THEN array_agg(o.n) END AS counts, CASE WHEN max(o.n) > 0 THEN array_agg(o.total) END AS sums,
                       CASE WHEN max(o.n) > 0 THEN array_agg(CASE WHEN o.high = 'NaN' THEN 'NaN' ELSE o.low END) END AS lowest,
                       CASE WHEN max(o.n) > 0 THEN array_agg(o.high) END AS highest
                FROM (SELECT coalesce(s.counts[i], 0) + coalesce(h1.counts[i], 0) + coalesce(h2.counts[i], 0) + coalesce(h3.counts[i], 0) AS n,
                             coalesce(s.sums[i], 0) + coalesce(h1.sums[i], 0) + coalesce(h2.sums[i], 0) + coalesce(h3.sums[i], 0) AS total,
                             least(s.lowest[i], h1.lowest[i], h2.lowest[i], h3.lowest[i]) AS low, greatest(s.highest[i], h1.highest[i], h2.highest[i], h3.highest[i]) AS high
                      FROM generate_series(1, %2$s) i WHERE num_nulls(h1.block, h2.block, h3.block) = 0 ORDER BY i OFFSET 0) o) four$sql$,
            feature, size, feature || '_count', feature || '_sum', feature || '_min', feature || '_max', feature || '_parts', feature || '_part_sums',
            hours_source(of_hour, of_hour + interval '1 hour', said => feature), devices,
            (SELECT string_agg(format('array_agg(((o.parts >> %s & 4095) << o.more)::integer)', 12 * p - 12), ' || ' ORDER BY p) FROM generate_series(1, 5) p),
            (SELECT string_agg(format('array_agg(o.least * ((o.parts >> %s & 4095) << o.more) + (o.above >> %1$s & 4095) * o.unit)', 12 * p - 12), ' || ' ORDER BY p)
             FROM generate_series(1, 5) p)) USING blocks, of_hour;
    END LOOP;
END $$;
COMMENT ON FUNCTION sheets_build(timestamptz, integer[]) IS 'Used by sheets_pass().';

-- Makes what is due: one slice. True: there is more.
CREATE FUNCTION sheets_pass(fewest integer DEFAULT 1000) RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_blocks CONSTANT integer := 16; -- in one slice
    open_hour   timestamptz;
    oldest      timestamptz;
    last_block  integer;
    pass        rollup_sheet_pass;
    blocks      integer[];
    at          timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO pass FROM rollup_sheet_pass;
    SELECT max(d.id) / sheet_devices() INTO last_block FROM devices d HAVING max(d.id) >= fewest;
    IF last_block IS NULL OR sheet_features() = '{}' THEN
        RETURN false;
    END IF;
    open_hour := (SELECT date_bin('1 hour', s.rolled_until, 'epoch') FROM storage_state s);
    oldest := open_hour - interval '96 hours';
    IF pass.until < oldest OR pass.features <> sheet_features() THEN
        pass.until := greatest(oldest, (SELECT date_bin('1 hour', min(h.bucket), 'epoch') FROM rollup_hours h WHERE h.bucket >= oldest AND h.device > 0));
        IF EXISTS (SELECT FROM rollup_hour_chunks x WHERE x.starts_at > oldest - interval '48 hours' AND x.starts_at < open_hour) THEN
            pass.until := oldest;
        END IF;
        pass.block := -1;
        pass.features := sheet_features();
    END IF;
    IF pass.until < open_hour THEN
        IF pass.block < 0 THEN
            DELETE FROM rollup_sheets s WHERE s.hour < oldest AND s.feature = ANY (pass.features);
        END IF;
        blocks := ARRAY(SELECT generate_series(pass.block + 1, least(pass.block + most_blocks, last_block)));
        PERFORM sheets_build(pass.until, blocks) WHERE blocks <> '{}';
        pass.block := pass.block + most_blocks;
        IF pass.block >= last_block THEN
            pass.until := pass.until + interval '1 hour';
            pass.block := -1;
        END IF;
        UPDATE rollup_sheet_pass SET until = pass.until, block = pass.block, features = pass.features;
        RETURN true;
    END IF;
    SELECT min(t.hour) INTO at FROM rollup_sheet_todo t WHERE t.due_at <= now();
    WITH taken AS (
        DELETE FROM rollup_sheet_todo t WHERE t.hour = at AND t.block = ANY (ARRAY(
            SELECT t.block FROM rollup_sheet_todo t WHERE t.hour = at AND t.due_at <= now() ORDER BY t.block LIMIT most_blocks)) RETURNING t.block)
    SELECT array_agg(t.block) INTO blocks FROM taken t;
    IF blocks IS NULL THEN
        RETURN false;
    END IF;
    PERFORM sheets_build(at, blocks) WHERE at >= oldest;
    RETURN true;
END $$;
COMMENT ON FUNCTION sheets_pass(integer) IS 'For minutes_pass(): makes some of what rollup_sheets lacks, of a fleet of at least so many devices. True: there is more.';

-- Of hours (one beside the other) of devices that are about to change: takes away the sheets that tell of them, and has them made again.
CREATE FUNCTION sheets_forget(of_devices integer[], of_hours timestamptz[]) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    WITH told AS MATERIALIZED (
        SELECT DISTINCT w.device / sheet_devices() AS block, date_bin('1 hour', w.hour, 'epoch') + i * interval '1 hour' AS hour
        FROM unnest(of_devices, of_hours) AS w (device, hour) CROSS JOIN generate_series(0, 3) i WHERE w.device > 0
    ), gone AS (
        DELETE FROM rollup_sheets s USING told t WHERE s.feature = ANY (sheet_features()) AND s.hour = t.hour AND s.block = t.block)
    INSERT INTO rollup_sheet_todo (hour, due_at, block)
    SELECT t.hour, now() + interval '10 minutes', t.block FROM told t CROSS JOIN rollup_sheet_pass p
    WHERE (t.hour, t.block) <= (p.until, p.block) AND t.hour >= (SELECT s.rolled_until FROM storage_state s) - interval '96 hours'
    ON CONFLICT (hour, block) DO UPDATE SET due_at = excluded.due_at
$$;
COMMENT ON FUNCTION sheets_forget(integer[], timestamptz[]) IS 'Takes away the sheets that tell of hours which are about to be changed. For whoever holds the lock ''highwater rollup''.';

-- The same of all hours of a device.
CREATE FUNCTION sheets_remove(of_device integer) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT sheets_forget(array_agg(of_device), array_agg(s.hour))
    FROM (SELECT DISTINCT s.hour FROM rollup_sheets s WHERE s.block = of_device / sheet_devices()) s
$$;

-- And of a span, of all devices; rollup_rebuild() calls it.
CREATE FUNCTION sheets_rebuild(starts timestamptz, ends timestamptz) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    DELETE FROM rollup_sheets s WHERE s.feature = ANY (sheet_features()) AND s.hour >= date_bin('1 hour', starts, 'epoch') AND s.hour < ends + interval '3 hours';
    DELETE FROM rollup_sheet_todo t WHERE t.hour >= date_bin('1 hour', starts, 'epoch');
    UPDATE rollup_sheet_pass p SET until = date_bin('1 hour', starts, 'epoch'), block = -1 WHERE p.until >= date_bin('1 hour', starts, 'epoch')
$$;

-- ---- questions ----------------------------------------------------------------------------------

-- The sheets that tell of [starts, ends), in the order of their hours: of whole hours, and of those it cuts; with `covers` these are taken for whole.
CREATE FUNCTION sheets_of(starts timestamptz, ends timestamptz, covers boolean) RETURNS TABLE (hour timestamptz, is_four boolean, is_cut boolean)
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    WITH whole AS (
        SELECT w.a, greatest(date_part('epoch', w.b - w.a) / 3600, 0)::integer AS hours
        FROM (SELECT date_bin('1 hour', CASE WHEN covers THEN starts ELSE starts + interval '1 hour' - interval '1 microsecond' END, 'epoch') AS a,
                     date_bin('1 hour', CASE WHEN covers THEN ends + interval '1 hour' - interval '1 microsecond' ELSE ends END, 'epoch') AS b) w)
    SELECT DISTINCT date_bin('1 hour', t.at, 'epoch'), false, true FROM (VALUES (starts), (ends)) AS t (at)
    WHERE NOT covers AND date_bin('1 hour', t.at, 'epoch') < t.at
    UNION ALL SELECT w.a + (4 * i + 3) * interval '1 hour', true, false FROM whole w, generate_series(0, w.hours / 4 - 1) i
    UNION ALL SELECT w.a + i * interval '1 hour', false, false FROM whole w, generate_series(w.hours / 4 * 4, w.hours - 1) i
    ORDER BY 1
$$;

-- The blocks whose sheets tell all of such a span, and which devices have to be asked for beside them: those of other blocks, and those with readings that came
-- late. NULL: sheets are of no use.
CREATE FUNCTION sheets_there(features text[], starts timestamptz, ends timestamptz, covers boolean, OUT blocks integer[], OUT others integer[])
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    until CONSTANT timestamptz := date_bin('1 hour', ends + interval '1 hour' - interval '1 microsecond', 'epoch');
    last  integer;
    hours timestamptz[];
    fours  timestamptz[];
BEGIN
    -- of an hour all features were made at once
    IF until > starts + interval '100 hours' OR NOT EXISTS (SELECT FROM rollup_sheet_pass p WHERE p.until >= until AND p.features @> features) THEN
        RETURN;
    END IF;
    SELECT array_agg(s.hour), coalesce(array_agg(s.hour) FILTER (WHERE s.is_four), '{}') INTO hours, fours FROM sheets_of(starts, ends, covers) s;
    SELECT max(d.id) INTO last FROM devices d;
    blocks := ARRAY(SELECT s.block FROM rollup_sheets s
                    WHERE s.feature = features[1] AND s.hour = ANY (hours) AND (s.has_four OR s.hour <> ALL (fours))
                    GROUP BY s.block HAVING count(*) = cardinality(hours) ORDER BY s.block);
    others := ARRAY(SELECT l.device FROM rollup_late l WHERE l.bucket >= date_bin('1 hour', starts, 'epoch') AND l.bucket < until
                    UNION SELECT d.id FROM devices d WHERE cardinality(blocks) <= last / sheet_devices() AND d.id / sheet_devices() <> ALL (blocks));
    IF cardinality(others) > last / 2 THEN
        blocks := NULL;
    END IF;
END $$;

-- Of a feature and the devices of some blocks, but for `others`, as SQL: device, and a bound of its change, as change_bounds_sql() has it from rows: turned over for the
-- lowest first, the same of values that are no numbers, and of those that are almost nothing. n and total are of the readings that are in the span, m and rest of
-- those any of which may be: of the ten minutes that it cuts. Counts of parts may lack as many readings as are in 8 of 4,096 parts of an hour's, and sums as much as
-- 1 of these: where they are taken for more or less than they are, of each thing three times at most, the mean is wrong by that share of what lies between highest
-- and lowest. So much is added to the bound.
CREATE FUNCTION sheets_sql(by_what text, feature text, sort_order text, starts timestamptz, ends timestamptz, blocks integer[], others integer[], whose text)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    has_sums CONSTANT boolean := by_what <> 'rise';
    sign     CONSTANT text := CASE sort_order WHEN 'desc' THEN '' ELSE '-' END;
    size     CONSTANT integer := sheet_devices();
    gathered text := ''; -- arrays of the arrays of all sheets, whose places are the order of their hours
    terms    text;
    hours    timestamptz[];
    fours     timestamptz[];
    cuts     timestamptz[];
    edge     double precision; -- of a cut, in parts
    is_start boolean;
    counts   text[]; -- how many came, and their sums, by the end of the part before the edge, and of the one after it
    sums     text[];
    place    integer;
    n        text[] := '{}';
    total    text[] := '{}';
    m        text[] := '{}';
    rest     text[] := '{}';
    many     text[] := '{}'; -- in cut hours
    bound    text;
BEGIN
    SELECT array_agg(s.hour), coalesce(array_agg(s.hour) FILTER (WHERE s.is_four), '{}'), coalesce(array_agg(s.hour) FILTER (WHERE s.is_cut), '{}')
    INTO hours, fours, cuts FROM sheets_of(starts, ends, NOT has_sums) s;
    SELECT string_agg(format(', array_agg(coalesce(CASE WHEN r.hour = ANY (%L::timestamptz[]) THEN r.four_%s ELSE r.%2$s END, array_fill(%s, ARRAY[%s]))) AS %2$s',
                             fours, c.name, c.none, size), '')
    INTO gathered FROM (VALUES ('lowest', 'float8 ''Infinity'''), ('highest', 'float8 ''-Infinity'''), ('counts', '0'), ('sums', 'float8 ''0''')) AS c (name, none)
    WHERE has_sums OR c.name IN ('lowest', 'highest');
    FOR k IN 1 .. cardinality(hours) LOOP
        IF NOT has_sums THEN
            CONTINUE;
        ELSIF hours[k] <> ALL (cuts) THEN
            n := n || format('g.counts[%s][i]', k);
            total := total || format('%sg.sums[%s][i]', sign, k);
            CONTINUE;
        END IF;
        is_start := starts > hours[k];
        edge := date_part('epoch', CASE WHEN is_start THEN starts ELSE ends END - hours[k]) / 600;
        many := many || format('g.counts[%s][i]', k);
        IF is_start AND ends < hours[k] + interval '1 hour' THEN -- both are in this hour: any of its readings may be in the span
            m := m || format('g.counts[%s][i]', k);
            rest := rest || format('%sg.sums[%s][i]', sign, k);
            CONTINUE;
        END IF;
        counts := '{}';
        sums := '{}';
        FOREACH place IN ARRAY ARRAY[floor(edge), ceil(edge)]::integer[] LOOP
            counts := counts || CASE place WHEN 0 THEN '0' WHEN 6 THEN format('g.counts[%s][i]', k) ELSE format('g."counts %s %s"[i]', k, place) END;
            sums := sums || CASE place WHEN 0 THEN '0' WHEN 6 THEN format('%sg.sums[%s][i]', sign, k) ELSE format('%sg."sums %s %s"[i]', sign, k, place) END;
            IF place BETWEEN 1 AND 5 AND position(format('"counts %s %s"', k, place) IN gathered) = 0 THEN
                -- of one hour: any_value() came with PostgreSQL 16
                gathered := gathered || format(', coalesce(min(r.part_counts[%4$s:%5$s]) FILTER (WHERE r.hour = %1$L), array_fill(0, ARRAY[%3$s])) AS "counts %6$s %2$s"'
                                               ', coalesce(min(r.part_sums[%4$s:%5$s]) FILTER (WHERE r.hour = %1$L), array_fill(float8 ''0'', ARRAY[%3$s])) AS "sums %6$s %2$s"',
                                               hours[k], place, size, (place - 1) * size + 1, place * size, k);
            END IF;
        END LOOP;
        n := n || CASE WHEN is_start THEN format('g.counts[%s][i] - %s', k, counts[2]) ELSE counts[1] END;
        total := total || CASE WHEN is_start THEN format('%sg.sums[%s][i] - %s', sign, k, '(' || sums[2] || ')') ELSE sums[1] END;
        IF counts[1] <> counts[2] THEN
            m := m || format('%s - %s', counts[2], counts[1]);
            rest := rest || format('%s - (%s)', sums[2], sums[1]);
        END IF;
    END LOOP;
    SELECT format('greatest(%s) AS hi, least(%s) AS lo', string_agg(format(CASE sign WHEN '' THEN 'g.highest[%s][i]' ELSE '-g.lowest[%s][i]' END, k), ', '),
                  string_agg(format(CASE sign WHEN '' THEN 'g.lowest[%s][i]' ELSE '-g.highest[%s][i]' END, k), ', '))
    INTO terms FROM generate_subscripts(hours, 1) k;
    IF has_sums THEN
        terms := terms || format(', (%s)::float8 AS n, (%s)::float8 AS total, (%s)::float8 AS m, (%s)::float8 AS rest, (%s)::float8 AS many',
                                 coalesce(nullif(array_to_string(n, ' + '), ''), '0'), coalesce(nullif(array_to_string(total, ' + '), ''), '0'),
                                 coalesce(nullif(array_to_string(m, ' + '), ''), '0'), coalesce(nullif(array_to_string(rest, ' + '), ''), '0'),
                                 coalesce(nullif(array_to_string(many, ' + '), ''), '0'));
    END IF;
    -- So many of m as their sum allows are as low as the lowest, never quite none; they are called m from there on. Where nothing can be told of them, as of
    -- differences that are almost nothing, or where rounded parts leave no reading, the mean is not below the lowest. Of other differences no quotient is too
    -- small for a double.
    bound := CASE WHEN NOT has_sums THEN 'CASE WHEN c.hi <= 1e290 AND c.lo >= -1e290 THEN c.hi - c.lo ELSE 2e290 END'
        WHEN cuts = '{}' THEN 'CASE WHEN c.hi <= 1e290 AND c.lo >= -1e290 THEN c.hi + 1e-9 * greatest(abs(c.hi), abs(c.lo), 1e-190)'
                              ' - CASE WHEN abs(c.total) < 1e-200 THEN 0 ELSE c.total / c.n END ELSE 2e290 END'
        ELSE 'CASE WHEN c.m IS NOT NULL AND c.n + c.m > 0 THEN c.hi + 1e-9 * greatest(abs(c.hi), abs(c.lo)) - greatest((c.total + c.m * c.lo - (c.hi - c.lo) * c.many'
             ' * CASE WHEN c.many > 4095 THEN float8 ''0.0066'' ELSE 0.00075 END) / (c.n + c.m), c.lo)'
             ' WHEN c.hi <= 1e290 AND c.lo >= -1e290 THEN c.hi - c.lo + 1e-9 * greatest(abs(c.hi), abs(c.lo), 1e-190) ELSE 2e290 END' END;
    -- OFFSET 0: what is worked out is so once
    RETURN format('SELECT device, %1$s AS bound FROM (SELECT %2$s FROM (SELECT g.block * %3$s + i - 1 AS device, %4$s'
                  ' FROM (SELECT r.block, generate_series(1, %3$s) AS i%5$s FROM (SELECT * FROM rollup_sheets r'
                  ' WHERE r.feature = %6$L AND r.hour = ANY (%7$L) AND r.block = ANY (%8$L) ORDER BY r.block, r.hour OFFSET 0) r GROUP BY r.block) g OFFSET 0) c'
                  ' WHERE c.hi > ''-Infinity''%9$s%10$s OFFSET 0) c',
                  bound,
                  CASE WHEN cuts = '{}' THEN 'c.*'
                       ELSE 'c.device, c.hi, c.lo, c.n, c.total, c.many + 1 AS many, CASE WHEN c.hi - c.lo >= 1e-150 AND c.hi <= 1e290 AND c.lo >= -1e290'
                            ' AND (abs(c.lo) >= 1e-150 OR c.lo = 0) AND c.total <> ''NaN'' AND c.rest <> ''NaN'' THEN'
                            ' CASE WHEN c.m * c.hi - c.rest > 1e-9 * (c.hi - c.lo) THEN least((c.m * c.hi - c.rest) / (c.hi - c.lo), c.m) ELSE 1e-9 END END AS m' END,
                  size, terms, gathered, feature, hours, blocks, whose,
                  CASE others WHEN '{}' THEN '' ELSE format(' AND device <> ALL (%L::integer[])', others) END);
END $$;

-- What stands in FROM for rows of rollup_hours of [starts, ends), whole hours, of devices that reach $1 at least: which these are, sheets say. NULL: they do not.
CREATE FUNCTION sheets_reach_sql(feature text, sort_order text, starts timestamptz, ends timestamptz, whose text) RETURNS text
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    first CONSTANT timestamptz := date_bin('1 hour', starts, 'epoch');
    until CONSTANT timestamptz := date_bin('1 hour', ends + interval '1 hour' - interval '1 microsecond', 'epoch');
    size  CONSTANT integer := sheet_devices();
BEGIN
    IF until > first + interval '100 hours' OR hours_source(first, until, said => feature) <> 'rollup_hours' THEN
        RETURN NULL;
    END IF;
    IF (SELECT count(*) FROM rollup_sheets s WHERE s.feature = feature AND s.hour >= first AND s.hour < until)
       < date_part('epoch', until - first) / 3600 * (SELECT max(d.id) / size + 1 FROM devices d) IS NOT FALSE THEN
        RETURN NULL;
    END IF;
    RETURN format('(SELECT h.* FROM (SELECT s.block * %1$s + s.i - 1 AS device, s.hour FROM (SELECT x.*, generate_series(1, %1$s) AS i FROM rollup_sheets x'
                  ' WHERE x.feature = %2$L AND x.hour >= %3$L AND x.hour < %4$L AND %5$s >= $1 OFFSET 0) s WHERE %6$s >= $1 OFFSET 0) k'
                  ' CROSS JOIN LATERAL (SELECT * FROM rollup_hours h WHERE h.device = k.device AND h.bucket = k.hour OFFSET 0) h WHERE true%7$s)',
                  size, feature, first, until, CASE sort_order WHEN 'desc' THEN 'x.top' ELSE '-x.bottom' END,
                  CASE sort_order WHEN 'desc' THEN 's.highest[s.i]' ELSE '-s.lowest[s.i]' END, replace(whose, ' device ', ' k.device '));
END $$;
