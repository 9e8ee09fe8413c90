-- 025_values_upkeep: nodes of values (024_values) are made, folded and taken away.
--
-- Made by the collector that looks after storage, one at a time, a slice a call; what came late is folded in, and
-- hours that lost their nodes, or never had any, are made again.

-- Makes some of the nodes that are due: one slice. True: there is more.
CREATE FUNCTION values_pass() RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_rows CONSTANT bigint := 150000; -- of devices, in one slice
    state   storage_state;
    u       record;
    starts  timestamptz;
    ends    timestamptz;
    devices integer[];
    at      timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT * INTO state FROM storage_state;
    UPDATE rollup_value_passes p SET until = date_bin(v.length, state.kept_from, 'epoch'), device = -1
    FROM value_units() v WHERE v.unit = p.unit AND p.until < date_bin(v.length, state.kept_from, 'epoch');
    SELECT v.unit, v.length, v.fewest, p.until, p.device, coalesce(up.length, v.length) AS longer INTO u
    FROM rollup_value_passes p JOIN value_units() v USING (unit) LEFT JOIN value_units() up ON up.unit = v.unit + 1
    WHERE p.until + v.length <= state.rolled_until ORDER BY unit LIMIT 1;
    IF u.unit IS NULL THEN
        RETURN values_catch_up();
    ELSIF u.unit < 3 THEN
        -- nobody has sent more than all have
        ends := least(date_bin(u.length, state.rolled_until, 'epoch'), u.until + interval '24 hours');
        PERFORM values_settle_recent(u.unit, u.until, ends) WHERE u.unit < 2;
        SELECT min(b.bucket) INTO starts FROM (
            SELECT date_bin(u.length, f.bucket, 'epoch') AS bucket FROM rollup_fleet f WHERE f.bucket >= u.until AND f.bucket < ends
            GROUP BY 1 HAVING sum(f.readings) >= u.fewest) b;
        IF starts IS NULL THEN
            UPDATE rollup_value_passes SET until = ends WHERE unit = u.unit;
            RETURN true;
        END IF;
        ends := least(ends, date_bin(u.longer, starts, 'epoch') + u.longer);
        PERFORM values_build(u.unit, starts, ends, '{0}');
        at := date_bin('1 hour', starts, 'epoch');
        SELECT array_agg(h.device) INTO devices
        FROM (SELECT h.device, h.readings FROM rollup_hours h WHERE h.bucket = at AND h.device > 0
              UNION ALL SELECT o.device, o.readings FROM rollup_open o WHERE o.unit = 'hour' AND o.bucket = at) h
        WHERE h.readings * extract(epoch FROM u.length) >= u.fewest * extract(epoch FROM least(state.rolled_until, at + interval '1 hour') - at);
        PERFORM values_build(u.unit, starts, ends, devices) WHERE devices IS NOT NULL;
        UPDATE rollup_value_passes SET until = ends WHERE unit = u.unit;
    ELSIF u.device < 0 THEN
        PERFORM values_build(u.unit, u.until, u.until + u.length, '{0}');
        UPDATE rollup_value_passes SET device = 0 WHERE unit = u.unit;
    ELSE
        SELECT array_agg(d.id ORDER BY d.id) INTO devices
        FROM (SELECT d.id, sum(least(n.readings, 25000)) OVER (ORDER BY d.id) - least(n.readings, 25000) AS before
              FROM (SELECT id FROM devices WHERE id > u.device ORDER BY id LIMIT 200) d
              CROSS JOIN LATERAL value_readings(d.id, u.until, u.until + u.length) n (readings)) d
        WHERE before < most_rows;
        IF devices IS NULL THEN
            UPDATE rollup_value_passes SET until = u.until + u.length, device = -1 WHERE unit = u.unit;
        ELSE
            PERFORM values_build(u.unit, u.until, u.until + u.length, many) FROM (
                SELECT array_agg(d) AS many FROM unnest(devices) d WHERE value_readings(d, u.until, u.until + u.length) >= u.fewest) m
            WHERE many IS NOT NULL;
            UPDATE rollup_value_passes SET device = devices[cardinality(devices)] WHERE unit = u.unit;
        END IF;
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION values_pass() IS 'For the collector that looks after storage: makes some of what rollup_values lacks. True: there is more.';

