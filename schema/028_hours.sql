-- 028_hours: how hours of single devices become chunks (023_packed), and rows again.
--
-- hours_step() packs some; packing_step() calls it when it has nothing else to do. In one transaction a chunk is made of its rows, held against
-- them bit for bit, and takes their place: whoever asks sees one form or the other, whole. Only what nobody is to change any more is packed: hours
-- that have been over for as long as days have when they are packed, are rolled up, and have their minutes and nodes of values.
-- Whoever changes such hours all the same (late readings, removals, rollup_rebuild()) calls hours_unpack() first, works on rows as ever, and
-- they are packed again later.
-- All of this holds the lock 'highwater rollup'.
-- Rejected: to add late sums to chunks, which is quicker for one, and needs every writer twice.

CREATE TABLE rollup_hour_pass (
    until        timestamptz NOT NULL,
    device_group integer NOT NULL,
    only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row)
);
COMMENT ON TABLE rollup_hour_pass IS 'How far hours are packed.';
COMMENT ON COLUMN rollup_hour_pass.until IS 'All before this, but for what is in rollup_hour_todo;';
COMMENT ON COLUMN rollup_hour_pass.device_group IS 'of the two days from then on those of groups up to this one. -1: none.';
COMMENT ON COLUMN rollup_hour_pass.only_row IS 'There is one row.';
INSERT INTO rollup_hour_pass (until, device_group) VALUES ('-infinity', -1);

CREATE TABLE rollup_hour_todo (
    starts_at    timestamptz,
    device_group integer,
    noted_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (starts_at, device_group)
);
CREATE INDEX rollup_hour_todo_noted ON rollup_hour_todo (noted_at);
COMMENT ON TABLE rollup_hour_todo IS 'Hours to be packed again: something was changed.';
COMMENT ON COLUMN rollup_hour_todo.starts_at IS 'rollup_hour_chunks.starts_at';
COMMENT ON COLUMN rollup_hour_todo.device_group IS 'devices.id / 16';
COMMENT ON COLUMN rollup_hour_todo.noted_at IS 'When they were changed last.';

-- NULL becomes the least of the others.
CREATE FUNCTION filled(given anyarray) RETURNS anyarray LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT array_replace(given, NULL, (SELECT min(x) FROM unnest(given) x))
$$;

