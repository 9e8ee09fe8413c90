-- 013_sizes: what takes the disk.
--
-- By table, not of the whole database, so that the sums say what to do: PACK_AFTER and RETENTION are for readings, their
-- keys and what is packed, REJECTED_SIZE for what was rejected. It asks the file system about each table and index: a tenth of a
-- second for a year of days.

CREATE FUNCTION disk_bytes(OUT what text, OUT bytes bigint) RETURNS SETOF record
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY WITH tables AS (
        SELECT c.oid, c.relname, p.relid IS NOT NULL OR c.relname IN (SELECT detached FROM packed_days) AS is_part,
               c.relname IN (SELECT chunks FROM packed_days) AS is_packed
        FROM pg_class c LEFT JOIN pg_partition_tree('readings') p ON p.relid = c.oid
        WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'readings'::regclass)
    )
    SELECT sizes.what, sum(sizes.bytes)::bigint
    FROM (
        SELECT CASE WHEN is_part THEN 'readings' WHEN is_packed THEN 'packed' WHEN relname LIKE 'rollup\_%' THEN 'rollups'
                    WHEN relname LIKE 'rejected\_%' THEN 'rejected' ELSE 'other' END,
               CASE WHEN is_part THEN pg_table_size(oid) ELSE pg_total_relation_size(oid) END
        FROM tables
        UNION ALL
        SELECT 'keys', pg_indexes_size(oid) FROM tables WHERE is_part
    ) sizes (what, bytes)
    GROUP BY sizes.what;
END $$;
COMMENT ON FUNCTION disk_bytes() IS 'Bytes on disk: of readings, of their keys (indexes), of packed readings, of rollups, of rejected messages, and of all else with its indexes.';

-- Of values in an hour (024_values): a node of a feature for each span that has readings enough at such a rate.
CREATE FUNCTION value_bytes(features integer, a_day numeric) RETURNS integer LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT coalesce(ceil(sum(1500 * features / u.hours)), 0)
            FROM (SELECT v.fewest, extract(epoch FROM v.length) / 3600 AS hours FROM value_units() v) u WHERE a_day * u.hours / 24 >= u.fewest);
END $$;

-- What a fleet will take, before there is one, or when one is to grow. A row's bytes are PostgreSQL's own
-- arithmetic, the others are measured. A key takes 41 to 71: where many devices store into one B-tree, most of
-- its pages split in the middle and stay half full; 65 is what a day of one reading a second left.
CREATE FUNCTION disk_expected(devices bigint, every interval, retention interval DEFAULT NULL, features integer DEFAULT 2,
                              after interval DEFAULT '1 year', pack_after interval DEFAULT '2 days')
RETURNS TABLE (what text, bytes_each integer, a_day text, after_that text)
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    day     constant numeric := 86400;
    span    constant numeric := extract(epoch FROM disk_expected.after) / day;
    kept    constant numeric := least(span, extract(epoch FROM disk_expected.retention) / day);
    each    constant numeric := day / nullif(extract(epoch FROM disk_expected.every), 0);
    -- header with a bit for each column, the fixed columns, the features; its pointer in the page
    reading constant integer := CASE WHEN features > 2 THEN 32 ELSE 24 END + 32 + 8 * features + 4;
    sums    constant integer := 138 + 39 * features;
    -- as long as a day lasts, and until it has been over for PACK_AFTER
    loose   constant numeric := least(kept, coalesce(1 + extract(epoch FROM disk_expected.pack_after) / day, kept));
    -- a chunk is of one day, and of 4,000 readings at most
    packed  constant integer := ceil(7 + 2.2 * features + (260 + 100 * features) / greatest(1, least(4000, each)));
    -- hours are packed by two days and 16 devices
    loose_hours constant numeric := least(span, coalesce(3 + extract(epoch FROM disk_expected.pack_after) / day, span));
    hour    constant integer := ceil(16 + 20 * features + (1000 + 600 * features) / (2 * greatest(1, least(24, each)) * greatest(1, least(16, devices))));
    -- arrays of 66 elements, or 426 (027_minutes)
    minutes constant integer := CASE WHEN each / 24 >= 10000 THEN 900 + 4060 * features WHEN each / 24 >= 600 THEN 250 + 1010 * features ELSE 0 END;
BEGIN
    IF devices IS NULL OR devices < 1 OR each IS NULL OR each <= 0 OR features IS NULL OR features NOT BETWEEN 0 AND 200
       OR span IS NULL OR span <= 0 OR retention < '1 hour' OR pack_after < '0 s' THEN
        RAISE 'disk_expected: % devices, a reading every %, retention %, % features, after %, packed after %: legal are 1 device or more, times above 0, a retention of an hour or more, or NULL for ever, 0 to 200 features, and a PACK_AFTER of 0 or more, or NULL for never',
            devices, every, coalesce(retention::text, 'for ever'), features, after, coalesce(pack_after::text, 'never') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    WITH rows (what, bytes_each, a_day, days) AS (
        VALUES ('reading', reading, each * devices, loose),
               ('its key', 65, each * devices, loose),
               ('a packed reading', packed, each * devices, kept - loose),
               ('ten seconds of the fleet', sums, least(8640, each * devices), kept),
               ('an hour of a device', sums + 17 * least(features, 64), least(24, each) * devices, loose_hours),
               ('a packed hour of a device', hour, least(24, each) * devices, span - loose_hours),
               -- a page has that of 64 devices and a feature, whether they send or not; of a small fleet there is none (030_sheets)
               ('an hour of a device in sheets', CASE WHEN devices >= 1000 THEN 128 * least(features, 64) ELSE 0 END, 24 * devices::numeric, least(span, 4)),
               ('a day of a device', sums, least(1, each) * devices, span),
               ('minutes of an hour of a device', minutes, 24 * devices::numeric, kept),
               ('values of an hour of a device', value_bytes(features, each), 24 * devices::numeric, kept),
               ('values of an hour of the fleet', value_bytes(features, each * devices), 24, kept),
               ('a device', 1400 + 700 * features, NULL, NULL)
    ), sized (what, bytes_each, a_day, in_all) AS (
        SELECT r.what, r.bytes_each, r.bytes_each * r.a_day, coalesce(r.bytes_each * r.a_day * r.days, r.bytes_each * devices::numeric) FROM rows r
    )
    SELECT s.what, s.bytes_each, pg_size_pretty(round(s.a_day)), pg_size_pretty(round(s.in_all)) FROM sized s
    UNION ALL
    SELECT 'all, once days are packed', NULL, pg_size_pretty(round(sum(s.a_day) FILTER (WHERE s.what NOT IN ('reading', 'its key', 'an hour of a device') OR pack_after IS NULL))),
           pg_size_pretty(round(sum(s.in_all))) FROM sized s WHERE s.what NOT IN ('a packed reading', 'a packed hour of a device') OR pack_after IS NOT NULL
    UNION ALL
    SELECT 'write-ahead log, for an archive', reading + 124, pg_size_pretty(round(each * devices * (reading + 124))), NULL;
END $$;
COMMENT ON FUNCTION disk_expected(bigint, interval, interval, integer, interval, interval) IS 'What so many devices that send once every so often take on disk, a day and after a time, with RETENTION and PACK_AFTER or NULL: SELECT * FROM disk_expected(10000, ''1 second'', ''90 days'').';