-- Of recent nodes (024_values) whose spans are rolled up now: those that hold all of their readings, none of them late, are as good as if
-- they were made now. Takes away the others.
CREATE FUNCTION values_settle_recent(of_unit smallint, starts timestamptz, ends timestamptz) RETURNS void
LANGUAGE sql SET search_path FROM CURRENT AS $$
    WITH gone AS (
        DELETE FROM rollup_value_spans s USING value_units() u
        WHERE u.unit = of_unit AND s.device = 0 AND s.unit = of_unit AND s.bucket >= starts AND s.bucket < ends
          AND (NOT EXISTS (SELECT FROM values_recent_state(of_unit, starts) n WHERE n.bucket = s.bucket AND n.is_whole)
               OR EXISTS (SELECT FROM rollup_late_values l WHERE l.device = 0 AND l.recorded_at >= s.bucket AND l.recorded_at < s.bucket + u.length))
        RETURNING s.bucket)
    DELETE FROM rollup_values v USING gone g WHERE v.device = 0 AND v.unit = of_unit AND v.bucket = g.bucket
$$;

-- Makes nodes of the fleet for spans that are over and not rolled up yet, those that have none first, and makes those again to which readings
-- came since. Returns how many: one slice.
CREATE FUNCTION values_recent() RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_rows CONSTANT bigint := 150000; -- in one slice
    n    record;
    made bigint := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    FOR n IN
        SELECT c.unit, c.bucket, c.length FROM (
            SELECT u.unit, s.bucket, u.length, sum(s.readings) OVER (PARTITION BY u.unit ORDER BY s.is_whole IS NOT NULL, s.bucket) - s.readings AS before
            FROM value_units() u JOIN rollup_value_passes p USING (unit)
            CROSS JOIN LATERAL values_recent_state(u.unit, p.until) s
            WHERE u.unit < 2 AND s.is_whole IS NOT TRUE AND s.readings >= u.fewest AND s.bucket + u.length <= now() - interval '2 seconds') c
        WHERE c.before < most_rows ORDER BY c.unit, c.bucket LIMIT 20
    LOOP
        -- a minute is made of its tens of seconds
        CONTINUE WHEN n.unit = 1 AND EXISTS (
            SELECT FROM value_units() u, values_recent_state(0::smallint, n.bucket) s
            WHERE u.unit = 0 AND s.bucket < n.bucket + n.length AND s.is_whole IS NOT TRUE AND s.readings >= u.fewest);
        DELETE FROM rollup_value_spans s WHERE s.device = 0 AND s.unit = n.unit AND s.bucket = n.bucket;
        DELETE FROM rollup_values v WHERE v.device = 0 AND v.unit = n.unit AND v.bucket = n.bucket;
        made := made + values_build(n.unit, n.bucket, n.bucket + n.length, '{0}', true);
    END LOOP;
    RETURN made;
END $$;
COMMENT ON FUNCTION values_recent() IS 'For the collector that looks after storage, every few seconds: makes nodes of the fleet for spans that are over and not rolled up yet. Returns how many.';

-- How many readings of a device the rollups have of whole hours, or days.
CREATE FUNCTION value_readings(of_device integer, starts timestamptz, ends timestamptz) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    IF ends - starts < interval '24 hours' THEN
        RETURN (SELECT coalesce(sum(h.readings), 0) FROM rollup_hours h WHERE h.device = of_device AND h.bucket >= starts AND h.bucket < ends);
    END IF;
    RETURN (SELECT coalesce(sum(d.readings), 0) FROM rollup_days d WHERE d.device = of_device AND d.bucket >= starts AND d.bucket < ends);
END $$;

-- Makes what is missing of one of the hours in rollup_value_todo, and of the spans around it once there is no other in them.
CREATE FUNCTION values_catch_up() RETURNS boolean LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    missing rollup_value_todo;
    starts  timestamptz;
    u       record;
    n       bigint;
