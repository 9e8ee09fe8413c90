-- 020_compare: the readings of several devices: side by side in the same steps, and all of them, page by page.

-- Each of the devices in the steps of device_points(), which depend on the span alone: so it is settled first, of all
-- devices together. A device without readings there has one row, whose `at` is NULL; one that is unknown, too.
CREATE FUNCTION devices_points(of_devices text[], starts timestamptz, ends timestamptz, most bigint, features text[])
RETURNS TABLE (place bigint, device_id text, is_known boolean, first_at timestamptz, last_at timestamptz,
               step_ms double precision, at timestamptz, readings bigint,
               lowest double precision[], highest double precision[], mean double precision[])
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    known integer[] := ARRAY(SELECT d.id FROM devices d WHERE d.device_id = ANY (of_devices));
    span  record;
    since timestamptz := starts;
    until timestamptz := ends;
    cell_us bigint;
BEGIN
    SELECT min(s.first_at) AS first_at, max(s.last_at) AS last_at INTO span FROM device_spans(known) s;
    IF starts = '-infinity' THEN
        since := span.first_at;
    END IF;
    IF ends = 'infinity' THEN
        until := span.last_at + interval '1 microsecond';
    END IF;
    IF since < until THEN
        cell_us := plot_cell(known, since, until, most);
    END IF;
    RETURN QUERY
        SELECT o.place, o.device_id, p.device_id IS NOT NULL, since, CASE WHEN ends = 'infinity' THEN span.last_at ELSE ends END,
               p.step_ms, p.at, p.readings, p.lowest, p.highest, p.mean
        FROM unnest(of_devices) WITH ORDINALITY AS o (device_id, place)
        LEFT JOIN (SELECT d.device_id, q.* FROM devices d CROSS JOIN LATERAL device_points(d.id, since, until, most, features, cell_us) q
                   WHERE d.device_id = ANY (of_devices)) p ON p.device_id = o.device_id
        ORDER BY o.place, p.at;
END $$;
COMMENT ON FUNCTION devices_points(text[], timestamptz, timestamptz, bigint, text[]) IS 'As device_points(), of several devices in the same steps.';
