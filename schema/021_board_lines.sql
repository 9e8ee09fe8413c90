-- 021_board_lines: what the lines beside the rows of a board are drawn from.
--
-- Boards of a whole page at once: tens of devices, or a thousand. Where steps are shorter than an hour the readings of
-- all of a feature's devices are found by one statement, each device's by the key's index, so that no plan is made for
-- each: a third of the time of device_points(), which longer steps need for their rollups.
CREATE FUNCTION board_lines(of_devices integer[], feature text, starts timestamptz, ends timestamptz, most bigint)
RETURNS TABLE (device integer, at timestamptz, lowest double precision, highest double precision)
LANGUAGE plpgsql STABLE SET max_parallel_workers_per_gather = 0 SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    hour_us CONSTANT bigint := 3600000000;
    steps record;
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
    RETURN QUERY EXECUTE format(
        'SELECT "the device", p.* FROM unnest($1) w ("the device") CROSS JOIN LATERAL (
             SELECT date_bin(''%s microseconds'', recorded_at, %L), min(%I), max(%3$I) FROM readings
             WHERE device = "the device" AND recorded_at >= %2$L AND recorded_at < %4$L AND %3$I IS NOT NULL GROUP BY 1) p',
        steps.step_us, starts, feature, ends) USING of_devices;
END $$;
COMMENT ON FUNCTION board_lines(integer[], text, timestamptz, timestamptz, bigint) IS 'The lowest and highest value of a feature of some devices (devices.id), from `starts` until before `ends`, in each step of plot_steps() that has one.';