BEGIN
    DELETE FROM rollup_value_todo WHERE (device, hour) = (SELECT device, hour FROM rollup_value_todo ORDER BY device, hour LIMIT 1)
    RETURNING * INTO missing;
    IF missing IS NULL THEN
        RETURN false;
    END IF;
    n := value_readings(missing.device, missing.hour, missing.hour + interval '1 hour');
    FOR u IN SELECT v.unit, v.length, v.fewest, p.until FROM value_units() v JOIN rollup_value_passes p USING (unit) ORDER BY v.unit LOOP
        starts := date_bin(u.length, missing.hour, 'epoch');
        IF u.unit < 3 THEN
            PERFORM values_build(u.unit, starts, least(starts + interval '1 hour', u.until), ARRAY[missing.device])
            WHERE n * extract(epoch FROM u.length) >= u.fewest * 3600 AND starts < u.until;
        ELSE
            EXIT WHEN starts + u.length > u.until OR EXISTS (
                SELECT FROM rollup_value_todo t WHERE t.device = missing.device AND t.hour >= starts AND t.hour < starts + u.length);
            PERFORM values_build(u.unit, starts, starts + u.length, ARRAY[missing.device])
            WHERE value_readings(missing.device, starts, starts + u.length) >= u.fewest;
        END IF;
    END LOOP;
    RETURN true;
END $$;

-- Takes the late values of one device, or of all together, that has at least so many, into its nodes. Returns how many they were.
CREATE FUNCTION values_fold_late(least_rows integer) RETURNS bigint
LANGUAGE plpgsql SET jit = off SET default_toast_compression = 'lz4' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most_rows CONSTANT integer := 200000;
    of_device integer;
    folded    bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    SELECT l.device INTO of_device FROM rollup_late_values l GROUP BY l.device HAVING count(*) >= least_rows ORDER BY count(*) DESC LIMIT 1;
    IF of_device IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format($sql$
        WITH gone AS (
            DELETE FROM rollup_late_values WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM rollup_late_values WHERE device = $1 LIMIT %1$s)) RETURNING *),
        late AS MATERIALIZED (
            SELECT s.unit, s.bucket, g.feature, array_agg(g.value) AS plain
            FROM gone g CROSS JOIN value_units() u JOIN rollup_value_spans s
            ON s.device = $1 AND s.unit = u.unit AND s.bucket = date_bin(u.length, g.recorded_at, 'epoch')
            -- what recent nodes hold of them, they hold already
            WHERE $1 > 0 OR s.unit > 1 OR s.bucket < (SELECT p.until FROM rollup_value_passes p WHERE p.unit = s.unit) GROUP BY 1, 2, 3),
        node AS MATERIALIZED (
            SELECT l.unit, l.bucket, l.feature, n.* FROM late l
            CROSS JOIN LATERAL (SELECT array_agg(c.low) AS lows, array_agg(c.n) AS times, max(c.step) AS coarsest FROM (%2$s) c) cell
            CROSS JOIN LATERAL value_node(l.plain, cell.lows, cell.times, cell.coarsest) n),
        refused AS MATERIALIZED (SELECT DISTINCT unit, bucket FROM node WHERE is_refused),
        no_spans AS (DELETE FROM rollup_value_spans s USING refused x WHERE s.device = $1 AND s.unit = x.unit AND s.bucket = x.bucket),
        no_nodes AS (DELETE FROM rollup_values v USING refused x WHERE v.device = $1 AND v.unit = x.unit AND v.bucket = x.bucket),
        folded AS (
            INSERT INTO rollup_values AS t (device, unit, bucket, step, scale, base, feature, cells, counts, counts_wide)
            SELECT $1, n.unit, n.bucket, n.step, n.scale, n.base, n.feature, n.cells, n.counts, n.counts_wide FROM node n
            WHERE NOT EXISTS (SELECT FROM refused x WHERE x.unit = n.unit AND x.bucket = n.bucket)
            ON CONFLICT (device, feature, unit, bucket) DO UPDATE SET (step, scale, base, cells, counts, counts_wide)
                = ROW (excluded.step, excluded.scale, excluded.base, excluded.cells, excluded.counts, excluded.counts_wide))
        SELECT count(*) FROM gone$sql$, most_rows,
        value_cells_sql('rollup_values v WHERE v.device = $1 AND v.feature = l.feature AND v.unit = l.unit AND v.bucket = l.bucket'))
    INTO folded USING of_device;
    RETURN folded;