-- Packs the hours of a group of devices and two days; returns how many.
CREATE FUNCTION hours_pack(of_group integer, starts timestamptz) RETURNS bigint LANGUAGE plpgsql
SET datestyle = 'ISO' SET jit = off SET max_parallel_workers_per_gather = 0 SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    features CONSTANT text[] := ARRAY(SELECT features_of('readings'));
    names    CONSTANT text := hours_columns(features);
    these    CONSTANT text := format('device BETWEEN greatest(%1$s, 1) AND %1$s + 15 AND bucket >= %2$L AND bucket < %3$L', of_group << 4, starts, starts + interval '48 hours');
    -- of hours that are not there, something that takes no more space
    number   CONSTANT text := 'packed_integers(filled(array_agg(g.%1$I)))';
    parts    CONSTANT text := 'packed_integers(filled(array_agg(CASE WHEN g.device IS NOT NULL THEN coalesce(g.%1$I, -1) END)))';
    decimal  CONSTANT text := 'packed_values(filled(array_agg(g.%1$I)))';
    found    bigint;
    wrong    bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM rollup_hours WHERE %s AND readings > 0', these) INTO found;
    IF found = 0 THEN
        RETURN 0;
    END IF;
    EXECUTE format(
        'WITH given AS MATERIALIZED (
             SELECT *, readings - status_on - status_off - status_active - status_inactive AS "no status",
                    (date_part(''epoch'', first_at - bucket) * 1e6)::bigint AS "its first", (date_part(''epoch'', last_at - bucket) * 1e6)::bigint AS "its last"
             FROM rollup_hours WHERE %1$s AND readings > 0),
         whose AS MATERIALIZED (SELECT array_agg(DISTINCT device ORDER BY device) AS devices FROM given)
         INSERT INTO rollup_hour_chunks (device_group, starts_at, devices, readings, status_on, status_off, status_active, no_status, first_at, last_at%2$s)
         SELECT %3$s, %4$L, (SELECT devices FROM whose), packed_integers(array_agg(coalesce(g.readings, 0))), %5$s%6$s
         FROM (SELECT given.* FROM whose CROSS JOIN generate_series(0, 47) hour CROSS JOIN unnest(whose.devices) WITH ORDINALITY AS d (device, place)
               LEFT JOIN given ON given.device = d.device AND given.bucket = %4$L::timestamptz + hour * interval ''1 hour'' ORDER BY hour, d.place) g',
        these,
        (SELECT string_agg(format(', %I', f || '_hours'), '' ORDER BY n) FROM unnest(features) WITH ORDINALITY AS feature (f, n)),
        of_group, starts,
        (SELECT string_agg(format(number, c), ', ' ORDER BY n) FROM unnest('{status_on,status_off,status_active,no status,its first,its last}'::text[]) WITH ORDINALITY AS x (c, n)),
        (SELECT string_agg(format(', ROW(nullif(packed_integers(array_agg(coalesce(g.%I, 0))), packed_integers(array_agg(coalesce(g.readings, 0)))), %s, %s, %s, %s, %s)::packed_hours',
                                  f || '_count', format(decimal, f || '_sum'), format(decimal, f || '_min'), format(decimal, f || '_max'),
                                  format(parts, f || '_parts'), format(parts, f || '_part_sums')), '' ORDER BY n)
         FROM unnest(features) WITH ORDINALITY AS feature (f, n)));
    EXECUTE format('SELECT count(*) FROM (SELECT %1$s FROM rollup_hours WHERE %2$s AND readings > 0) r FULL JOIN (%3$s) p USING (device, bucket) WHERE NOT r *= p',
                   names, these, hours_select(features, conditions => format('x.device_group = %s AND x.starts_at = %L', of_group, starts)))
    INTO wrong;
    IF wrong > 0 THEN
        RAISE EXCEPTION 'packing the hours of devices % to % from % on: % of % are not as they were', of_group << 4, (of_group << 4) + 15, starts, wrong, found;
    END IF;
    EXECUTE format('DELETE FROM rollup_hours WHERE %s AND readings > 0', these);
    RETURN found;
END $$;
COMMENT ON FUNCTION hours_pack(integer, timestamptz) IS 'Used by hours_step().';

-- Makes rows of the chunks that hold such hours of such devices (one beside the other), and has them packed again. For whoever is about to change them.
CREATE FUNCTION hours_unpack(of_devices integer[], of_hours timestamptz[]) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    features CONSTANT text[] := ARRAY(SELECT features_of('readings'));
    names    CONSTANT text := hours_columns(features);
    groups   integer[];
    spans    timestamptz[];
BEGIN
    WITH noted AS (
        INSERT INTO rollup_hour_todo AS t (starts_at, device_group)
        SELECT DISTINCT date_bin('48 hours', w.hour, 'epoch'), w.device >> 4 FROM unnest(of_devices, of_hours) AS w (device, hour), rollup_hour_pass p
        WHERE w.device > 0 AND (date_bin('48 hours', w.hour, 'epoch') < p.until OR date_bin('48 hours', w.hour, 'epoch') = p.until AND w.device >> 4 <= p.device_group)
        ON CONFLICT (starts_at, device_group) DO UPDATE SET noted_at = excluded.noted_at RETURNING t.starts_at, t.device_group)
    SELECT array_agg(n.device_group), array_agg(n.starts_at) INTO groups, spans FROM noted n
    WHERE EXISTS (SELECT FROM rollup_hour_chunks x WHERE x.device_group = n.device_group AND x.starts_at = n.starts_at);
    IF groups IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('INSERT INTO rollup_hours (%1$s) SELECT %1$s FROM (%2$s) r ORDER BY bucket, device', names,
                   hours_select(features, conditions => '(x.device_group, x.starts_at) IN (SELECT * FROM unnest($1, $2))')) USING groups, spans;
    DELETE FROM rollup_hour_chunks x USING unnest(groups, spans) AS w (device_group, starts_at)
    WHERE x.device_group = w.device_group AND x.starts_at = w.starts_at;
END $$;
COMMENT ON FUNCTION hours_unpack(integer[], timestamptz[]) IS 'Makes rows in rollup_hours of packed hours that are about to be changed. For whoever holds the lock ''highwater rollup''.';

