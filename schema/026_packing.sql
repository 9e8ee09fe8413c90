-- 026_packing: how a day becomes chunks.
--
-- packing_step() does a slice and returns; whoever looks after storage calls it again and again. Of a day that is over:
--   1. begun: a table for its chunks, which nobody asks yet. From now on a trigger notes whose readings change.
--   2. packed, slice by slice, in the order of devices and time. Each slice is proven: as many readings as there
--      are, and each column of each chunk, unpacked, is what it was made of.
--   3. Devices that were noted meanwhile are packed again.
--   4. turned: in one short transaction, the partition is detached, an empty one takes its place for what comes late,
--      and the chunks become a partition of reading_chunks. Snapshots older than that find the detached table
--      (readings_source()), so
--   5. it is dropped when all transactions are over that ran after the turn began.
--   6. merged: readings that came late are taken into the chunks, device by device.
-- Whatever is killed, what has been committed is the old form or the new one, whole.
-- Rejected: to delete readings as they are packed, which leaves their space to nobody; CREATE TABLE AS under the lock.

CREATE TABLE packing_changes (
    starts_at timestamptz NOT NULL,
    device    integer NOT NULL,
    noted_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX packing_changes_device ON packing_changes (starts_at, device);
COMMENT ON TABLE packing_changes IS 'Devices with readings of a packed day that are not in chunks yet, or changed while it is being packed.';
COMMENT ON COLUMN packing_changes.starts_at IS 'packed_days.starts_at';
COMMENT ON COLUMN packing_changes.device IS 'devices.id';
COMMENT ON COLUMN packing_changes.noted_at IS 'When the first of them came.';

-- ---- packing numbers ----------------------------------------------------------------------------
-- What comes out is compared with what went in; if that fails, or overflows, numbers are stored as they are.

-- Elements are taken out in the SELECT list: in FROM each of them would be stored first.

-- step: what each number is more than the one before, more or less.
CREATE FUNCTION packed_integers(given bigint[], step bigint DEFAULT 0, scale integer DEFAULT 0) RETURNS packed_numbers
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    count  CONSTANT integer := cardinality(given);
    base   bigint := 0;
    rest   bigint[] := given;
    small  smallint[];
    wide   integer[];
    low    bigint := 0;
    high   bigint;
    line   packed_numbers;
BEGIN
    IF step <> 0 THEN
        base := given[1] - step;
        rest := ARRAY(SELECT x - base - i * step FROM (SELECT unnest(given) AS x, generate_series(1, count) AS i) u);
    END IF;
    IF rest[1] IS NOT DISTINCT FROM rest[count] AND rest = array_fill(rest[1], ARRAY[count]) THEN
        RETURN CASE WHEN rest[1] IS NOT NULL THEN ROW(scale, base + rest[1], step, NULL, NULL, NULL, NULL)::packed_numbers END;
    END IF;
    BEGIN
        IF rest[1] NOT BETWEEN -8192 AND 8192 THEN -- about as far away as the others, it may be
            low := rest[1];
            small := ARRAY(SELECT (x - low)::smallint FROM (SELECT unnest(rest) AS x) u);
        ELSE
            small := rest::smallint[];
        END IF;
    EXCEPTION WHEN numeric_value_out_of_range THEN
        SELECT min(x), max(x) INTO low, high FROM (SELECT unnest(rest) AS x) u;
        IF high::numeric - low < 65536 THEN
            low := low + 32768;
            small := ARRAY(SELECT (x - low)::smallint FROM (SELECT unnest(rest) AS x) u);
        ELSE
            IF step = 0 AND count > 2 AND abs((given[count]::numeric - given[1]) / (count - 1)) BETWEEN 1 AND 1e12 THEN
                line := packed_integers(given, round((given[count]::numeric - given[1]) / (count - 1))::bigint, scale);
                IF line.wide IS NULL AND line.large IS NULL THEN
                    RETURN line;
                END IF;
            END IF;
            IF high::numeric - low < 4294967296 THEN
                low := low + 2147483648;
                wide := ARRAY(SELECT (x - low)::integer FROM (SELECT unnest(rest) AS x) u);
            ELSE
                RAISE numeric_value_out_of_range;
            END IF;
        END IF;
    END;
    base := base + low;
    IF (given = CASE WHEN base = 0 AND step = 0 THEN coalesce(small::bigint[], wide::bigint[])
                     WHEN small IS NOT NULL AND step = 0 THEN ARRAY(SELECT base + x FROM (SELECT unnest(small) AS x) u)
                     WHEN small IS NOT NULL THEN ARRAY(SELECT base + i * step + x FROM (SELECT unnest(small) AS x, generate_series(1, count) AS i) u)
                     ELSE ARRAY(SELECT base + i * step + x FROM (SELECT unnest(wide) AS x, generate_series(1, count) AS i) u) END) THEN
        RETURN (scale, base, step, small, wide, NULL, NULL)::packed_numbers;
    END IF;
    RAISE numeric_value_out_of_range;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN (scale, 0, 0, NULL, NULL, given, NULL)::packed_numbers;
END $$;

-- The same of numbers that rise, as times do. Often each is as much more than the one before as any other.
CREATE FUNCTION packed_line(given bigint[], scale integer DEFAULT 0) RETURNS packed_numbers
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    count CONSTANT integer := cardinality(given);
    first CONSTANT numeric := given[1];
    step  numeric := coalesce(round((given[count] - first) / nullif(count - 1, 0)), 0);
BEGIN
    step := CASE WHEN abs(step) < 1e15 THEN step ELSE 0 END;
    IF step <> 0 AND abs(first) < 1e18 AND given[count] = first + step * (count - 1)
       AND given = ARRAY(SELECT generate_series(given[1], given[count], step::bigint)) THEN
        RETURN (scale, first - step, step, NULL, NULL, NULL, NULL)::packed_numbers;
    END IF;
    RETURN packed_integers(given, step::bigint, scale);
END $$;

-- Microseconds since some moment, as the time since the first of them; in the largest unit in which they are whole.
CREATE FUNCTION packed_times(given bigint[], first bigint) RETURNS packed_numbers
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    packed packed_numbers;
    scale  integer := 0;
    unit   bigint := 1;
BEGIN
    IF given[1] % 1000 = 0 AND given[cardinality(given)] % 1000 = 0 AND given[cardinality(given) / 2 + 1] % 1000 = 0
       AND NOT EXISTS (SELECT FROM (SELECT unnest(given) AS x) u WHERE x % 1000 <> 0) THEN
        scale := CASE WHEN EXISTS (SELECT FROM (SELECT unnest(given) AS x) u WHERE x % 1000000 <> 0) THEN 3 ELSE 6 END;
        unit := CASE scale WHEN 6 THEN 1000000 ELSE 1000 END;
        given := ARRAY(SELECT x / unit FROM (SELECT unnest(given) AS x) u);
    END IF;
    packed := packed_line(given, scale);
    packed.base := packed.base - first / unit;
    RETURN packed;
END $$;

-- Whether one of the times is not later than the one before. What 16 bits tell from a line that rises by more than that is.
CREATE FUNCTION packed_ties(packed packed_numbers, given bigint[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN num_nulls(packed.wide, packed.large) = 2 AND packed.step > CASE WHEN packed.small IS NULL THEN 0 ELSE 65535 END THEN false
                ELSE EXISTS (SELECT FROM (SELECT unnest(given) AS x, unnest(given[2:]) AS next) u WHERE x >= next) END
$$;

-- digits: behind the point, at most, of all of them; NULL if there are none, 99 if one is no such decimal. Compared bit for bit
-- (*=): -0 is not 0.
CREATE FUNCTION packed_doubles(given double precision[], digits integer) RETURNS packed_numbers
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    power  CONSTANT double precision := (ARRAY[1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]::double precision[])[digits + 1];
    count  CONSTANT integer := cardinality(given);
    as_is  CONSTANT packed_numbers := ROW(NULL, NULL, NULL, NULL, NULL, NULL, given);
    base   double precision := 0;
    packed packed_numbers;
    back   packed_numbers;
BEGIN
    IF digits IS NULL THEN
        RETURN NULL;
    ELSIF power IS NULL THEN
        RETURN as_is;
    END IF;
    packed.scale := digits;
    packed.base := (given[1] * power)::bigint;
    packed.step := 0;
    IF given[1] = given[count] THEN
        back.exact := array_fill(packed.base / power, ARRAY[count]);
        IF back *= as_is THEN
            RETURN packed;
        END IF;
    END IF;
    IF packed.base NOT BETWEEN -8192 AND 8192 THEN -- about as far away as the others
        base := packed.base;
    END IF;
    BEGIN
        packed.base := base;
        packed.small := ARRAY(SELECT (x * power - base)::smallint FROM (SELECT unnest(given) AS x) u);
        back.exact := ARRAY(SELECT (base + x) / power FROM (SELECT unnest(packed.small) AS x) u);
    EXCEPTION WHEN numeric_value_out_of_range THEN
        packed := packed_integers(ARRAY(SELECT (x * power)::bigint FROM (SELECT unnest(given) AS x) u), 0, digits);
        back.exact := ARRAY(SELECT (packed.base + i * packed.step + coalesce(s, w, l, none)) / power
                            FROM (SELECT unnest(packed.small) AS s, unnest(packed.wide) AS w, unnest(packed.large) AS l, generate_series(1, count) AS i,
                                         CASE WHEN num_nulls(packed.small, packed.wide, packed.large) = 3 THEN 0 END AS none) u);
    END;
    RETURN CASE WHEN back *= as_is THEN packed ELSE as_is END;
EXCEPTION WHEN numeric_value_out_of_range THEN
    RETURN as_is;
END $$;

-- How many digits each of some numbers has behind the point, at most, as packed_doubles() wants it. In PL/pgSQL, which keeps the plan.
CREATE FUNCTION packed_digits(given double precision[]) RETURNS integer LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN (SELECT max(CASE WHEN x IS NULL THEN NULL WHEN abs(x) >= 1e15 THEN 99
                       WHEN x = trunc(x) THEN CASE WHEN x = 0 AND float8send(x) <> '\x0000000000000000' THEN 99 ELSE 0 END
                       WHEN x = round(x * 1e1) / 1e1 THEN 1 WHEN x = round(x * 1e2) / 1e2 THEN 2 WHEN x = round(x * 1e3) / 1e3 THEN 3
                       WHEN x = round(x * 1e4) / 1e4 THEN 4 WHEN x = round(x * 1e5) / 1e5 THEN 5 WHEN x = round(x * 1e6) / 1e6 THEN 6
                       WHEN x = round(x * 1e7) / 1e7 THEN 7 WHEN x = round(x * 1e8) / 1e8 THEN 8 WHEN x = round(x * 1e9) / 1e9 THEN 9 ELSE 99 END)
            FROM (SELECT unnest(given) AS x) u);
END $$;

-- Values of a feature. As many digits as some of them have is what all have, as a rule; what comes out says whether.
CREATE FUNCTION packed_values(given double precision[]) RETURNS packed_numbers
LANGUAGE plpgsql IMMUTABLE SET search_path FROM CURRENT AS $$
DECLARE
    few    CONSTANT integer := 20;
    count  CONSTANT integer := cardinality(given);
    digits integer;
    packed packed_numbers;
BEGIN
    IF count > 10 * few THEN
        digits := packed_digits(ARRAY(SELECT given[1 + i * count / few] FROM generate_series(0, few - 1) i));
        packed := packed_doubles(given, digits);
        IF digits = 99 OR (digits < 99 AND packed.exact IS NULL) THEN
            RETURN packed;
        END IF;
    END IF;
    RETURN packed_doubles(given, packed_digits(given));
END $$;
COMMENT ON FUNCTION packed_values(double precision[]) IS 'Doubles as a column of a chunk; unpacked, they are the same bit for bit.';

-- Makes chunks of the rows of `source`, a table like readings with an index of device, recorded_at and content_hash, that come after
-- `device` and `at` and are of devices up to `last_device`, and puts them into `target`: so many, or all. Then device and at are
-- the last of them, or at is infinite. What was recorded in one microsecond is in one chunk.
--   fits   which rows (r) there are to be in chunks, as SQL
--   made   how many readings, as chunks have them; there: as the index has them, less those which do not fit
-- Where a chunk ends is found in the index. Devices with less than a chunk each are taken together.
-- Rejected: window functions, which cost as much as all else that is done to a reading. date_part() looks for the meaning of its
-- first word each time, and takes ten times as long as a difference of doubles, which hold microseconds for 285 years.
CREATE FUNCTION chunks_make(target text, source text, origin timestamptz, fits text, last_device integer, most_chunks integer,
                            INOUT device integer, INOUT at timestamptz, OUT made bigint, OUT there bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_sort = off SET enable_hashagg = off SET enable_seqscan = off SET jit = off SET max_parallel_workers_per_gather = 0
SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    most     CONSTANT integer := 4000; -- readings of a chunk
    after    CONSTANT text := '(r.device, r.recorded_at) > ($1, $2)' || CASE WHEN last_device < 2147483647 THEN ' AND r.device <= $3' ELSE '' END;
    rising   CONSTANT text := 'ORDER BY r.device, r.recorded_at, r.content_hash';
    us       CONSTANT text := CASE WHEN origin BETWEEN '1900-01-01Z' AND '2100-01-01Z' THEN '(tstzrange_subdiff(%s, %s) * 1e6)::bigint'
                                   ELSE '(date_part(''epoch'', %s - %s) * 1e6)::bigint' END;
    features CONSTANT text[] := ARRAY(SELECT features_of('readings'));
    -- each chunk, or some devices that have less: it is after a and b, up to c and d, or all of c (d is NULL)
    a        integer[] := '{}';
    b        timestamptz[] := '{}';
    c        integer[] := '{}';
    d        timestamptz[] := '{}';
    last     record;
    count    bigint;
    effort   integer := 0;
    of_one   boolean;
BEGIN
    there := 0;
    made := 0;
    WHILE effort < most_chunks AND at < 'infinity' LOOP
        EXECUTE format('SELECT last.*, last.device > (SELECT r.device FROM %1$I r WHERE %2$s %3$s LIMIT 1) AS has_others'
                       ' FROM (SELECT r.device, r.recorded_at, r.content_hash FROM %1$I r WHERE %2$s %3$s OFFSET %4$s LIMIT 1) last',
                       source, after, rising, most - 1)
        INTO last USING device, at, last_device;
        a := a || device;
        IF last.has_others IS NOT FALSE THEN
            effort := effort + 4; -- many small chunks
            b := b || at;
            c := c || coalesce(last.device - 1, last_device);
            d := d || NULL::timestamptz;
            EXECUTE format('SELECT count(*) FROM %I r WHERE %s AND r.device <= $4', source, after) INTO count USING device, at, last_device, c[cardinality(c)];
            at := CASE WHEN last.device IS NULL THEN 'infinity' ELSE '-infinity' END;
        ELSE
            effort := effort + 1;
            b := b || CASE WHEN device = last.device THEN at ELSE '-infinity' END;
            c := c || last.device;
            d := d || last.recorded_at;
            EXECUTE format('SELECT %s + count(*) FROM %I r WHERE r.device = $1 AND r.recorded_at = $2 AND r.content_hash > $3', most, source)
            INTO count USING last.device, last.recorded_at, last.content_hash;
            at := last.recorded_at;
        END IF;
        device := coalesce(last.device, last_device);
        there := there + count;
    END LOOP;
    FOREACH of_one IN ARRAY '{true,false}'::boolean[] LOOP
        CONTINUE WHEN CASE WHEN of_one THEN cardinality(array_remove(d, NULL)) = 0 ELSE array_position(d, NULL) IS NULL END;
        EXECUTE format(
            'WITH made AS (
             INSERT INTO %1$I (device, readings, first_at, last_at, last_received_at, recorded_at, received_at, status, seq, content_hash%2$s)
             SELECT c.device, c.count, c.first_at, c.last_at, c.last_received_at, t.at, packed_integers(c.delay), packed_integers(c.status), packed_line(c.seq),
                    CASE WHEN packed_ties(t.at, c.at)
                         THEN ROW(NULL, NULL, NULL, NULL, NULL, ARRAY(SELECT r.content_hash FROM %5$I r WHERE r.device = c.device
                                  AND r.recorded_at >= c.first_at AND r.recorded_at <= c.last_at AND %6$s %7$s), NULL)::packed_numbers
                         ELSE ROW(NULL, NULL, NULL, c.hash16, NULL, NULL, NULL)::packed_numbers END%3$s
             FROM unnest($1, $2, $3, $4) q (a, b, c, d)
             CROSS JOIN LATERAL (
                 SELECT %12$s AS device, count(*)::integer AS count, min(r.recorded_at) AS first_at, max(r.recorded_at) AS last_at,
                        max(r.received_at) AS last_received_at, array_agg(%8$s) AS at, array_agg(%9$s) AS delay, array_agg(r.status::bigint) AS status,
                        array_agg(r.seq) AS seq, array_agg((r.content_hash >> 48)::smallint) AS hash16%4$s
                 FROM (SELECT * FROM %5$I r WHERE %10$s AND %6$s %7$s) r %13$s) c
             CROSS JOIN LATERAL (SELECT packed_times(c.at, %11$s) AS at OFFSET 0) t
             WHERE q.d %14$s
             RETURNING readings)
             SELECT coalesce(sum(made.readings), 0) FROM made',
            target,
            (SELECT string_agg(format(', %I', f || '_packed'), '' ORDER BY n) FROM unnest(features) WITH ORDINALITY AS u (f, n)),
            (SELECT string_agg(format(', packed_values(c."%s values")', f), '' ORDER BY n) FROM unnest(features) WITH ORDINALITY AS u (f, n)),
            (SELECT string_agg(format(', array_agg(r.%1$I) AS "%1$s values"', f), '' ORDER BY n) FROM unnest(features) WITH ORDINALITY AS u (f, n)),
            source, fits, rising, format(us, 'r.recorded_at', quote_literal(origin)), format(us, 'r.received_at', 'r.recorded_at'),
            CASE WHEN of_one THEN 'r.device = q.c AND r.recorded_at > q.b AND r.recorded_at <= q.d'
                 ELSE '(r.device, r.recorded_at) > (q.a, q.b) AND r.device <= q.c' END, format(us, 'c.first_at', quote_literal(origin)),
            -- of one device nothing is to be grouped: the planner would sort for it
            CASE WHEN of_one THEN 'q.c' ELSE 'r.device' END, CASE WHEN of_one THEN 'HAVING count(*) > 0' ELSE 'GROUP BY r.device' END,
            CASE WHEN of_one THEN 'IS NOT NULL' ELSE 'IS NULL' END)
        INTO count USING a, b, c, d;
        made := made + count;
    END LOOP;
    IF made <> there THEN
        EXECUTE format('SELECT count(*) FROM %I r WHERE %s AND (r.device, r.recorded_at) <= ($4, $5) AND NOT %s', source, after, fits) INTO count
        USING a[1], b[1], last_device, device, at;
        there := there - count;
    END IF;
END $$;
COMMENT ON FUNCTION chunks_make(text, text, timestamptz, text, integer, integer, integer, timestamptz) IS 'Used by packing_step().';

-- ---- what comes late ----------------------------------------------------------------------------

-- Before the turn: notes whose readings change.
CREATE FUNCTION packing_note() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    changed integer := CASE TG_OP WHEN 'DELETE' THEN OLD.device ELSE NEW.device END;
BEGIN
    -- whoever takes the note away waits for this transaction, or this one for him, and then there is none
    PERFORM FROM packing_changes c WHERE c.starts_at = TG_ARGV[0]::timestamptz AND c.device = changed FOR KEY SHARE;
    IF NOT FOUND THEN
        INSERT INTO packing_changes (starts_at, device) VALUES (TG_ARGV[0]::timestamptz, changed);
    END IF;
    RETURN NULL;
END $$;

-- After it: leaves out what a chunk has already, and notes what stays. Two readings of one device and microsecond
-- whose hashes match as far as they are known are two, if status, number or a value says so. A function for each day:
-- PL/pgSQL keeps the plans of what it says itself, and makes those of a text anew for each row, which
-- costs ten times as much. Features that came after the turn are in no chunk, and so in none of its conditions.
CREATE FUNCTION packing_late_name(starts timestamptz) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT 'packing_late_' || to_char(starts AT TIME ZONE 'UTC', 'YYYY_MM_DD')
$$;

CREATE FUNCTION packing_late_make(late text, day packed_days) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    known CONSTANT text[] := ARRAY['status', 'seq'] || ARRAY(SELECT features_of('readings'));
    at    CONSTANT text := 'reading_chunks.device = NEW.device AND reading_chunks.first_at <= NEW.recorded_at AND reading_chunks.last_at >= NEW.recorded_at';
    until CONSTANT text := '(NEW.recorded_at + interval ''1 microsecond'')';
BEGIN
    EXECUTE format($make$CREATE OR REPLACE FUNCTION %1$I() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $late$
BEGIN
    IF EXISTS (SELECT FROM (%2$s) c WHERE c.recorded_at = NEW.recorded_at) THEN
        IF EXISTS (SELECT FROM (%3$s) c WHERE c.recorded_at = NEW.recorded_at AND (c.content_hash = NEW.content_hash
                   OR hash_matches(c.content_hash, NEW.content_hash)%4$s)) THEN
            RETURN NULL;
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM packing_changes c WHERE c.starts_at = %5$L AND c.device = NEW.device) THEN
        INSERT INTO packing_changes (starts_at, device) VALUES (%5$L, NEW.device);
    END IF;
    RETURN NEW;
END $late$
$make$,
        packing_late_name(day.starts_at),
        chunks_select(ARRAY['recorded_at'], at, 'NEW.recorded_at', until, quote_ident(day.chunks)),
        chunks_select(ARRAY['recorded_at', 'content_hash'] || known, at, 'NEW.recorded_at', until, quote_ident(day.chunks)),
        (SELECT string_agg(format(' AND coalesce(c.%1$I = NEW.%1$I, true)', n), '') FROM unnest(known) n), day.starts_at);
    EXECUTE format('CREATE TRIGGER packing BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION %I()', late, packing_late_name(day.starts_at));
END $$;

-- ---- the steps ----------------------------------------------------------------------------------

-- Readings of a partition that chunks can hold: a delay of a hundred years or an infinite one is none.
CREATE FUNCTION packing_fits(of_alias text, starts timestamptz, ends timestamptz) RETURNS text
LANGUAGE sql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
    SELECT format('(%1$s.received_at > %2$L AND %1$s.received_at < %3$L)', of_alias, starts - interval '100 years', ends + interval '100 years')
$$;

CREATE FUNCTION packing_begin(day reading_partitions) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    chunks CONSTANT text := 'reading_chunks_' || to_char(day.starts_at AT TIME ZONE 'UTC', 'YYYY_MM_DD');
BEGIN
    EXECUTE format('CREATE TRIGGER packing AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION packing_note(%L)',
                   day.name, day.starts_at);
    EXECUTE format('CREATE TABLE %I (LIKE reading_chunks INCLUDING ALL, CONSTRAINT of_the_day CHECK (first_at >= %L AND first_at < %L))',
                   chunks, day.starts_at, day.ends_at);
    INSERT INTO packed_days (partition, chunks, starts_at, ends_at, expected)
    VALUES (day.name, chunks, day.starts_at, day.ends_at,
            (SELECT sum(h.readings) FROM rollup_hours h WHERE h.device = 0 AND h.bucket >= day.starts_at AND h.bucket < day.ends_at));
END $$;

-- As if it had not begun.
CREATE FUNCTION packing_forget(day packed_days) RETURNS void LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
BEGIN
    IF to_regclass(quote_ident(day.partition)) IS NOT NULL THEN
        EXECUTE format('DROP TRIGGER IF EXISTS packing ON %I', day.partition);
    END IF;
    EXECUTE format('DROP TABLE IF EXISTS %I', day.chunks);
    DELETE FROM packing_changes WHERE starts_at = day.starts_at;
    DELETE FROM packed_days WHERE starts_at = day.starts_at;
END $$;

-- Packs the next readings, for a tenth of a second of CPU at most, or so: ingest has to share the processor with it. Returns how many.
CREATE FUNCTION packing_slice(day packed_days) RETURNS bigint LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    slice record;
BEGIN
    slice := chunks_make(day.chunks, day.partition, day.starts_at, packing_fits('r', day.starts_at, day.ends_at), 2147483647, 12, day.done_device, day.done_at);
    IF slice.made <> slice.there AND NOT EXISTS (SELECT FROM packing_changes c WHERE c.starts_at = day.starts_at) THEN
        RAISE EXCEPTION 'packing % made chunks of % readings, where there are %', day.partition, slice.made, slice.there;
    END IF;
    UPDATE packed_days d SET readings = d.readings + slice.made, done_device = slice.device, done_at = slice.at WHERE d.starts_at = day.starts_at;
    RETURN slice.made;
END $$;

-- Packs a device once more; returns how many readings. What changes meanwhile is noted, and not forgotten.
CREATE FUNCTION packing_again(day packed_days) RETURNS bigint LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    changed CONSTANT integer := (SELECT c.device FROM packing_changes c WHERE c.starts_at = day.starts_at LIMIT 1);
    before  bigint;
    made    bigint;
BEGIN
    DELETE FROM packing_changes c WHERE c.starts_at = day.starts_at AND c.device = changed;
    EXECUTE format('WITH gone AS (DELETE FROM %I WHERE device = %s RETURNING readings) SELECT coalesce(sum(readings), 0) FROM gone', day.chunks, changed)
    INTO before;
    made := (chunks_make(day.chunks, day.partition, day.starts_at, packing_fits('r', day.starts_at, day.ends_at), changed, 2147483647, changed, '-infinity')).made;
    UPDATE packed_days d SET readings = d.readings + made - before WHERE d.starts_at = day.starts_at;
    RETURN made;
END $$;

-- False: there is something to be packed again first.
CREATE FUNCTION packing_turn(day packed_days) RETURNS boolean LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    late   CONSTANT text := day.partition || '_late';
    moves  bigint;
    may    text;
    packed bigint;
BEGIN
    EXECUTE format('SELECT coalesce(sum(readings), 0) FROM %I', day.chunks) INTO packed;
    IF packed <> day.readings THEN
        RAISE EXCEPTION 'the chunks of % have % readings, and % were packed', day.partition, packed, day.readings;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE readings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', late);
    PERFORM packing_late_make(late, day);
    PERFORM FROM storage_state FOR UPDATE; -- what may take a while, before everybody is locked out
    LOCK TABLE ONLY readings IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', day.partition);
    IF EXISTS (SELECT FROM packing_changes c WHERE c.starts_at = day.starts_at) THEN
        EXECUTE format('DROP TABLE %I', late);
        RETURN false;
    END IF;
    EXECUTE format('ALTER TABLE %I DISABLE TRIGGER packing', late);
    EXECUTE format('INSERT INTO %I SELECT r.* FROM %I r WHERE NOT %s', late, day.partition, packing_fits('r', day.starts_at, day.ends_at));
    EXECUTE format('ALTER TABLE %I ENABLE TRIGGER packing', late);
    EXECUTE format('ALTER TABLE readings DETACH PARTITION %I', day.partition);
    EXECUTE format('DROP TRIGGER packing ON %I', day.partition);
    EXECUTE format('COMMENT ON TABLE %I IS ''Packed, and about to be dropped.''', day.partition);
    -- whoever may read its readings by way of readings may read them there
    FOR may IN SELECT format('GRANT SELECT ON %I TO %s', day.partition, CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
               FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = 'readings'::regclass AND a.privilege_type = 'SELECT' LOOP
        EXECUTE may;
    END LOOP;
    EXECUTE format('ALTER TABLE readings ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', late, day.starts_at, day.ends_at);
    EXECUTE format('ALTER TABLE reading_chunks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', day.chunks, day.starts_at, day.ends_at);
    SELECT s.moves INTO moves FROM storage_state s;
    EXECUTE format('ALTER VIEW %I RENAME TO %I', 'readings_moves_' || moves, 'readings_moves_' || moves + 1);
    UPDATE storage_state s SET moves = s.moves + 1;
    UPDATE reading_partitions SET name = late WHERE name = day.partition;
    UPDATE packed_days d SET is_packed = true, partition = late, detached = day.partition, turned_at = clock_timestamp(),
           changed_at = clock_timestamp(), bytes = pg_total_relation_size(quote_ident(day.chunks)::regclass)
    WHERE d.starts_at = day.starts_at;
    RETURN true;
END $$;

-- Replaces the chunks of a device that have readings recorded from `starts` until before `ends`, in days that are
-- packed: those readings become the rows of `source` (SQL for FROM; rows like those of readings, in that span), the others stay.
-- What is not in chunks is not looked at. For whoever holds the lock 'highwater rollup'. Returns how many rows there were.
CREATE FUNCTION chunks_rewrite(of_device integer, starts timestamptz, ends timestamptz, source text) RETURNS bigint
LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    columns CONSTANT text[] := readings_columns();
    names   CONSTANT text := (SELECT string_agg(format('r.%I', c.name), ', ' ORDER BY c.n) FROM unnest(columns) WITH ORDINALITY AS c (name, n));
    day    packed_days;
    span   text;
    before bigint;
    made   bigint;
    count  bigint := 0;
BEGIN
    FOR day IN SELECT * FROM packed_days d WHERE d.is_packed AND d.starts_at < ends AND d.ends_at > starts ORDER BY d.starts_at LOOP
        span := format('reading_chunks.device = %s AND reading_chunks.first_at < %L AND reading_chunks.last_at >= %L', of_device, ends, starts);
        CREATE TEMP TABLE chunk_rows (LIKE readings) ON COMMIT DROP;
        EXECUTE format('INSERT INTO pg_temp.chunk_rows SELECT %s FROM (%s) r WHERE r.recorded_at < %L OR r.recorded_at >= %L', names,
                       chunks_select(columns, span, NULL, NULL, quote_ident(day.chunks)),
                       greatest(starts, day.starts_at), least(ends, day.ends_at));
        EXECUTE format('INSERT INTO pg_temp.chunk_rows SELECT %s FROM %s r WHERE r.recorded_at >= %L AND r.recorded_at < %L', names, source,
                       greatest(starts, day.starts_at), least(ends, day.ends_at));
        EXECUTE format('WITH gone AS (DELETE FROM %I AS reading_chunks WHERE %s RETURNING readings) SELECT coalesce(sum(readings), 0) FROM gone',
                       day.chunks, span) INTO before;
        CREATE INDEX ON pg_temp.chunk_rows (device, recorded_at, content_hash);
        made := (chunks_make(day.chunks, 'chunk_rows', day.starts_at, 'true', of_device, 2147483647, of_device, '-infinity')).made;
        IF made <> (SELECT count(*) FROM pg_temp.chunk_rows) THEN
            RAISE EXCEPTION 'packing % again made chunks of % readings, where there are %', day.chunks, made, (SELECT count(*) FROM pg_temp.chunk_rows);
        END IF;
        DROP TABLE pg_temp.chunk_rows;
        UPDATE packed_days d SET readings = d.readings + made - before, changed_at = clock_timestamp(),
               bytes = pg_total_relation_size(quote_ident(day.chunks)::regclass) WHERE d.starts_at = day.starts_at;
        count := count + made;
    END LOOP;
    RETURN count;
END $$;
COMMENT ON FUNCTION chunks_rewrite(integer, timestamptz, timestamptz, text) IS 'Replaces what chunks have of a device and span. For packing_step() and removals.';

-- Takes what came late of a device into the chunks. Nobody stores into the partition meanwhile, so whoever waits with the
-- same reading finds it in the new chunk. Returns how many.
CREATE FUNCTION packing_merge(day packed_days, of_device integer) RETURNS bigint LANGUAGE plpgsql SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
DECLARE
    columns CONSTANT text[] := readings_columns();
    names   CONSTANT text := (SELECT string_agg(format('r.%I', c.name), ', ' ORDER BY c.n) FROM unnest(columns) WITH ORDINALITY AS c (name, n));
    late    record;
BEGIN
    EXECUTE format('LOCK TABLE %I IN SHARE ROW EXCLUSIVE MODE', day.partition);
    CREATE TEMP TABLE late_rows (LIKE readings) ON COMMIT DROP;
    EXECUTE format('WITH gone AS (DELETE FROM %I r WHERE r.device = %s AND %s RETURNING %4$s) INSERT INTO pg_temp.late_rows SELECT %4$s FROM gone r',
                   day.partition, of_device, packing_fits('r', day.starts_at, day.ends_at), names);
    SELECT count(*) AS count, min(r.recorded_at) AS first, max(r.recorded_at) AS last INTO late FROM pg_temp.late_rows r;
    IF late.count > 0 THEN
        EXECUTE format('SELECT coalesce(max(c.first_at), %1$L) FROM %2$I c WHERE c.device = %3$s AND c.first_at <= %1$L', late.first, day.chunks, of_device)
        INTO late.first;
        PERFORM chunks_rewrite(of_device, late.first, late.last + interval '1 microsecond',
                               format('(%s UNION ALL SELECT %s FROM pg_temp.late_rows r)',
                                      chunks_select(columns, format('reading_chunks.device = %s AND reading_chunks.first_at <= %L AND reading_chunks.last_at >= %L',
                                                                    of_device, late.last, late.first), NULL, NULL, quote_ident(day.chunks)), names));
    END IF;
    DROP TABLE pg_temp.late_rows;
    DELETE FROM packing_changes c WHERE c.starts_at = day.starts_at AND c.device = of_device;
    RETURN late.count;
END $$;

-- With a partition of readings that retention takes away: its chunks.
CREATE FUNCTION packing_retire(starts timestamptz) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    day packed_days;
    old text;
BEGIN
    SELECT * INTO day FROM packed_days d WHERE d.starts_at = starts;
    IF day.chunks IS NULL THEN
        RETURN;
    END IF;
    IF day.is_packed THEN
        EXECUTE format('ALTER TABLE reading_chunks DETACH PARTITION %I', day.chunks);
    END IF;
    FOREACH old IN ARRAY ARRAY[day.chunks, day.detached] LOOP
        IF to_regclass(quote_ident(old)) IS NOT NULL THEN
            EXECUTE format('ALTER TABLE %I RENAME TO %I', old, 'dropped_' || old);
            EXECUTE format('COMMENT ON TABLE %I IS ''Too old, and about to be dropped.''', 'dropped_' || old);
        END IF;
    END LOOP;
    EXECUTE format('DROP FUNCTION IF EXISTS %I() CASCADE', packing_late_name(starts)); -- and the trigger of what was detached
    DELETE FROM packing_changes c WHERE c.starts_at = starts;
    DELETE FROM packed_days d WHERE d.starts_at = starts;
END $$;

-- The days that are over by `after`, are rolled up, have readings, and are not packed. None, while readings_default is
-- so large that its search would hold everybody up when the empty partition is attached.
CREATE FUNCTION packing_waiting(after interval) RETURNS SETOF reading_partitions LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    most_bytes CONSTANT bigint := 64 * 1024 * 1024;
    day   reading_partitions;
    found boolean;
BEGIN
    FOR day IN SELECT p.* FROM reading_partitions p, storage_state s
               WHERE p.ends_at <= now() - after AND p.ends_at <= s.rolled_until
                 AND NOT EXISTS (SELECT FROM packed_days d WHERE d.starts_at = p.starts_at) ORDER BY p.starts_at LOOP
        CONTINUE WHEN coalesce(pg_relation_size(to_regclass(quote_ident(day.name))), 0) = 0;
        EXECUTE format('SELECT EXISTS (SELECT FROM %I)', day.name) INTO found;
        IF found THEN
            EXIT WHEN (SELECT sum(pg_relation_size(t.relid)) FROM pg_partition_tree('readings_default') t, storage_state s WHERE t.isleaf
                       AND (day.starts_at < s.old_before OR t.relid IS DISTINCT FROM to_regclass('readings_default_old'))) > most_bytes;
            RETURN NEXT day;
        END IF;
    END LOOP;
END $$;

-- One slice of all that. did: begun, packed, turned, dropped, merged; hours, if some of these were packed (028_hours); waits, when another session is in the way; NULL: there is
-- nothing to do. settled: for how long the first late reading of a device waits for others before they are merged.
CREATE FUNCTION packing_step(after interval, settled interval DEFAULT '0', OUT did text, OUT partition text, OUT readings bigint, OUT wants_more boolean)
LANGUAGE plpgsql SET lock_timeout = '100ms' SET client_min_messages = warning SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    day  packed_days;
    next reading_partitions;
    late integer;
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'packing_step() needs READ COMMITTED: it looks at what others commit while it waits';
    END IF;
    readings := 0;
    wants_more := true;
    IF NOT pg_try_advisory_xact_lock(hashtextextended('highwater packing', 0)) THEN
        did := 'waits';
        wants_more := false;
        RETURN;
    END IF;
    FOR day IN SELECT * FROM packed_days d WHERE d.detached IS NOT NULL AND d.turned_at < now() LOOP
        partition := day.detached;
        IF day.ran_then IS NULL THEN
            UPDATE packed_days d SET ran_then = ARRAY(SELECT l.virtualxid FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.pid <> pg_backend_pid())
            WHERE d.starts_at = day.starts_at RETURNING * INTO day;
        END IF;
        IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'virtualxid' AND l.virtualxid = ANY (day.ran_then)) THEN
            EXECUTE format('DROP TABLE IF EXISTS %I', day.detached);
            UPDATE packed_days d SET detached = NULL, ran_then = NULL WHERE d.starts_at = day.starts_at;
            did := 'dropped';
            RETURN;
        END IF;
    END LOOP;
    SELECT d.* INTO day FROM packed_days d JOIN packing_changes c ON c.starts_at = d.starts_at
    WHERE d.is_packed AND c.noted_at <= clock_timestamp() - settled ORDER BY c.noted_at LIMIT 1;
    IF day.chunks IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
        partition := day.partition;
        late := (SELECT c.device FROM packing_changes c WHERE c.starts_at = day.starts_at ORDER BY c.noted_at LIMIT 1);
        readings := packing_merge(day, late);
        did := 'merged';
        RETURN;
    END IF;
    SELECT * INTO day FROM packed_days d WHERE NOT d.is_packed;
    IF day.chunks IS NOT NULL AND (pg_partition_root(to_regclass(quote_ident(day.partition))) IS DISTINCT FROM 'readings'::regclass
                                   OR NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = to_regclass(quote_ident(day.partition)) AND t.tgname = 'packing')) THEN
        PERFORM packing_forget(day); -- someone has taken it away; or a dump was older than the turn, and has no trigger
        day := NULL;
    END IF;
    IF day.chunks IS NULL THEN
        SELECT * INTO next FROM packing_waiting(after) LIMIT 1;
        partition := next.name;
        IF next.name IS NULL THEN
            did := CASE WHEN hours_step(after, settled) IS NOT NULL THEN 'hours' END;
            wants_more := did IS NOT NULL;
            RETURN;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('highwater partitions', 0));
        PERFORM packing_begin(next);
        did := 'begun';
        RETURN;
    END IF;
    partition := day.partition;
    IF day.done_at < 'infinity' THEN
        -- Nobody waits for the disk, or a standby, that ingest waits for, too: what a crash takes of it is packed again. The turn waits, for all of it.
        PERFORM set_config('synchronous_commit', 'off', true);
        readings := packing_slice(day);
        did := 'packed';
    ELSIF EXISTS (SELECT FROM packing_changes c WHERE c.starts_at = day.starts_at) THEN
        readings := packing_again(day);
        did := 'packed';
    ELSE
        PERFORM pg_advisory_xact_lock(hashtextextended('highwater partitions', 0));
        PERFORM pg_advisory_xact_lock(hashtextextended('highwater rollup', 0));
        did := CASE WHEN packing_turn(day) THEN 'turned' ELSE 'waits' END;
    END IF;
