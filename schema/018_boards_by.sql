-- 018_boards_by: boards of how much a value changed within a span, rather than of the value itself.
--
-- deviation: a device's highest value in the span less the mean of all its values there.
-- rise:      the most by which a value is above the lowest one that the device had recorded before, in the span.
--            So a slow climb counts as well as a jump, and a fall does not.
-- Lowest first (asc) both are turned over: the lowest value less the mean; the value less the highest one before, which
-- is the largest fall. Between equals the device that was known first comes first. Values, as in sums, count
-- as 1e290 where they are beyond; what is not a number is none.
--
-- What rollups say of a device bounds both: no rise is higher than what lies between its highest and its
-- lowest value, and the mean of the hours that the span cuts is not below their lowest value. So devices are looked at
-- in the order of these bounds, some at a time, until none is left that can come before the last on the board.
-- To look at a device costs its sums by the hour, and those of its readings that are needed: of the
-- hours which the span cuts, of the minutes that are not summed up, and of hours within which it may have risen more
-- than from one hour to another. What is known meanwhile is the devices of one such step, whatever the
-- span and the fleet. The bounds cost most: a pass over what is summed up, one for all features; or, where sheets (030_sheets) tell of the
-- span, over these.
-- Where the span cuts hours and the values of all devices spread alike, the lowest value of an hour says too little of a mean: it would leave nearly
-- every device. So hours know how far their sums had come after each ten minutes, and only what the span cuts of ten minutes is in doubt: as many
-- readings of these as their sum allows are taken for the lowest. Where that is not known, too many may be left all the same. Once so many are
-- looked at that all readings of the cut hours would have cost no more, these are read, and the bounds made of them.
--
-- A mean is the quotient of sums of doubles, which rollups have added in their own order: it is as exact as such a sum.
-- Unlike boards of values these know no moment of receipt, since sums do not: a reading that arrives while
-- the question is on its way counts.
--
-- Where partitions were dropped, sums do not tell what came first, nor which reading it was. If the feature has any
-- values of then in the span, this fails with HW003, or, if only what is `kept` is asked about, begins after them.

