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

-- A page of all readings, device by device in the order of their ids (by bytes), each as device_page() has it: so any page
-- is found by the key of readings, whatever came before it. NULL instead of ids: of all devices. However few readings there are in the
-- span, a page looks at so many devices only: then its last row is the device it got to, with nothing but that.
-- Rejected: the order of time. No index has it, and those that it could be read from (the block ranges of
-- recorded_at) are no help where devices send late.
CREATE FUNCTION fleet_page(of_devices text[], starts timestamptz, ends timestamptz, most bigint, most_devices integer,
                           after_device text DEFAULT '', after_at timestamptz DEFAULT NULL, after_hash bigint DEFAULT NULL,
                           wanted text[] DEFAULT NULL)
RETURNS SETOF readings LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    one    record;
    seen   integer := 0;
    found  bigint;
    marker readings;
BEGIN
    FOR one IN EXECUTE 'SELECT d.id, d.device_id FROM devices d WHERE d.device_id >= $1'
                       || CASE WHEN of_devices IS NULL THEN '' ELSE ' AND d.device_id = ANY ($2)' END
                       || ' ORDER BY d.device_id LIMIT ' || most_devices + 1 USING after_device, of_devices LOOP
        IF seen = most_devices THEN
            marker.device := one.id;
            RETURN NEXT marker;
            RETURN;
        END IF;
        IF one.device_id = after_device THEN
            RETURN QUERY SELECT * FROM device_page(one.id, starts, ends, false, most, after_at, after_hash, wanted);
        ELSE
            RETURN QUERY SELECT * FROM device_page(one.id, starts, ends, false, most, wanted => wanted);
        END IF;
        GET DIAGNOSTICS found = ROW_COUNT;
        most := most - found;
        IF most <= 0 THEN
            RETURN;
        END IF;
        seen := seen + 1;
    END LOOP;
END $$;
COMMENT ON FUNCTION fleet_page(text[], timestamptz, timestamptz, bigint, integer, text, timestamptz, bigint, text[]) IS 'Up to `most` readings of some devices (NULL: of all) that are still kept, in the order of device id, time and content_hash, after those named last. A row without a time: no more until this device.';
