-- 019_heatmap: the whole fleet at a glance, time by value.
--
-- Each device is counted once in each column, a step of time, in the row that its highest value of then lies in. So a column
-- adds up to the devices that sent the feature then, a spike of one device is a cell of its own, and it means the same
-- whether it is made of readings or of rollups, which hold each device's highest value of an hour and of a day.
-- Rejected: to count readings, which rollups do not have by value; and a device at its mean, where spikes vanish.
--
-- Steps are as short as the number of columns allows, but cost a bounded amount: steps below an hour are made of
-- readings, where the sums of the fleet say that these are few enough; else of hours, and over more than so many
-- device-hours of days. Columns are whole steps since 1970, so the span is widened to them.
--
-- Who has a map already, and shows it while time goes on, asks about its last columns only (`since`), in the rows of the map (`given_low`
-- and `given_high`) and with its line (`of_device`); where values lie outside of these, the answer's low or high says so.

CREATE FUNCTION heatmap_step(starts timestamptz, ends timestamptz, columns integer, least_step interval) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    -- the first of these that fits, else whole days
    SELECT coalesce(
        (SELECT min(s.step) FROM unnest('{1s,2s,5s,10s,15s,30s,1min,2min,5min,10min,15min,30min,1h,2h,3h,6h,12h}'::interval[]) AS s (step)
         WHERE s.step >= least_step AND date_part('epoch', date_bin(s.step, ends - interval '1 microsecond', 'epoch') - date_bin(s.step, starts, 'epoch'))
               < columns * date_part('epoch', s.step)),
        make_interval(hours => 24 * ceil(date_part('epoch', ends - starts) / 86400 / (columns - 1))::integer))
$$;

CREATE FUNCTION heatmap(feature text, starts_at timestamptz, ends_at timestamptz, columns integer, rows integer, since timestamptz DEFAULT '-infinity',
                        given_low double precision DEFAULT NULL, given_high double precision DEFAULT NULL, of_device text DEFAULT '') RETURNS json
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET max_parallel_workers_per_gather = 0 SET work_mem = '64MB' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_readings CONSTANT bigint := 700000;
    most_hours    CONSTANT bigint := 1000000; -- of devices
    ends   timestamptz := least(ends_at, '2200-01-01Z'); -- steps of such a span can still be told
    starts timestamptz := least(greatest(starts_at, '1900-01-01Z'), ends);
    state  storage_state;
    moment CONSTANT text := 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"';
    source text := 'hours';
    known  bigint;
    step   interval;
    steps  timestamptz[];
    read_from timestamptz; -- since when readings are read
    points text; -- as SQL: device, from_at, hi
    low    double precision;
    high   double precision;
    highest double precision;
    high_at timestamptz; -- the latest step with the highest
    top    integer;
    line   json;
    counts json;