-- A value as it counts here, as SQL.
CREATE FUNCTION change_value_sql(value text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT format('greatest(least(%s, 1e290), -1e290)', value)
$$;

-- The sums of features in a rollup as SQL: n1, total1, lo1 and hi1 of the first, and so on, turned over for the lowest
-- first. One value that is no number makes hi none.
CREATE FUNCTION change_columns_sql(features text[], sort_order text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT string_agg(format(CASE sort_order WHEN 'desc' THEN '%2$I::float8 AS n%1$s, %3$I AS total%1$s, %4$I AS lo%1$s, %5$I AS hi%1$s'
                                 ELSE '%2$I::float8 AS n%1$s, -%3$I AS total%1$s, -%5$I AS lo%1$s, CASE WHEN %5$I = ''NaN'' THEN ''NaN'' ELSE -%4$I END AS hi%1$s' END,
                             place, feature || '_count', feature || '_sum', feature || '_min', feature || '_max'), ', ' ORDER BY place)
    FROM unnest(features) WITH ORDINALITY AS f (feature, place)
$$;

-- The same of readings r, those values left out.
CREATE FUNCTION change_sums_sql(features text[], sort_order text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    -- greatest() and least() take no notice of what is missing
    SELECT string_agg(format('count(%2$s)::float8 AS n%1$s, sum(%2$s) AS total%1$s, min(%2$s) AS lo%1$s, max(%2$s) AS hi%1$s', place,
                             format('CASE WHEN r.%1$I <> ''NaN'' THEN %2$s%3$s END', feature, CASE sort_order WHEN 'desc' THEN '' ELSE '-' END,
                                    change_value_sql(format('r.%I', feature)))), ', ' ORDER BY place)
    FROM unnest(features) WITH ORDINALITY AS n (feature, place)
$$;

-- What is summed up of devices in [starts, ends), as SQL: device, the cell's from_at, `columns`, and is_cut, whether the cell
-- is known to reach out of the span. By the hour, or where nobody asks what came first, by the day. What came late is in a
-- table that has nothing of most spans, and then is left out: of one table sums are made quicker.
CREATE FUNCTION change_cells_sql(columns text, starts timestamptz, ends timestamptz, uses_days boolean, whose text)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    rolled_until timestamptz := (SELECT s.rolled_until FROM storage_state s);
    open_hour   timestamptz := date_bin('1 hour', rolled_until, 'epoch');
    first_hour  timestamptz := date_bin('1 hour', starts, 'epoch');
    last_hour   timestamptz := least(date_bin('1 hour', ends, 'epoch'), open_hour);
    whole_from  timestamptz := least(date_bin('1 hour', starts + interval '1 hour' - interval '1 microsecond', 'epoch'), open_hour);
    day_from    timestamptz := least(date_bin('1 day', starts + interval '24 hours' - interval '1 microsecond', 'epoch'), last_hour);
    day_until   timestamptz := greatest(least(date_bin('1 day', ends, 'epoch'), date_bin('1 day', rolled_until, 'epoch')), day_from);
    late_until  timestamptz := least(ends, rolled_until);
    hours_until timestamptz;
    cut         text; -- is_cut of hours
BEGIN
    last_hour := greatest(last_hour, whole_from);
    hours_until := greatest(last_hour, least(ends, open_hour));
    IF NOT uses_days OR day_from = day_until THEN
        day_from := hours_until;
        day_until := hours_until;
    END IF;
    IF NOT EXISTS (SELECT FROM rollup_late l WHERE l.bucket >= first_hour AND l.bucket < late_until) THEN
        late_until := first_hour;
    END IF;
    cut := CASE WHEN first_hour < starts OR last_hour < hours_until THEN format('(bucket < %L OR bucket >= %L)', whole_from, last_hour) ELSE 'false' END;
    RETURN (
        -- OFFSET 0: once for each row, not in every FILTER
        SELECT coalesce(string_agg(format('(SELECT device, %s AS from_at, %s, %s AS is_cut FROM %s r WHERE device > 0 AND bucket >= %L AND bucket < %L%s%s%s)',
                                          c.at, columns, c.is_cut, CASE WHEN c.source = 'hours' AND c.a < c.b
                                          THEN hours_source(c.a, c.b, said => columns, whose => whose) ELSE 'rollup_' || c.source END, c.a, c.b, c.more, whose, CASE WHEN c.is_cut <> 'false' THEN ' OFFSET 0' END), ' UNION ALL '),
                        format('SELECT device, bucket AS from_at, %s, false AS is_cut FROM rollup_hours WHERE false', columns))
        FROM (VALUES
            ('late', 'date_bin(''1 hour'', bucket, ''epoch'')', first_hour, late_until, '',
             format('(date_bin(''1 hour'', bucket, ''epoch'') < %L OR least(date_bin(''1 hour'', bucket, ''epoch'') + interval ''1 hour'', %L) > %L)',
                    starts, rolled_until, ends)),
            ('open', 'bucket', open_hour, CASE WHEN starts < rolled_until AND ends > open_hour THEN rolled_until ELSE open_hour END,
             ' AND unit = ''hour''', CASE WHEN starts > open_hour OR ends < rolled_until THEN '(true)' ELSE 'false' END),
            ('hours', 'bucket', first_hour, day_from, '', cut),
            ('days', 'bucket', day_from, day_until, '', 'false'),
            ('hours', 'bucket', day_until, hours_until, '', cut)) AS c (source, at, a, b, more, is_cut)
        WHERE c.a < c.b);
END $$;

-- The readings r of a device in [from_at, until_at), both SQL, and in the span: y, its time and hash, and `low`, the lowest y
-- of the span before it, of which `low_before` (SQL) was before from_at; NULL: nobody asks for it.
CREATE FUNCTION change_readings_sql(feature text, sort_order text, starts timestamptz, ends timestamptz,
                                    of_device text, from_at text, until_at text, low_before text)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
BEGIN
    RETURN format('SELECT v.y, v.recorded_at, v.content_hash, %s AS low FROM (SELECT %s%s AS y, r.recorded_at, r.content_hash'
                  ' FROM %s r WHERE r.device = %s AND r.%I <> ''NaN'' AND r.recorded_at >= %L AND r.recorded_at < %L'
                  ' AND r.recorded_at >= %s AND r.recorded_at < %s) v',
                  coalesce('least(' || low_before || ', min(v.y) OVER (ORDER BY v.recorded_at GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING))',
                           'NULL::float8'), CASE sort_order WHEN 'desc' THEN '' ELSE '-' END, change_value_sql(format('r.%I', feature)),
                  readings_source(starts, ends, of_device, ARRAY['content_hash', feature], from_at, until_at),
                  of_device, feature, starts, ends, from_at, until_at);
END $$;

-- What is known of the devices $1, as the head of a statement: `known`, a row for each hour and device with n, total, lo and hi
-- of what is in the span, and rise where the hour was read, which is where sums do not do.
CREATE FUNCTION change_known_sql(by_what text, feature text, sort_order text, starts timestamptz, ends timestamptz)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    rolled_until timestamptz := (SELECT s.rolled_until FROM storage_state s);
BEGIN
    RETURN format(
        'WITH cell AS MATERIALIZED (SELECT device, from_at, least(from_at + interval ''1 hour'', %1$L) AS until_at, sum(n1) AS n,'
        ' sum(total1) AS total, %2$s AS lo, %3$s AS hi, bool_or(is_cut OR hi1 = ''NaN'') AS is_cut'
        ' FROM (%4$s) c WHERE n1 > 0 GROUP BY device, from_at),'
        ' known AS MATERIALIZED (SELECT device, from_at, until_at, n, total, lo, hi, NULL::float8 AS rise, false AS is_read FROM cell WHERE NOT is_cut'
        ' UNION ALL SELECT p.device, p.from_at, p.until_at, r.*, true FROM (SELECT device, from_at, until_at FROM cell WHERE is_cut'
        ' UNION ALL SELECT u, %5$L, %6$L FROM unnest($1) u WHERE %5$L::timestamptz < %6$L::timestamptz) p (device, from_at, until_at)'
        ' CROSS JOIN LATERAL (SELECT count(*)::float8, sum(y), min(y), max(y), max(y - low) FROM (%7$s) v) r (n, total, lo, hi, rise) WHERE r.n > 0)',
        rolled_until, change_value_sql('min(lo1)'), change_value_sql('max(hi1)'),
        change_cells_sql(change_columns_sql(ARRAY[feature], sort_order), starts, ends, false, ' AND device = ANY ($1)'),
        greatest(starts, rolled_until), ends,
        change_readings_sql(feature, sort_order, starts, ends, 'p.device', 'p.from_at', 'p.until_at', CASE by_what WHEN 'rise' THEN 'NULL::float8' END));
END $$;

-- Of an hour (a table of rollups and a condition) of which only what is in [starts, ends) is meant, as SQL: device, and of each feature lo and hi of
-- the whole hour, n and total of those of its parts (003_rollups.sql) that are in the span, m and rest of those readings any of
-- which may be in it: of the part that the span cuts. total and rest are not more than what they are. Where parts are not known, the whole
-- hour is such a one. Counts that were rounded down lack some: as many more are among m, each as low as the hour's lowest.
CREATE FUNCTION change_part_sql(features text[], sort_order text, hour timestamptz, starts timestamptz, ends timestamptz, source text, has_parts boolean)
RETURNS text LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    is_start boolean := starts > hour;
    edge     double precision := date_part('epoch', CASE WHEN starts > hour THEN starts ELSE ends END - hour) / 600; -- in parts
    place    integer;
    n        text[]; -- how many came by the end of the part before the edge, and of the one after it, at least (# is the feature's place);
    lacks    text[]; -- how many that may lack;
    least_   text[]; -- their sum above as many lowest values, if it is as little as it may be,
    most_    text[]; -- and as much
    inner_   text := '%2$I::float8 AS n#, %3$I AS total#, %4$I AS lo#, %5$I AS hi#';
    outer_   text := 'NULL::float8 AS n#, NULL::float8 AS total#, n# AS m#, ~total# AS rest#';
BEGIN
    IF has_parts AND NOT (starts > hour AND ends < hour + interval '1 hour') THEN
        FOREACH place IN ARRAY ARRAY[floor(edge), ceil(edge)]::integer[] LOOP
            n := n || CASE place WHEN 0 THEN '0' WHEN 6 THEN 'n#' ELSE format('(counts# >> %s & 4095) * (lack# + 1)', 12 * place - 12) END;
            lacks := lacks || CASE WHEN place IN (0, 6) THEN '0' ELSE 'lack#' END;
            least_ := least_ || CASE place WHEN 0 THEN '0' WHEN 6 THEN '(total# - lo# * n#)' ELSE format('(sums# >> %s & 4095) * unit#', 12 * place - 12) END;
            most_ := most_ || CASE place WHEN 0 THEN '0' WHEN 6 THEN '(total# - lo# * n#)' ELSE format('((sums# >> %s & 4095) + 1) * unit#', 12 * place - 12) END;
        END LOOP;
        inner_ := inner_ || ', %6$I AS counts#, %7$I AS sums#, CASE WHEN %6$I >> 60 > 0 THEN (1::bigint << (3 * (%6$I >> 60)::integer)) - 1 ELSE 0 END AS lack#,'
                            ' CASE WHEN %7$I IS NULL OR (%5$I - %4$I) * %2$I < 1e-280 THEN 0 ELSE (%5$I - %4$I) * %2$I / 4096 END AS unit#';
        outer_ := format('CASE WHEN sums# IS NOT NULL THEN (%1$s)::float8 END AS n#, CASE WHEN sums# IS NOT NULL THEN ~(lo# * (%1$s) + %2$s) END AS total#,'
                         ' CASE WHEN sums# IS NULL THEN n# ELSE %3$s + %5$s END AS m#, CASE WHEN sums# IS NULL THEN ~total# ELSE ~(lo# * (%3$s) + %4$s)%6$s END AS rest#',
                         CASE WHEN is_start THEN format('n# - %s - %s', n[2], lacks[2]) ELSE n[1] END,
                         CASE WHEN NOT is_start THEN CASE sort_order WHEN 'desc' THEN least_[1] ELSE most_[1] END
                              ELSE format('(total# - lo# * n#) - %s', CASE sort_order WHEN 'desc' THEN most_[2] ELSE least_[2] END) END,
                         format('%s + %s - %s', n[2], lacks[2], n[1]),
                         CASE sort_order WHEN 'desc' THEN format('%s - %s', least_[2], most_[1]) ELSE format('%s - %s', most_[2], least_[1]) END,
                         lacks[CASE WHEN is_start THEN 2 ELSE 1 END],
                         CASE sort_order WHEN 'desc' THEN format(' + %s * lo#', lacks[CASE WHEN is_start THEN 2 ELSE 1 END])
                                         ELSE format(' - (%s + %s) * (hi# - lo#) - %s * hi#', lacks[1], lacks[2], lacks[CASE WHEN is_start THEN 2 ELSE 1 END]) END);
    END IF;
    outer_ := CASE sort_order WHEN 'desc' THEN 'lo# AS lo#, hi# AS hi#, ' ELSE '-hi# AS lo#, CASE WHEN hi# = ''NaN'' THEN ''NaN'' ELSE -lo# END AS hi#, ' END
              || replace(outer_, '~', CASE sort_order WHEN 'desc' THEN '' ELSE '-' END);
    RETURN (
        -- OFFSET 0: what is taken apart is so once
        SELECT format('SELECT device, %s FROM (SELECT device, %s FROM %s OFFSET 0) c', string_agg(replace(outer_, '#', at::text), ', ' ORDER BY at),
                      string_agg(format(replace(inner_, '#', '%1$s'), at, f || '_count', f || '_sum', f || '_min', f || '_max',
                                        f || '_parts', f || '_part_sums'), ', ' ORDER BY at), source)
        FROM unnest(features) WITH ORDINALITY AS u (f, at));
END $$;

-- A statement: of each feature, by its place, the devices that may have changed most, at most so many, those first, with
-- what bounds their changes. `whose`: a condition, if not all are meant; `reads_cuts`: in the hours that the span cuts all readings are read.
CREATE FUNCTION change_bounds_sql(by_what text, features text[], sort_order text, starts timestamptz, ends timestamptz, most bigint, whose text,
                                  reads_cuts boolean)
RETURNS text LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    rolled_until timestamptz := (SELECT s.rolled_until FROM storage_state s);
    whole_from   timestamptz := date_bin('1 hour', starts + interval '1 hour' - interval '1 microsecond', 'epoch');
    whole_until  timestamptz := CASE WHEN ends < rolled_until THEN date_bin('1 hour', ends, 'epoch') ELSE rolled_until END;
    columns      text;    -- of what is in the span
    whole_sums   text;
    cells        text;
    has_rest     boolean := false;
    by_sheets    boolean := false; -- sums are of those devices alone that have none
    sheets       record;
    of_sheets    text[];
BEGIN
    IF NOT reads_cuts THEN
        SELECT * INTO sheets FROM sheets_there(features, starts, ends, by_what = 'rise');
        by_sheets := sheets.blocks IS NOT NULL;
    END IF;
    IF by_sheets THEN
        of_sheets := ARRAY(SELECT sheets_sql(by_what, f, sort_order, starts, ends, sheets.blocks, sheets.others, whose)
                           FROM unnest(features) WITH ORDINALITY AS feature (f, n) ORDER BY n);
        whose := format(' AND device = ANY (%s)', CASE whose WHEN '' THEN quote_literal(sheets.others) || '::integer[]'
                                                  ELSE format('ARRAY(SELECT unnest($1) INTERSECT SELECT unnest(%L::integer[]))', sheets.others) END);
    END IF;
    IF NOT by_sheets OR sheets.others <> '{}' THEN
        SELECT string_agg(format('lo%1$s, hi%1$s' || CASE by_what WHEN 'rise' THEN '' ELSE ', n%1$s, total%1$s, NULL::float8 AS m%1$s, NULL::float8 AS rest%1$s' END, n), ', ' ORDER BY n),
               string_agg(format('min(lo%1$s) AS lo%1$s, max(hi%1$s) AS hi%1$s' || CASE by_what WHEN 'rise' THEN '' ELSE
                                 ', sum(n%1$s) AS n%1$s, sum(total%1$s) AS total%1$s, NULL::float8 AS m%1$s, NULL::float8 AS rest%1$s' END, n), ', ' ORDER BY n)
        INTO columns, whole_sums FROM generate_subscripts(features, 1) n;
        IF by_what = 'rise' AND NOT reads_cuts THEN
            -- what all of an hour has bounds what is in the span, as well
            whole_until := greatest(least(date_bin('1 hour', ends + interval '1 hour' - interval '1 microsecond', 'epoch'), rolled_until), starts);
            whole_from := least(date_bin('1 hour', starts, 'epoch'), whole_until);
        END IF;
        IF whole_from < whole_until THEN
            -- a sum of its own: these are most of the rows, which need not be handed on then
            cells := format('SELECT device, %s FROM (%s) c GROUP BY device', whole_sums,
                            change_cells_sql(change_columns_sql(features, sort_order), whole_from, whole_until, true, whose));
        ELSIF reads_cuts THEN
            whole_from := ends;
            whole_until := ends;
        END IF;
        IF NOT reads_cuts THEN
            SELECT nullif(concat_ws(' UNION ALL ', cells, string_agg(p.cells, ' UNION ALL ')), ''), count(*) > 0
            INTO cells, has_rest
            FROM (SELECT DISTINCT h FROM (VALUES (starts), (ends)) AS t (at), date_bin('1 hour', at, 'epoch') AS h
                  WHERE by_what <> 'rise' AND h < at AND at < rolled_until) AS hour (h),
                 (VALUES ('hours', ''), ('open', ' AND unit = ''hour'''), ('late', '')) AS s (source, more),
                 change_part_sql(features, sort_order, h, starts, ends, format('%s r WHERE device > 0 AND bucket >= %L AND bucket < %L%s%s',
                                 CASE source WHEN 'hours' THEN hours_source(h, h + interval '1 hour', said => array_to_string(features, ' '), whose => whose) ELSE 'rollup_' || source END,
                                 h, h + interval '1 hour', more, whose), source = 'hours') AS p (cells)
            WHERE CASE source WHEN 'late' THEN EXISTS (SELECT FROM rollup_late l WHERE l.bucket >= h AND l.bucket < h + interval '1 hour')
                              ELSE (source = 'hours') = (h < date_bin('1 hour', rolled_until, 'epoch')) END;
            whole_from := starts;
            whole_until := greatest(starts, rolled_until);
        END IF;
        SELECT concat_ws(' UNION ALL ', cells, string_agg(format(
                   'SELECT device, %s FROM (SELECT r.device, %s FROM %s r WHERE r.recorded_at >= %L AND r.recorded_at < %L%s GROUP BY r.device) c', columns,
                   change_sums_sql(features, sort_order), readings_source(t.a, t.b, columns => features), t.a, t.b, whose), ' UNION ALL '))
        INTO cells FROM (VALUES (starts, whole_from), (whole_until, ends)) AS t (a, b) WHERE t.a < t.b;
    END IF;
    -- Where values are no numbers, or so large that sums take them as less, a device is looked at anyhow.
    -- The mean is lowest if of those readings that may be in the span so many are as their sum allows that are as low as the lowest of all, and no others.
    -- What sums round off may not lower the bound, nor values that are almost nothing, of which products and quotients are an error.
    RETURN (
        SELECT CASE WHEN by_sheets AND sheets.others = '{}' THEN '' ELSE
                   format('WITH sums AS MATERIALIZED (SELECT device, %s FROM (%s) c GROUP BY device) ', string_agg(f.sums, ', ' ORDER BY place), cells) END
               || string_agg(format(
                   'SELECT %1$s AS place, coalesce(array_agg(b.device), ''{}'') AS devices, array_agg(b.bound) AS bounds'
                   ' FROM (%2$s ORDER BY bound DESC, device LIMIT %3$s) b', place, concat_ws(' UNION ALL ', of_sheets[place],
                       CASE WHEN NOT by_sheets OR sheets.others <> '{}' THEN
                           format('SELECT device, CASE WHEN hi%1$s <= 1e290 AND lo%1$s >= -1e290 THEN %2$s ELSE 2e290 END AS bound FROM %3$s WHERE hi%1$s IS NOT NULL',
                                  place, f.bound, f.of_sums) END), most), ' UNION ALL ' ORDER BY place)
        FROM (
            SELECT n AS place,
                   format('min(lo%1$s) AS lo%1$s, max(hi%1$s) AS hi%1$s' || CASE by_what WHEN 'rise' THEN '' ELSE ', sum(n%1$s) AS n%1$s, sum(total%1$s) AS total%1$s'
                          || CASE WHEN has_rest THEN ', sum(m%1$s) AS m%1$s, sum(rest%1$s) AS rest%1$s' ELSE '' END END, n) AS sums,
                   -- m: how many of them
                   CASE WHEN by_what = 'rise' OR NOT has_rest THEN 'sums' ELSE format(
                       '(SELECT device, hi%1$s, lo%1$s, coalesce(n%1$s, 0) AS n%1$s, coalesce(total%1$s, 0) AS total%1$s, CASE WHEN m%1$s IS NULL THEN 0'
                       ' WHEN hi%1$s <= 1e290 AND lo%1$s >= -1e290 THEN CASE WHEN hi%1$s - lo%1$s < 1e-150 OR lo%1$s <> 0 AND abs(lo%1$s) < 1e-150 THEN NULL'
                       ' WHEN m%1$s * hi%1$s - rest%1$s > 1e-12 * (hi%1$s - lo%1$s) THEN least((m%1$s * hi%1$s - rest%1$s) / (hi%1$s - lo%1$s), m%1$s) ELSE 0 END END AS m%1$s'
                       ' FROM sums OFFSET 0) c', n) END AS of_sums,
                   format(CASE WHEN by_what = 'rise' THEN 'hi%1$s - lo%1$s'
                          ELSE 'hi%1$s + 1e-9 * greatest(abs(hi%1$s), abs(lo%1$s), 1e-190) - CASE '
                               || CASE WHEN has_rest THEN 'WHEN m%1$s IS NULL OR n%1$s + m%1$s <= 0 THEN lo%1$s WHEN abs(total%1$s + m%1$s * lo%1$s) > 1e-170'
                                                          ' THEN (total%1$s + m%1$s * lo%1$s) / (n%1$s + m%1$s) ELSE 0 END'
                                  ELSE 'WHEN abs(total%1$s) < 1e-200 THEN 0 ELSE total%1$s / n%1$s END' END END, n) AS bound
            FROM generate_subscripts(features, 1) n) f);
END $$;

-- A statement: device, change, and of a rise the cell in which it ended and the lowest value before that, for those of the devices $1
-- that may come before a device with the change $2.
CREATE FUNCTION change_look_sql(by_what text, feature text, sort_order text, starts timestamptz, ends timestamptz)
RETURNS text LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT change_known_sql(by_what, feature, sort_order, starts, ends) || CASE by_what WHEN 'deviation' THEN
        ' SELECT device, max(hi) - rollup_mean(sum(total), sum(n)::bigint) AS change, rollup_mean(sum(total), sum(n)::bigint) AS low, NULL::timestamptz AS from_at, NULL::timestamptz AS until_at'
        ' FROM known GROUP BY device'
    ELSE
        -- from one hour to another is known; then hours are read in which there may be more
        ', timed AS (SELECT *, min(lo) OVER (PARTITION BY device ORDER BY from_at ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS low FROM known),'
        ' sure AS (SELECT DISTINCT ON (device) device, from_at, until_at, low, greatest(hi - low, rise) AS change FROM timed'
        ' ORDER BY device, change DESC NULLS LAST, from_at DESC),'
        ' more AS (SELECT t.device, t.from_at, t.until_at, t.low, r.change FROM timed t JOIN sure s ON s.device = t.device'
        ' AND NOT t.is_read AND t.hi - t.lo >= $2 AND (s.change IS NULL OR (t.hi - t.lo, t.from_at) > (s.change, s.from_at))'
        ' CROSS JOIN LATERAL (SELECT max(y - low) AS change FROM ('
        || change_readings_sql(feature, sort_order, starts, ends, 't.device', 't.from_at', 't.until_at', 't.low') || ') v) r)'
        ' SELECT DISTINCT ON (device) device, change, low, from_at, until_at FROM (SELECT device, change, low, from_at, until_at FROM sure'
        ' UNION ALL SELECT device, change, low, from_at, until_at FROM more) c'
        ' WHERE change IS NOT NULL ORDER BY device, change DESC, from_at DESC'
    END
$$;

-- A statement: the devices $1 with the changes $2 ($3: the lows, and $4 and $5 the cells, that were found with them), as device, the
-- reading that is meant, change, against what, and when that was recorded, where it is a reading.
CREATE FUNCTION change_tell_sql(by_what text, feature text, sort_order text, starts timestamptz, ends timestamptz)
RETURNS text LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN change_known_sql(by_what, feature, sort_order, starts, ends) || format(CASE by_what WHEN 'deviation' THEN
        ' SELECT f.device, f.found, f.change, %1$s f.low, NULL::timestamptz FROM (SELECT DISTINCT ON (r.device) r.device, r.found, u.change, u.low FROM ('
        -- the whole hour with the highest, the latest such one, and what was read anyway
        ' SELECT k.device, (l.found).recorded_at, (l.found).content_hash, (l.found).value, l.found'
        ' FROM (SELECT * FROM known WHERE is_read UNION ALL (SELECT DISTINCT ON (device) * FROM known ORDER BY device, hi DESC, from_at DESC)) k'
        ' CROSS JOIN LATERAL (%2$s) l) r JOIN unnest($1, $2, $3) AS u (device, change, low) ON u.device = r.device'
        ' ORDER BY r.device, %3$s) f'
    ELSE
        ' SELECT e.device, l.found, e.change, %1$s e.low, b.recorded_at FROM (SELECT u.device, v.* FROM unnest($1, $3, $4, $5) AS u (device, low, from_at, until_at)'
        ' CROSS JOIN LATERAL (SELECT v.recorded_at, v.content_hash, v.y - v.low AS change, v.low FROM (%4$s) v WHERE v.low IS NOT NULL'
        ' ORDER BY change DESC, v.recorded_at DESC, v.content_hash DESC LIMIT 1) v) e'
        ' CROSS JOIN LATERAL (SELECT %5$s AS found FROM %7$s r WHERE r.device = e.device AND r.recorded_at = e.recorded_at AND r.content_hash = e.content_hash) l'
        ' CROSS JOIN LATERAL (SELECT max(v.recorded_at) AS recorded_at FROM (SELECT k.* FROM known k WHERE k.device = e.device AND k.lo <= e.low'
        ' AND k.from_at <= e.recorded_at ORDER BY k.from_at DESC LIMIT 2) k CROSS JOIN LATERAL (%6$s) v WHERE v.y = e.low) b'
    END,
        CASE sort_order WHEN 'desc' THEN '' ELSE '-' END,
        board_look_sql(feature, sort_order, starts, ends, 'infinity', 'k.device', 'k.from_at', 'k.until_at'),
        (rank_sql('value', sort_order)).of_device,
        change_readings_sql(feature, sort_order, starts, ends, 'u.device', 'u.from_at', 'u.until_at', 'u.low'),
        board_row_sql(feature, sort_order),
        change_readings_sql(feature, sort_order, starts, ends, 'k.device', 'k.from_at', 'least(k.until_at, e.recorded_at)', 'NULL::float8'),
        readings_source(starts, ends, 'e.device', NULL, 'e.recorded_at', 'e.recorded_at + interval ''1 microsecond'''));
END $$;

-- Of each feature, by its place, the devices that changed most in [starts, ends), those first, each with the reading in which it
-- did; NULL instead of ids: of all devices.
CREATE FUNCTION boards_by(by_what text, features text[], sort_order text, starts timestamptz, ends timestamptz, most bigint, kept boolean DEFAULT false,
                          of_devices integer[] DEFAULT NULL)
RETURNS TABLE (place integer, device_id text, best peaks, change double precision, against double precision, against_at timestamptz)
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET max_parallel_workers_per_gather = 0 SET work_mem = '64MB' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    state     storage_state;
    sign      double precision := CASE sort_order WHEN 'desc' THEN 1 ELSE -1 END;
    whose     text := CASE WHEN of_devices IS NULL THEN '' ELSE ' AND device = ANY ($1)' END;
    has_cuts  boolean;
    dropped   boolean;
    bound     record;
    n         integer;
    feature   text;
    look      text;
    first_page bigint;
    page      bigint;
    batch     bigint;
    done      bigint;
    known     bigint := coalesce(cardinality(of_devices), (SELECT c.reltuples::bigint FROM pg_class c WHERE c.oid = 'devices'::regclass)); -- devices, about
    enough    bigint;  -- to be looked at by way of bounds
    best_devices integer[];
    changes   double precision[];
    lows      double precision[];
    from_ats  timestamptz[];
    until_ats timestamptz[];
BEGIN
    PERFORM readings_settle();
    SELECT * INTO state FROM storage_state;
    IF starts < state.kept_from THEN
        IF NOT kept THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM (%s) c WHERE %s)',
                           change_cells_sql(change_columns_sql(features, sort_order), starts, least(ends, state.kept_from), true, whose),
                           (SELECT string_agg(format('n%s > 0', i), ' OR ') FROM generate_subscripts(features, 1) i)) INTO dropped USING of_devices;
            IF dropped THEN
                RAISE EXCEPTION USING ERRCODE = 'HW003', MESSAGE = format(
                    'readings recorded before %s were dropped, and sums do not tell how a value changed; from=%1$s, or later, is answered',
                    to_char(state.kept_from AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
            END IF;
        END IF;
        starts := state.kept_from;
    END IF;
    IF starts >= ends OR most < 1 THEN
        RETURN;
    END IF;
    has_cuts := date_bin('1 hour', starts, 'epoch') < starts OR ends < state.rolled_until AND date_bin('1 hour', ends, 'epoch') < ends;
    -- where hours are cut more devices may have to be looked at
    first_page := 64 + 2 * most + CASE WHEN has_cuts THEN 256 ELSE 0 END;
    FOR bound IN EXECUTE change_bounds_sql(by_what, features, sort_order, starts, ends, first_page, whose, false) USING of_devices LOOP
        n := bound.place;
        feature := features[n];
        look := change_look_sql(by_what, feature, sort_order, starts, ends);
        page := first_page;
        batch := greatest(most, 16);
        done := 0;
        enough := CASE WHEN has_cuts THEN greatest(256, known / 24) END;
        best_devices := '{}';
        changes := '{}';
        lows := '{}';
        from_ats := '{}';
        until_ats := '{}';
        LOOP
            IF done >= cardinality(bound.devices) THEN
                EXIT WHEN cardinality(bound.devices) < page;
                page := page * 8; -- the first of them are the same again
            ELSIF cardinality(changes) = most AND (bound.bounds[done + 1], -bound.devices[done + 1]) <= (changes[most], -best_devices[most]) THEN
                EXIT;
            ELSIF coalesce(done < enough, true) THEN
                EXECUTE format('SELECT coalesce(array_agg(device), ''{}''), coalesce(array_agg(change), ''{}''), array_agg(low), array_agg(from_at), array_agg(until_at) FROM ('
                               'SELECT * FROM (SELECT * FROM unnest($3, $4, $5, $6, $7) AS b (device, change, low, from_at, until_at)'
                               ' UNION ALL (%s)) c ORDER BY change DESC, device LIMIT %s) c', look, most)
                INTO best_devices, changes, lows, from_ats, until_ats
                USING ARRAY(SELECT b.device FROM unnest(bound.devices[done + 1 : done + batch], bound.bounds[done + 1 : done + batch]) b (device, bound)
                            WHERE b.device <> ALL (best_devices) AND (cardinality(changes) < most OR (b.bound, -b.device) > (changes[most], -best_devices[most]))),
                      coalesce(changes[most], '-Infinity'), best_devices, changes, lows, from_ats, until_ats;
                done := least(done + batch, cardinality(bound.devices));
                batch := least(batch * 2, greatest(most, 512));
                CONTINUE;
            END IF;
            IF done >= enough THEN
                enough := NULL;
                done := 0; -- those on the board are not looked at again
            END IF;
            EXECUTE change_bounds_sql(by_what, ARRAY[feature], sort_order, starts, ends, page, whose, has_cuts AND enough IS NULL) INTO bound USING of_devices;
        END LOOP;
        RETURN QUERY EXECUTE format('SELECT $7, d.device_id, t.found, $6 * t.change, t.against, t.at FROM (%s) t (device, found, change, against, at)'
                                    ' JOIN devices d ON d.id = t.device ORDER BY t.change DESC, t.device',
                                    change_tell_sql(by_what, feature, sort_order, starts, ends))
                     USING best_devices, changes, lows, from_ats, until_ats, sign, n;
    END LOOP;
END $$;
COMMENT ON FUNCTION boards_by(text, text[], text, timestamptz, timestamptz, bigint, boolean, integer[]) IS 'Of each feature, by its place, the devices that rose, or deviated from their mean, most (asc: fell, or deviated downwards) from `starts` until before `ends`, each with the reading in which it did, by how much, and against what.';