EXCEPTION WHEN lock_not_available THEN
    did := 'waits';
    readings := 0;
    wants_more := false;
END $$;
COMMENT ON FUNCTION packing_step(interval, interval) IS 'Packs a slice of a day that has been over for so long, and says what it did. For the collector that looks after storage.';

-- Cheap, so late readings are those that PostgreSQL's statistics know of.
CREATE FUNCTION packing_status(after interval, OUT packed_days bigint, OUT packed_readings bigint, OUT packed_bytes bigint, OUT late_readings bigint,
                               OUT waiting_days bigint, OUT partition text, OUT share double precision)
LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT count(*) FILTER (WHERE d.is_packed), coalesce(sum(d.readings) FILTER (WHERE d.is_packed), 0)::bigint,
           coalesce(sum(d.bytes) FILTER (WHERE d.is_packed), 0)::bigint,
           coalesce(sum(pg_stat_get_live_tuples(to_regclass(quote_ident(d.partition)))) FILTER (WHERE d.is_packed), 0)::bigint,
           (SELECT count(*) FROM packing_waiting(after)) + count(*) FILTER (WHERE NOT d.is_packed AND after IS NOT NULL),
           min(d.partition) FILTER (WHERE NOT d.is_packed),
           max(least(1, d.readings / nullif(d.expected, 0)::double precision)) FILTER (WHERE NOT d.is_packed)
    FROM packed_days d
$$;
COMMENT ON FUNCTION packing_status(interval) IS 'How packing is doing: what the collector shows in its metrics.';