END $$;
COMMENT ON FUNCTION values_fold_late(integer) IS 'For the collector that looks after storage: folds late values into nodes. Returns how many.';

-- Hours whose readings came, after the nodes of their time were made, where none was: to be made.
CREATE FUNCTION values_missing(of_devices integer[], of_hours timestamptz[]) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO rollup_value_todo
    SELECT w.device, w.hour FROM (
        SELECT DISTINCT d.device, h.hour FROM unnest(of_devices, of_hours) AS h (device, hour)
        CROSS JOIN LATERAL (VALUES (0), (h.device)) d (device)
        WHERE h.hour < (SELECT p.until FROM rollup_value_passes p WHERE p.unit = 5) AND h.hour >= (SELECT s.kept_from FROM storage_state s)) w
    WHERE NOT EXISTS (SELECT FROM value_units() u JOIN rollup_value_spans s
                      ON s.device = w.device AND s.unit = u.unit AND s.bucket = date_bin(u.length, w.hour, 'epoch'))
    ON CONFLICT DO NOTHING
$$;

-- Of a removal, while everybody who stores is shut out: takes away the nodes of what the table `removed` names.
CREATE FUNCTION values_remove(of_device integer) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    u record;
BEGIN
    DELETE FROM rollup_late_values l WHERE l.device IN (0, of_device) AND l.recorded_at IN (SELECT recorded_at FROM removed);
    FOR u IN SELECT unit, length FROM value_units() LOOP
        CREATE TEMP TABLE removed_nodes ON COMMIT DROP AS
            SELECT DISTINCT date_bin(u.length, recorded_at, 'epoch') AS at FROM removed;
        DELETE FROM rollup_value_spans s WHERE s.device IN (0, of_device) AND s.unit = u.unit AND s.bucket IN (SELECT at FROM removed_nodes);
        DELETE FROM rollup_values v WHERE v.device IN (0, of_device) AND v.unit = u.unit AND v.bucket IN (SELECT at FROM removed_nodes);
        DROP TABLE removed_nodes;
    END LOOP;
    INSERT INTO rollup_value_todo
    SELECT DISTINCT d.device, date_bin('1 hour', x.recorded_at, 'epoch') FROM removed x CROSS JOIN (VALUES (0), (of_device)) d (device)
    WHERE x.recorded_at >= (SELECT s.kept_from FROM storage_state s) AND x.recorded_at < (SELECT s.rolled_until FROM storage_state s)
    ON CONFLICT DO NOTHING;
END $$;

-- Takes away the nodes of a span, of all devices; rollup_rebuild() calls it. They are made again.
CREATE FUNCTION values_rebuild(starts timestamptz, ends timestamptz) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
BEGIN
    DELETE FROM rollup_late_values l WHERE l.recorded_at >= starts AND l.recorded_at < ends;
    DELETE FROM rollup_value_spans s USING value_units() u WHERE u.unit = s.unit AND s.bucket < ends AND s.bucket > starts - u.length;
    DELETE FROM rollup_values v USING value_units() u WHERE u.unit = v.unit AND v.bucket < ends AND v.bucket > starts - u.length;
    INSERT INTO rollup_value_todo
    SELECT h.device, h.bucket FROM rollup_hours h WHERE h.bucket >= starts AND h.bucket < ends ON CONFLICT DO NOTHING;
END $$;

-- Forgets the nodes of dropped partitions.
CREATE FUNCTION values_forget() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    kept_from timestamptz := (SELECT s.kept_from FROM storage_state s);
BEGIN
    DELETE FROM rollup_late_values WHERE recorded_at < kept_from;
    DELETE FROM rollup_value_spans WHERE bucket < kept_from;
    DELETE FROM rollup_values WHERE bucket < kept_from;
    DELETE FROM rollup_value_todo WHERE hour < kept_from;
END $$;
