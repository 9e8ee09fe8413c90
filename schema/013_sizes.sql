-- 013_sizes: what takes the disk.
--
-- By table, not of the whole database, so that the sums say what to do: RETENTION is for the first two,
-- REJECTED_SIZE for the fourth. It asks the file system about each table and index: a tenth of a
-- second for a year of days.

CREATE FUNCTION disk_bytes(OUT what text, OUT bytes bigint) RETURNS SETOF record
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    WITH tables AS (
        SELECT c.oid, c.relname, p.relid IS NOT NULL AS is_part
        FROM pg_class c LEFT JOIN pg_partition_tree('readings') p ON p.relid = c.oid
        WHERE c.relkind = 'r' AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'readings'::regclass)
    )
    SELECT sizes.what, sum(sizes.bytes)::bigint
    FROM (
        SELECT CASE WHEN is_part THEN 'readings' WHEN relname LIKE 'rollup\_%' THEN 'rollups'
                    WHEN relname LIKE 'rejected\_%' THEN 'rejected' ELSE 'other' END,
               CASE WHEN is_part THEN pg_table_size(oid) ELSE pg_total_relation_size(oid) END
        FROM tables
        UNION ALL
        SELECT 'keys', pg_indexes_size(oid) FROM tables WHERE is_part
    ) sizes (what, bytes)
    GROUP BY sizes.what
$$;
COMMENT ON FUNCTION disk_bytes() IS 'Bytes on disk: of readings, of their keys (indexes), of rollups, of rejected messages, and of all else with its indexes.';
