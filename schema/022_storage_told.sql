-- 022_storage_told: for how long readings are kept, and what those of one device take.
--
-- RETENTION is a setting of collectors, and what a reading takes costs a tenth of a second to find
-- out (disk_bytes()). So whoever looks after storage writes both down, each minute, and whoever is
-- asked about a device reads one row.

CREATE TABLE storage_told (
    is_only       boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    told_at       timestamptz NOT NULL,
    retention_ms  bigint NOT NULL,
    reading_bytes double precision
) WITH (fillfactor = 50);
COMMENT ON TABLE storage_told IS 'One row, or none before a collector has looked after storage: what it found last.';
COMMENT ON COLUMN storage_told.is_only IS 'Always true: there is one row.';
COMMENT ON COLUMN storage_told.told_at IS 'When it looked.';
COMMENT ON COLUMN storage_told.retention_ms IS 'RETENTION of the collector that looks after storage; 0: readings are kept for ever.';
COMMENT ON COLUMN storage_told.reading_bytes IS 'What readings, packed or with their keys, take on disk, by how many there are; NULL: none.';

-- Readings that came after their partition was dropped are few, and count in the bytes only.
CREATE FUNCTION tell_storage(retention_ms bigint) RETURNS TABLE (what text, bytes bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    sizes jsonb := (SELECT jsonb_object_agg(d.what, d.bytes) FROM disk_bytes() d);
    kept  numeric := (SELECT sum(c.readings)
                      FROM storage_state s, status_counts(0, s.kept_from, 'infinity') c);
BEGIN
    INSERT INTO storage_told AS t VALUES (true, now(), tell_storage.retention_ms,
        ((sizes->>'readings')::numeric + (sizes->>'keys')::numeric + coalesce((sizes->>'packed')::numeric, 0)) / nullif(kept, 0))
    ON CONFLICT (is_only) DO UPDATE SET told_at = excluded.told_at, retention_ms = excluded.retention_ms,
                                        reading_bytes = excluded.reading_bytes;
    RETURN QUERY SELECT s.key, s.value::bigint FROM jsonb_each_text(sizes) s ORDER BY s.key;
END $$;
COMMENT ON FUNCTION tell_storage(bigint) IS 'disk_bytes(), and storage_told is up to date. For the collector that looks after storage.';

CREATE FUNCTION device_storage(of_device integer, OUT since timestamptz, OUT retention_ms bigint, OUT estimated_bytes bigint)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT (SELECT r.recorded_at FROM device_page(of_device, '-infinity', 'infinity', false, 1) r), t.retention_ms,
           (t.reading_bytes * (SELECT sum(c.readings) FROM storage_state s, status_counts(of_device, s.kept_from, 'infinity') c))::bigint
    FROM (VALUES (1)) one LEFT JOIN storage_told t ON true
$$;
COMMENT ON FUNCTION device_storage(integer) IS 'Of a device (devices.id): its oldest reading that is still there, RETENTION (0: for ever; NULL: no collector has said), and what its readings take on disk if each takes as much as any other.';