BEGIN
    PERFORM readings_settle();
    SELECT * INTO state FROM storage_state;
    step := heatmap_step(starts, ends, columns, '1 second');
    IF step < interval '1 hour' AND date_bin(step, starts, 'epoch') >= state.kept_from THEN
        -- by ten seconds, or of what has no such sums left, by the hour
        EXECUTE format('SELECT coalesce(sum(readings), 0) FROM (SELECT readings FROM rollup_fleet WHERE bucket >= %1$L AND bucket < %2$L'
                       ' UNION ALL SELECT readings FROM rollup_fleet_log WHERE bucket >= %1$L AND bucket < %2$L) f',
                       date_bin('10 seconds', starts, 'epoch'), ends) INTO known;
        source := CASE WHEN known <= most_readings THEN 'readings' ELSE 'hours' END;
    END IF;
    IF source = 'hours' THEN
        source := CASE WHEN date_part('epoch', ends - starts) / 3600 * (SELECT count(*) FROM devices) <= most_hours THEN 'hours' ELSE 'days' END;
        step := heatmap_step(starts, ends, columns, CASE source WHEN 'hours' THEN interval '1 hour' ELSE interval '24 hours' END);
    END IF;
    ends := CASE WHEN starts < ends THEN date_bin(step, ends - interval '1 microsecond', 'epoch') + step ELSE date_bin(step, starts, 'epoch') END;
    starts := date_bin(step, greatest(starts, least(since, ends)), 'epoch');
    steps := ARRAY(SELECT generate_series(starts, ends - interval '1 microsecond', step));
    read_from := CASE source WHEN 'readings' THEN starts ELSE greatest(starts, state.rolled_until) END;
    points := CASE WHEN source = 'readings' OR ends > state.rolled_until THEN format(
        'SELECT r.device, r.recorded_at AS from_at, r.%1$I AS hi FROM %4$s r WHERE r.recorded_at >= %2$L AND r.recorded_at < %3$L AND r.%1$I <> ''NaN''',
        feature, read_from, ends, readings_source(read_from, ends, columns => ARRAY[feature])) END;
    IF source <> 'readings' THEN
        points := concat_ws(' UNION ALL ', points, format('SELECT device, from_at, hi FROM (%s) c WHERE hi <> ''NaN''',
                                                          change_cells_sql(format('%I AS hi', feature || '_max'), starts, ends, source = 'days', '')));
    END IF;
    -- By far the most rows are those of single devices in single steps. So that these are made once and kept nowhere, each step
    -- is a row with the values of all devices before anybody asks how high the highest is.
    EXECUTE format(
        'WITH step AS MATERIALIZED (SELECT at, array_agg(hi) AS his, min(hi) AS low, max(hi) AS high FROM ('
        'SELECT date_bin($1, from_at, $2) AS at, %s AS hi FROM (%s) p GROUP BY device, 1) p GROUP BY at),'
        ' extent AS MATERIALIZED (SELECT coalesce($5, min(s.low)) AS low, coalesce($6, max(s.high)) AS high, min(s.low) AS least, max(s.high) AS most FROM step s),'
        ' cell AS (SELECT s.at, CASE WHEN e.low >= e.high THEN 1 ELSE greatest(1, least(width_bucket(v.hi, e.low, e.high, $3), $3)) END AS row, count(*) AS n'
        ' FROM step s, extent e, unnest(s.his) AS v (hi) GROUP BY 1, 2)'
        ' SELECT least(e.low, e.least), greatest(e.high, e.most), e.most, (SELECT max(s.at) FROM step s WHERE s.high = e.most), (SELECT json_agg(c.counts ORDER BY c.at) FROM ('
        'SELECT x.at, json_agg(coalesce(cell.n, 0) ORDER BY y.row) AS counts FROM unnest($4) AS x (at) CROSS JOIN generate_series(1, $3) AS y (row)'
        ' LEFT JOIN cell ON cell.at = x.at AND cell.row = y.row GROUP BY x.at) c) FROM extent e', change_value_sql('max(hi)'), points)
    INTO low, high, highest, high_at, counts USING step, starts, rows, steps, given_low, given_high;
    IF of_device <> '' THEN
        top := (SELECT d.id FROM devices d WHERE d.device_id = of_device);
    ELSE
        EXECUTE format('SELECT min(device) FROM (%s) p WHERE from_at >= $1 AND from_at < $2 AND %s = $3', points, change_value_sql('hi'))
        INTO top USING high_at, high_at + step, highest;
    END IF;
    IF top IS NOT NULL THEN
        EXECUTE format('SELECT json_agg(p.hi ORDER BY x.at) FROM unnest($4) AS x (at) LEFT JOIN ('
                       'SELECT date_bin($1, from_at, $2) AS at, %s AS hi FROM (%s) p WHERE device = $3 GROUP BY 1) p ON p.at = x.at',
                       change_value_sql('max(hi)'), points) INTO line USING step, starts, top, steps;
        line := json_build_object('deviceId', (SELECT d.device_id FROM devices d WHERE d.id = top), 'highest', line);
    END IF;
    RETURN json_build_object('feature', feature, 'from', to_char(starts AT TIME ZONE 'UTC', moment), 'to', to_char(ends AT TIME ZONE 'UTC', moment),
                             'stepMs', (date_part('epoch', step) * 1000)::bigint, 'source', source, 'low', low, 'high', high,
                             'columns', coalesce(counts, '[]'), 'top', line);
END $$;
COMMENT ON FUNCTION heatmap(text, timestamptz, timestamptz, integer, integer, timestamptz, double precision, double precision, text) IS 'How many devices had their highest value of a step of time in each of so many rows of equal height, from `starts` until before `ends`, in at most so many columns; with the line of the device that was highest.';
