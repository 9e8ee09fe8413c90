-- 021_board_lines: what the lines beside the rows of a board are drawn from.
--
-- Boards of a whole page at once: tens of devices, or a thousand. Where steps are shorter than an hour the readings of
-- all of a feature's devices are found by one statement, each device's by the key's index, so that no plan is made for
-- each: a third of the time of device_points(), which longer steps need for their rollups. Of more than two hours, cells
-- of 027_minutes stand in for most readings; what is an hour away is mostly not in cells yet.
CREATE FUNCTION board_lines(of_devices integer[], feature text, starts timestamptz, ends timestamptz, most bigint)
RETURNS TABLE (device integer, at timestamptz, lowest double precision, highest double precision)
LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET jit = off SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    hour_us CONSTANT bigint := 3600000000;
    steps record;
    found text; -- the readings of "its span" and "the device"
BEGIN
    IF starts >= ends THEN
        RETURN;
    END IF;
    SELECT * INTO steps FROM plot_steps(starts, ends, most);
    IF steps.step_us >= hour_us THEN
        RETURN QUERY SELECT d.of_device, p.at, p.lowest[1], p.highest[1]
                     FROM unnest(of_devices) d (of_device), device_points(d.of_device, starts, ends, most, ARRAY[feature]) p
                     WHERE p.lowest[1] IS NOT NULL;
        RETURN;
    END IF;
    PERFORM readings_settle();
    found := format('SELECT date_bin(''%s microseconds'', r.recorded_at, %L) AS at, min(r.%I) AS l, max(r.%3$I) AS h FROM %s r'
                    ' WHERE r.device = "the device" AND r.recorded_at >= %2$L AND r.recorded_at < %5$L AND r.%3$I IS NOT NULL%6$s GROUP BY 1',
                    steps.step_us, steps.origin, feature,
                    CASE WHEN ends - starts <= interval '2 hours' THEN readings_source(starts, ends, '"the device"', ARRAY[feature])
                         ELSE readings_source(starts, ends, '"the device"', ARRAY[feature], 'lower("its span")', 'upper("its span")') END,
                    ends, CASE WHEN ends - starts > interval '2 hours'
                               THEN ' AND r.recorded_at >= lower("its span") AND r.recorded_at < upper("its span")' END);
    IF ends - starts <= interval '2 hours' THEN
        RETURN QUERY EXECUTE 'SELECT "the device", p.* FROM unnest($1) w ("the device") CROSS JOIN LATERAL (' || found || ') p' USING of_devices;
        RETURN;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT "the device", p.* FROM unnest($1) w ("the device")
         CROSS JOIN LATERAL (SELECT minutes_cover("the device", $2, $3, $4) AS "its cells" OFFSET 0) c
         CROSS JOIN LATERAL (
             SELECT p.at, min(p.l), max(p.h) FROM (
                 SELECT f.* FROM unnest($2 - "its cells") rest ("its span") CROSS JOIN LATERAL (%s) f
                 UNION ALL SELECT m.at, m.l, m.h FROM (%s) m) p GROUP BY 1) p',
        found, minutes_sql('"the device"', ARRAY[feature], '"its cells"', starts, ends, steps.origin, steps.step_us))
    USING of_devices, tstzmultirange(tstzrange(starts, ends)), steps.origin, steps.step_us;
END $$;
COMMENT ON FUNCTION board_lines(integer[], text, timestamptz, timestamptz, bigint) IS 'The lowest and highest value of a feature of some devices (devices.id), from `starts` until before `ends`, in each step of plot_steps() that has one.';