-- The same of all chunks that have anything of a span; of a device's group, or of all.
CREATE FUNCTION hours_unpack_all(starts timestamptz, ends timestamptz, of_device integer DEFAULT NULL) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT hours_unpack(array_agg(x.device_group << 4 | 15), array_agg(x.starts_at)) FROM rollup_hour_chunks x
    WHERE x.starts_at > starts - interval '48 hours' AND x.starts_at < ends AND (of_device IS NULL OR x.device_group = of_device >> 4)
$$;

-- The next slice of packing; returns how many hours were packed, NULL: there is nothing to do. after, settled: as packing_step() has them.
CREATE FUNCTION hours_step(after interval, settled interval DEFAULT '0') RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most   CONSTANT integer := 2; -- chunks
    length CONSTANT interval := '48 hours';
    ends   timestamptz; -- until then nobody has anything to do with hours
    pass   rollup_hour_pass;
    chunk  record;
    packed bigint := 0;
    n      integer := 0;
    found  integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
    ends := (SELECT least(now() - after, date_bin('24 hours', s.rolled_until, 'epoch'), m.until, v.until)
             FROM storage_state s, rollup_minute_pass m, (SELECT min(p.until) AS until FROM rollup_value_passes p WHERE p.unit <= 4) v);
    FOR chunk IN SELECT t.starts_at, t.device_group FROM rollup_hour_todo t
                 WHERE t.noted_at <= now() - settled AND NOT hours_are_busy(t.device_group, t.starts_at) ORDER BY t.noted_at LIMIT most LOOP
        packed := packed + hours_pack(chunk.device_group, chunk.starts_at);
        DELETE FROM rollup_hour_todo t WHERE t.starts_at = chunk.starts_at AND t.device_group = chunk.device_group;
        n := n + 1;
    END LOOP;
    IF n > 0 THEN
        RETURN packed;
    END IF;
    SELECT * INTO pass FROM rollup_hour_pass;
    IF pass.until = '-infinity' THEN
        pass.until := (SELECT date_bin(length, min(h.bucket), 'epoch') FROM rollup_hours h WHERE h.device > 0);
    END IF;
    LOOP
        IF pass.until + length <= ends IS NOT TRUE THEN
            RETURN NULL;
        END IF;
        FOR n IN 1 .. most LOOP
            found := (SELECT h.device >> 4 FROM rollup_hours h WHERE h.device > greatest(pass.device_group << 4 | 15, 0)
                      AND h.bucket >= pass.until AND h.bucket < pass.until + length ORDER BY h.device LIMIT 1);
            EXIT WHEN found IS NULL;
            pass.device_group := found;
            IF hours_are_busy(found, pass.until) THEN
                INSERT INTO rollup_hour_todo (starts_at, device_group) VALUES (pass.until, found) ON CONFLICT DO NOTHING;
            ELSE
                packed := packed + hours_pack(found, pass.until);
            END IF;
        END LOOP;
        IF found IS NOT NULL THEN
            UPDATE rollup_hour_pass SET until = pass.until, device_group = pass.device_group;
            RETURN packed;
        END IF;
        -- on to the next two days that have something
        pass.until := coalesce((SELECT date_bin(length, min(h.bucket), 'epoch') FROM rollup_hours h WHERE h.device > 0 AND h.bucket >= pass.until + length),
                               pass.until + length);
        pass.device_group := -1;
        UPDATE rollup_hour_pass SET until = pass.until, device_group = pass.device_group;
        IF packed > 0 THEN
            RETURN packed;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION hours_step(interval, interval) IS 'Packs some hours that have been over for so long. For packing_step().';

-- Whether minutes or nodes of values of these are still to be made.
CREATE FUNCTION hours_are_busy(of_group integer, starts timestamptz) RETURNS boolean LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT EXISTS (SELECT FROM rollup_value_todo t WHERE t.device BETWEEN greatest(of_group << 4, 1) AND of_group << 4 | 15
                   AND t.hour >= starts AND t.hour < starts + interval '48 hours')
        OR EXISTS (SELECT FROM rollup_minute_todo t WHERE t.device BETWEEN of_group << 4 AND of_group << 4 | 15
                   AND t.hour >= starts AND t.hour < starts + interval '48 hours')
$$;
