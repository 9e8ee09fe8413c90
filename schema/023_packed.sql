-- 023_packed: days that are over, in a tenth of the space. What they look like; how they are read.
--
-- A reading of two features takes 77 bytes in readings and 65 in its index. Most of that says again what the
-- reading before it said: so the readings of a device and some thousand moments are one row, a *chunk*, and each
-- column of theirs an array of what a straight line does not foresee, as small integers, which PostgreSQL
-- compresses. docs/PACKING.md says what is exact (all but 48 bits of a hash), and 026_packing how a day is packed.

-- Number i of n is (base + i * step + residual) / 10^scale, i from 1. Residuals are in the smallest array that
-- holds all; none of the arrays is there if all are 0. `exact` has doubles which are no such decimals, as they
-- are; nothing else is set then. An element of a reading that has no value is NULL; all of it is if none has one.
CREATE TYPE packed_numbers AS (
    scale smallint,
    base  bigint,
    step  bigint,
    small smallint[],
    wide  integer[],
    large bigint[],
    exact double precision[]
);
COMMENT ON TYPE packed_numbers IS 'Numbers of a chunk: (base + i * step + residual) / 10^scale, the residual in small, wide or large; or exact. unpacked() reads it.';

-- A feature may be called as any of the columns that readings do not have, so features add <feature>_packed.
CREATE TABLE reading_chunks (
    device           integer NOT NULL,
    readings         integer NOT NULL CHECK (readings > 0),
    first_at         timestamptz NOT NULL,
    last_at          timestamptz NOT NULL,
    last_received_at timestamptz NOT NULL,
    recorded_at      packed_numbers,
    received_at      packed_numbers,
    status           packed_numbers,
    seq              packed_numbers,
    content_hash     packed_numbers
) PARTITION BY RANGE (first_at);
CREATE INDEX reading_chunks_device ON reading_chunks (device, first_at);
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_settings WHERE name = 'default_toast_compression' AND 'lz4' = ANY (enumvals)) THEN
        ALTER TABLE reading_chunks ALTER COLUMN recorded_at SET COMPRESSION lz4, ALTER COLUMN received_at SET COMPRESSION lz4,
            ALTER COLUMN status SET COMPRESSION lz4, ALTER COLUMN seq SET COMPRESSION lz4, ALTER COLUMN content_hash SET COMPRESSION lz4;
    END IF;
END $$;
COMMENT ON TABLE reading_chunks IS 'The readings of days that are packed, up to some thousand of a device in a row. People query device_readings.';
COMMENT ON COLUMN reading_chunks.device IS 'devices.id';
COMMENT ON COLUMN reading_chunks.readings IS 'How many, in the order of recorded_at and content_hash.';
COMMENT ON COLUMN reading_chunks.first_at IS 'recorded_at of the oldest one';
COMMENT ON COLUMN reading_chunks.last_at IS 'recorded_at of the newest one; the device''s next chunk begins later.';
COMMENT ON COLUMN reading_chunks.last_received_at IS 'None of them was received later.';
COMMENT ON COLUMN reading_chunks.recorded_at IS 'Of each: the time since first_at, in 10^scale microseconds.';
COMMENT ON COLUMN reading_chunks.received_at IS 'Of each: the time since its recorded_at, in 10^scale microseconds.';
COMMENT ON COLUMN reading_chunks.status IS 'As in readings.';
COMMENT ON COLUMN reading_chunks.seq IS 'As in readings.';
COMMENT ON COLUMN reading_chunks.content_hash IS 'As in readings; in small the upper 16 bits, where no two readings of the chunk were recorded in one microsecond.';

CREATE TABLE packed_days (
    partition   text COLLATE "C" PRIMARY KEY,
    chunks      text COLLATE "C" NOT NULL UNIQUE,
    starts_at   timestamptz NOT NULL UNIQUE,
    ends_at     timestamptz NOT NULL,
    is_packed   boolean NOT NULL DEFAULT false,
    readings    bigint NOT NULL DEFAULT 0,
    expected    bigint,
    bytes       bigint,
    done_device integer NOT NULL DEFAULT 0,
    done_at     timestamptz NOT NULL DEFAULT '-infinity',
    began_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    turned_at   timestamptz,
    changed_at  timestamptz,
    detached    text COLLATE "C",
    ran_then    text[] COLLATE "C"
) WITH (fillfactor = 50);
COMMENT ON TABLE packed_days IS 'The partitions that are packed, and the one that is just being packed.';
COMMENT ON COLUMN packed_days.partition IS 'The partition of readings for what comes late; before the turn, the one that is being packed.';
COMMENT ON COLUMN packed_days.chunks IS 'The partition of reading_chunks; before the turn, a table that nobody asks.';
COMMENT ON COLUMN packed_days.starts_at IS 'recorded_at of its readings is not before this,';
COMMENT ON COLUMN packed_days.ends_at IS 'and before this.';
COMMENT ON COLUMN packed_days.is_packed IS 'Its turn has been: chunks hold its readings, and the partition what came since.';
COMMENT ON COLUMN packed_days.readings IS 'How many readings its chunks hold.';
COMMENT ON COLUMN packed_days.expected IS 'How many there were about to be when packing began.';
COMMENT ON COLUMN packed_days.bytes IS 'What its chunks and their index take on disk.';
COMMENT ON COLUMN packed_days.done_device IS 'Before the turn: readings up to this device''s (devices.id)';
COMMENT ON COLUMN packed_days.done_at IS 'and this recorded_at are packed.';
COMMENT ON COLUMN packed_days.began_at IS 'When packing began.';
COMMENT ON COLUMN packed_days.turned_at IS 'When the chunks took the place of its readings.';
COMMENT ON COLUMN packed_days.changed_at IS 'When its chunks changed last: the turn, late readings, a removal.';
COMMENT ON COLUMN packed_days.detached IS 'The table that held its readings, until it is dropped: whoever was asking at the turn may still need it.';
COMMENT ON COLUMN packed_days.ran_then IS 'The transactions that ran at the turn (virtualtransaction of pg_locks).';

-- ---- reading ------------------------------------------------------------------------------------

-- Whether a hash that was asked for, whole or not, is the one that was kept, whole or not.
CREATE FUNCTION hash_matches(kept bigint, asked bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT kept = asked OR (kept >> 48 = asked >> 48 AND (kept & 281474976710655 = 0 OR asked & 281474976710655 = 0))
$$;
COMMENT ON FUNCTION hash_matches(bigint, bigint) IS 'Of two content_hash of readings of one device and moment: whether they are the same as far as is known. Of a packed reading that is 16 bits; the others are 0.';

-- Chunks as the rows that they hold: a SELECT of such columns of readings. Fields are taken out once per chunk and
-- not once per row (OFFSET 0), for each time the column is decompressed. Between two moments (SQL, or NULL), only what
-- can lie there is unpacked, where residuals of time are small. The names in between have a blank in them, or are none
-- that a feature can have at that place.
-- Rejected: the arrays in FROM (ROWS FROM), which stores what each of them gives, and Memoize once more: twice the
-- time; differences to be added up, which take a window function.
CREATE FUNCTION chunks_select(columns text[], conditions text, from_at text DEFAULT NULL, until_at text DEFAULT NULL,
                              chunks text DEFAULT 'reading_chunks') RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
DECLARE
    powers  CONSTANT text := '(ARRAY[1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]::double precision[])[(%1$s).scale + 1]';
    number  CONSTANT text := '(chunk_items."%1$s base" + chunk_items.i * chunk_items."%1$s step"'
                             ' + coalesce(chunk_items."%1$s small", chunk_items."%1$s wide", chunk_items."%1$s large", chunk_items."%1$s none"))';
    moment  CONSTANT text := replace(number, '%1$s', 'recorded_at') || ' * chunk_items."recorded_at unit"';
    column_ text;
    stored  text;
    arrays  text[];
    whole   text[] := '{}'; -- of a chunk, each decompressed once: a field of a column would do so each time
    fields  text[] := '{}'; -- out of that
    items   text[] := '{}'; -- of a row
    results text[] := '{}';
    -- the first and the last index that may be meant
    low     text := '1';
    high    text := 'reading_chunks.readings';
    part    text;
BEGIN
    FOREACH column_ IN ARRAY columns || CASE WHEN 'received_at' = ANY (columns) AND NOT 'recorded_at' = ANY (columns)
                                             THEN ARRAY['recorded_at'] ELSE '{}' END LOOP
        stored := format('chunk_columns.%I', column_);
        IF column_ = 'device' THEN
            results := results || 'chunk_items.device'::text;
            CONTINUE;
        ELSIF column_ = 'content_hash' THEN
            arrays := '{small,large}';
            results := results || 'coalesce(chunk_items."content_hash large", chunk_items."content_hash small"::bigint << 48) AS content_hash'::text;
        ELSE
            arrays := '{small,wide,large}';
            IF column_ IN ('recorded_at', 'received_at') THEN
                fields := fields || format('interval ''1 microsecond'' * %s AS "%s unit"', format(powers, stored), column_);
                items := items || format('chunk_fields."%s unit"', column_);
                results := results || CASE column_ WHEN 'recorded_at' THEN 'chunk_items.first_at + ' || moment || ' AS recorded_at'
                    ELSE format('chunk_items.first_at + %s + %s * chunk_items."received_at unit" AS received_at', moment, format(number, column_)) END;
            ELSIF column_ = 'status' THEN
                results := results || (format(number, column_) || '::smallint AS status');
            ELSIF column_ = 'seq' THEN
                results := results || (format(number, column_) || ' AS seq');
            ELSE
                stored := format('chunk_columns.%I', column_ || '_packed');
                arrays := arrays || 'exact'::text;
                fields := fields || format('%s AS "%s power"', format(powers, stored), column_);
                items := items || format('chunk_fields."%s power"', column_);
                results := results || format('coalesce(chunk_items."%1$s exact", %2$s / chunk_items."%1$s power") AS %1$I',
                                             column_, format(number, column_) || '::double precision');
            END IF;
            fields := fields || format('(%1$s).base AS "%2$s base", (%1$s).step AS "%2$s step",'
                                       ' CASE WHEN num_nulls((%1$s).small, (%1$s).wide, (%1$s).large) = 3 THEN 0::bigint END AS "%2$s none"',
                                       stored, column_);
            items := items || format('chunk_fields."%1$s base", chunk_fields."%1$s step", chunk_fields."%1$s none"', column_);
        END IF;
        whole := whole || format('(ARRAY[%s])[1] AS %s', replace(stored, 'chunk_columns', 'reading_chunks'), replace(stored, 'chunk_columns.', ''));
        FOREACH part IN ARRAY arrays LOOP
            fields := fields || format('(%s).%s AS "%s %2$s"', stored, part, column_);
            items := items || format('unnest(chunk_fields."%1$s %2$s"[chunk_fields.low:chunk_fields.high]) AS "%1$s %2$s"', column_, part);
        END LOOP;
    END LOOP;
    IF NOT 'recorded_at' = ANY (columns) AND 'received_at' = ANY (columns) THEN
        results := trim_array(results, 1);
    END IF;
    stored := '(chunk_columns.recorded_at)';
    IF (from_at IS NOT NULL OR until_at IS NOT NULL) AND NOT columns && '{recorded_at,received_at}' THEN
        whole := whole || '(ARRAY[reading_chunks.recorded_at])[1] AS recorded_at'::text;
    END IF;
    part := 'CASE WHEN num_nulls(%1$s.wide, %1$s.large) = 2 AND %1$s.step > 0 THEN'
            ' (date_part(''epoch'', %2$s - reading_chunks.first_at) * 1e6 / %3$s - %1$s.base %4$s 32769) / %1$s.step END';
    IF from_at IS NOT NULL THEN
        low := format('least(greatest(floor(%s), 1), reading_chunks.readings + 1)::integer',
                      format(part, stored, format('greatest(%s, reading_chunks.first_at)', from_at), format(powers, stored), '-'));
    END IF;
    IF until_at IS NOT NULL THEN
        high := format('greatest(least(ceil(%s), reading_chunks.readings), 0)::integer',
                       format(part, stored, format('least(%s, reading_chunks.last_at + interval ''1 microsecond'')', until_at), format(powers, stored), '+'));
    END IF;
    RETURN format('SELECT %s FROM (SELECT reading_chunks.device, reading_chunks.first_at, %s, generate_series(chunk_fields.low, chunk_fields.high) AS i'
                  ' FROM %s AS reading_chunks CROSS JOIN LATERAL (SELECT %s OFFSET 0) AS chunk_columns'
                  ' CROSS JOIN LATERAL (SELECT %s, %s AS low, %s AS high OFFSET 0) AS chunk_fields WHERE %s) AS chunk_items',
                  array_to_string(results, ', '), array_to_string(items, ', '), chunks, array_to_string(whole, ', '), array_to_string(fields, ', '), low, high, conditions);
END $$;

-- What to write in FROM to have all readings that were recorded from `starts` until before `ends`, packed or not: just
-- readings, if none of those days is packed. See readings_settle(), which has to be called first. Whoever asks keeps
-- the conditions on device and recorded_at.
--   of_device          SQL of one device's number. A condition on it outside finds chunks by the index, too; but
--                      with this each time is worked out once.
--   columns            needed beside device and recorded_at. NULL: all, so that a row is one of readings.
--   from_at, until_at  SQL of narrower bounds, which may be columns of a lateral join.
--   received_after     SQL of a moment: chunks are left out that have nothing which was received later.
-- To a snapshot that is older than a turn chunks of that day are none; the table that held its readings is there as
-- long as someone may have such a snapshot.
CREATE OR REPLACE FUNCTION readings_source(starts timestamptz, ends timestamptz, of_device text DEFAULT NULL, columns text[] DEFAULT NULL,
                                from_at text DEFAULT NULL, until_at text DEFAULT NULL, received_after text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    packed   record;
    wanted   text[];
    names    text;
    detached text;
    conditions text;
BEGIN
    SELECT min(d.starts_at) AS first, max(d.ends_at - d.starts_at) AS longest INTO packed FROM packed_days d
    WHERE d.is_packed AND d.starts_at < coalesce(ends, 'infinity') AND d.ends_at > coalesce(starts, '-infinity');
    IF to_regclass('readings_moves_' || (SELECT s.moves FROM storage_state s)) IS NULL THEN
        detached := (SELECT string_agg(format(' UNION ALL SELECT %%1$s FROM %I', p.name), '') FROM reading_partitions p
                     WHERE p.starts_at < coalesce(ends, 'infinity') AND p.ends_at > coalesce(starts, '-infinity')
                       AND to_regclass(quote_ident(p.name)) IS NOT NULL
                       AND pg_partition_root(to_regclass(quote_ident(p.name))) IS DISTINCT FROM 'readings'::regclass);
    END IF;
    IF packed.first IS NULL AND detached IS NULL THEN
        RETURN 'readings';
    END IF;
    IF columns IS NULL THEN
        wanted := readings_columns();
    ELSE
        wanted := ARRAY['device', 'recorded_at'] || ARRAY(SELECT c.name FROM unnest(columns) WITH ORDINALITY AS c (name, n)
                                                          WHERE c.name NOT IN ('device', 'recorded_at') ORDER BY c.n);
    END IF;
    names := (SELECT string_agg(quote_ident(c.name), ', ' ORDER BY c.n) FROM unnest(wanted) WITH ORDINALITY AS c (name, n));
    IF packed.first IS NULL THEN
        RETURN format('(SELECT %1$s FROM readings' || detached || ')', names);
    END IF;
    from_at := coalesce(from_at, CASE WHEN starts > '-infinity' THEN format('%L::timestamptz', starts) END);
    until_at := coalesce(until_at, CASE WHEN ends < 'infinity' THEN format('%L::timestamptz', ends) END);
    conditions := format('reading_chunks.first_at >= %L', packed.first)
        || CASE WHEN of_device IS NULL THEN '' ELSE format(' AND reading_chunks.device = (%s)', of_device) END
        -- chunks of a day that has been turned since hang below reading_chunks, too: that snapshot has their readings twice
        || CASE WHEN detached IS NULL THEN '' ELSE
                ' AND EXISTS (SELECT FROM packed_days d WHERE d.is_packed AND d.starts_at <= reading_chunks.first_at AND d.ends_at > reading_chunks.first_at)' END
        || CASE WHEN ends < 'infinity' THEN format(' AND reading_chunks.first_at < %L', ends) ELSE '' END
        || CASE WHEN received_after IS NULL THEN '' ELSE format(' AND reading_chunks.last_received_at > (%s)', received_after) END
        || CASE WHEN until_at IS NULL THEN '' ELSE format(' AND reading_chunks.first_at < (%s)', until_at) END
        || CASE WHEN from_at IS NULL THEN '' ELSE
                format(' AND reading_chunks.last_at >= (%1$s) AND reading_chunks.first_at > (%1$s)::timestamptz - interval ''%2$s seconds''',
                       from_at, extract(epoch FROM packed.longest)) END;
    RETURN format('(SELECT %1$s FROM readings' || coalesce(detached, '') || ' UNION ALL (%2$s%3$s))', names,
                  chunks_select(wanted, conditions, from_at, until_at), CASE WHEN of_device IS NULL THEN '' ELSE ' OFFSET 0' END);
END $$;
COMMENT ON FUNCTION readings_source(timestamptz, timestamptz, text, text[], text, text, text) IS 'SQL for FROM: all readings recorded from `starts` until before `ends`, packed or not. For STABLE functions, after readings_settle().';

-- ---- hours --------------------------------------------------------------------------------------
-- What rollup_hours has of 16 devices and two UTC days is one row, when it is over (028_hours): of a row of its own there, header and keys
-- alone would take more than all of it takes here. Numbers are in the order of hours, and in each of devices: that of hour h (from 0) and
-- device p (from 1) is number h * cardinality(devices) + p. So a device is a stride, and some hours of all are a slice; both are taken by subscripts,
-- which are quick as long as no element is NULL. So none is: an hour that is not there has 0 readings (and some number for all else), a
-- feature's lowest and highest value mean nothing where its count is 0, and -1 stands for parts that are not known. A feature's count is NULL as
-- a whole where each reading has it, and all of the feature where there was none of it.

CREATE TYPE packed_hours AS (
    count     packed_numbers,
    sum       packed_numbers,
    min       packed_numbers,
    max       packed_numbers,
    parts     packed_numbers,
    part_sums packed_numbers
);
COMMENT ON TYPE packed_hours IS 'What rollup_hours has of a feature, of some devices and hours: rollup_hour_chunks. hours_select() reads it.';

-- Features add <feature>_hours.
CREATE TABLE rollup_hour_chunks (
    device_group  integer NOT NULL,
    starts_at     timestamptz NOT NULL,
    devices       integer[] NOT NULL,
    readings      packed_numbers,
    status_on     packed_numbers,
    status_off    packed_numbers,
    status_active packed_numbers,
    no_status     packed_numbers,
    first_at      packed_numbers,
    last_at       packed_numbers,
    PRIMARY KEY (device_group, starts_at)
);
CREATE INDEX rollup_hour_chunks_starts ON rollup_hour_chunks (starts_at);
COMMENT ON TABLE rollup_hour_chunks IS 'What rollup_hours had, packed: 16 devices and two days in a row. People query device_hours.';
COMMENT ON COLUMN rollup_hour_chunks.device_group IS 'devices.id / 16';
COMMENT ON COLUMN rollup_hour_chunks.starts_at IS 'The start of the two days, in UTC.';
COMMENT ON COLUMN rollup_hour_chunks.devices IS 'Which of the 16 have any readings then: devices.id, rising.';
COMMENT ON COLUMN rollup_hour_chunks.readings IS 'Of each hour and device, as in rollup_hours; 0: there is no such row.';
COMMENT ON COLUMN rollup_hour_chunks.status_on IS 'As in rollup_hours.';
COMMENT ON COLUMN rollup_hour_chunks.status_off IS 'As in rollup_hours.';
COMMENT ON COLUMN rollup_hour_chunks.status_active IS 'As in rollup_hours.';
COMMENT ON COLUMN rollup_hour_chunks.no_status IS 'How many of the readings have no status; the others are inactive.';
COMMENT ON COLUMN rollup_hour_chunks.first_at IS 'As in rollup_hours, in microseconds since the hour began.';
COMMENT ON COLUMN rollup_hour_chunks.last_at IS 'As in rollup_hours, in microseconds since the hour began.';

-- The columns of rollup_hours as SQL, those of such features.
CREATE FUNCTION hours_columns(features text[]) RETURNS text LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT 'device, bucket, readings, status_on, status_off, status_active, status_inactive, first_at, last_at'
           || coalesce(string_agg(format(', %I, %I, %I, %I, %I, %I', f || '_count', f || '_sum', f || '_min', f || '_max', f || '_parts', f || '_part_sums'),
                                  '' ORDER BY n), '')
    FROM unnest(features) WITH ORDINALITY AS feature (f, n)
$$;

-- Packed hours as rows: a SELECT of these columns, of hours that begin from from_at on and before until_at; NULL: any. of_device is SQL of one device,
-- of_devices of an array of them; where both are NULL it is about all. What is taken apart once per chunk is so in levels of its own (OFFSET 0): a
-- field of a column decompresses all of it each time. Whatever of these columns nobody asks for is left out by the planner.
CREATE FUNCTION hours_select(features text[], from_at timestamptz DEFAULT NULL, until_at timestamptz DEFAULT NULL, of_device text DEFAULT NULL,
                             of_devices text DEFAULT NULL, conditions text DEFAULT 'true') RETURNS text
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    fields  CONSTANT text[] := '{base,step,small,wide,large,none,exact,power}';
    taken   CONSTANT text[] := ARRAY['(^).base', '(^).step', '(^).small', '(^).wide', '(^).large',
        'CASE WHEN num_nulls((^).small, (^).wide, (^).large) = 3 THEN 0::bigint END', '(^).exact',
        '(ARRAY[1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]::double precision[])[(^).scale + 1]'];
    whole   CONSTANT text := '(c."~ base" + c.i * c."~ step" + coalesce(c."~ small"[c.i], c."~ wide"[c.i], c."~ large"[c.i], c."~ none"))';
    decimal CONSTANT text := 'coalesce(c."~ exact"[c.i], ' || whole || '::double precision / c."~ power")';
    hour    CONSTANT text := '(c.starts_at + (c.i - 1) / c.width * interval ''1 hour'')';
    fixed   CONSTANT text[] := '{readings,status_on,status_off,status_active,no_status,first_at,last_at}';
    is_wide CONSTANT boolean := cardinality(features) > 30; -- then a level more would have more columns than there may be
    chunk   text; -- what is taken out of a row,
    arrays  text; -- out of that,
    rows    text; -- and told,
    there   text; -- if this holds
    n       integer;
    bounds  text := CASE WHEN from_at > '-infinity' THEN format(' AND x.starts_at > %L', from_at - interval '48 hours') ELSE '' END
                    || CASE WHEN until_at < 'infinity' THEN format(' AND x.starts_at < %L', until_at) ELSE '' END;
BEGIN
    -- ~ is what a number's fields are called by
    SELECT string_agg(format('x.%I', f), ', ') INTO chunk FROM unnest(fixed) f;
    SELECT concat_ws(', ', chunk, string_agg(format('(x.%1$I).%2$I AS "%3$s %2$s"', f || '_hours', field, n), ', '))
    INTO chunk FROM unnest(features) WITH ORDINALITY AS feature (f, n), unnest('{count,sum,min,max,parts,part_sums}'::text[]) field;
    SELECT string_agg(replace(replace(CASE WHEN is_wide THEN '^ AS "~"' ELSE (SELECT string_agg(format('%s AS "~ %s"', said, field), ', ') FROM unnest(fields, taken) AS x (field, said)
                                                                              WHERE is_decimal OR field NOT IN ('exact', 'power')) END, '^', number), '~', name), ', ')
    INTO arrays FROM (SELECT f, false, format('t.%s', f) FROM unnest(fixed) f
                      UNION ALL SELECT format('%s %s', n, field), field IN ('sum', 'min', 'max'), replace(CASE field
                          -- as many as there are readings, if there is anything of the feature
                          WHEN 'count' THEN 'coalesce(t."~ count", CASE WHEN NOT t."~ sum" IS NULL THEN t.readings END)' ELSE format('t."~ %s"', field) END, '~', n::text)
                      FROM generate_series(1, cardinality(features)) n, unnest('{count,sum,min,max,parts,part_sums}'::text[]) field) names (name, is_decimal, number);
    SELECT CASE WHEN of_device IS NULL AND of_devices IS NULL THEN 'c.devices[mod(c.i - 1, c.width) + 1]' ELSE 'c.device' END || ' AS device, ' || hour || ' AS bucket, '
           || string_agg(replace(whole, '~', f) || ' AS ' || f, ', ') INTO rows FROM unnest(fixed[1:4]) f;
    rows := rows || format(', %s - %s - %s - %s - %s AS status_inactive, %s + %s * interval ''1 microsecond'' AS first_at, %6$s + %8$s * interval ''1 microsecond'' AS last_at',
                           replace(whole, '~', 'readings'), replace(whole, '~', 'status_on'), replace(whole, '~', 'status_off'), replace(whole, '~', 'status_active'),
                           replace(whole, '~', 'no_status'), hour, replace(whole, '~', 'first_at'), replace(whole, '~', 'last_at'));
    SELECT concat_ws(', ', rows, string_agg(format('coalesce(%1$s, 0) AS %2$I, coalesce(%3$s, 0) AS %4$I, CASE WHEN %1$s > 0 THEN %5$s END AS %6$I, CASE WHEN %1$s > 0 THEN %7$s END AS %8$I,'
                                                   ' nullif(%9$s, -1) AS %10$I, nullif(%11$s, -1) AS %12$I',
                                                   replace(whole, '~', n || ' count'), f || '_count', replace(decimal, '~', n || ' sum'), f || '_sum',
                                                   replace(decimal, '~', n || ' min'), f || '_min', replace(decimal, '~', n || ' max'), f || '_max',
                                                   replace(whole, '~', n || ' parts'), f || '_parts', replace(whole, '~', n || ' part_sums'), f || '_part_sums'), ', ' ORDER BY n))
    INTO rows FROM unnest(features) WITH ORDINALITY AS feature (f, n);
    there := replace(whole, '~', 'readings') || ' > 0';
    IF is_wide THEN
        FOR n IN 1 .. cardinality(fields) LOOP
            rows := regexp_replace(rows, format('c\."([^"]+) %s"', fields[n]), replace(taken[n], '^', 'c."\1"'), 'g');
            there := regexp_replace(there, format('c\."([^"]+) %s"', fields[n]), replace(taken[n], '^', 'c."\1"'), 'g');
        END LOOP;
    END IF;
    RETURN format('SELECT %s FROM (SELECT f.*, generate_series(f.low, f.high, f.stride) AS i FROM ('
                  'SELECT t.starts_at, t.devices, t.width, t.device, %s * t.width + t.place AS low, %s * t.width AS high, t.stride, %s FROM ('
                  'SELECT x.starts_at, x.devices, cardinality(x.devices) AS width, %s, %s FROM %srollup_hour_chunks x WHERE %s%s%s OFFSET 0) t OFFSET 0) f) c WHERE %s',
                  rows,
                  CASE WHEN from_at > '-infinity' THEN format('greatest(ceil(date_part(''epoch'', %L - t.starts_at) / 3600), 0)::integer', from_at) ELSE '0' END,
                  CASE WHEN until_at < 'infinity' THEN format('least(ceil(date_part(''epoch'', %L - t.starts_at) / 3600), 48)::integer', until_at) ELSE '48' END,
                  arrays,
                  CASE WHEN of_device IS NULL AND of_devices IS NULL THEN 'NULL::integer AS device, 1 AS place, 1 AS stride'
                       ELSE 'wanted.device, array_position(x.devices, wanted.device) AS place, cardinality(x.devices) AS stride' END,
                  chunk,
                  CASE WHEN of_device IS NOT NULL THEN format('(SELECT (%s)::integer AS device) wanted CROSS JOIN ', of_device)
                       WHEN of_devices IS NOT NULL THEN format('(SELECT DISTINCT unnest(%s) AS device) wanted CROSS JOIN ', of_devices) ELSE '' END,
                  conditions, bounds,
                  CASE WHEN of_device IS NULL AND of_devices IS NULL THEN '' ELSE ' AND x.device_group = wanted.device >> 4' END,
                  there);
END $$;

-- What to write in FROM where rollup_hours would stand, with a name behind it: the hours of single devices that begin from `starts` on and before `ends`, packed or not.
-- Conditions on them stay. of_device is SQL of one device; `whose` says the same, or which are meant, as a condition, like the boards'; `said` is SQL that names
-- all columns of features that are meant; NULL: all.
CREATE FUNCTION hours_source(starts timestamptz, ends timestamptz, of_device text DEFAULT NULL, said text DEFAULT NULL, whose text DEFAULT '') RETURNS text
LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    features text[];
BEGIN
    IF of_device = '0' OR NOT EXISTS (SELECT FROM rollup_hour_chunks x WHERE x.starts_at > starts - interval '48 hours' AND x.starts_at < ends) THEN
        RETURN 'rollup_hours';
    END IF;
    features := ARRAY(SELECT f FROM features_of('readings') f WHERE said IS NULL OR position(f in said) > 0);
    RETURN format('(SELECT %s FROM rollup_hours UNION ALL (%s))', hours_columns(features), hours_select(features, starts, ends,
                               coalesce(of_device, substring(whose FROM '^ AND device = ([0-9]+)$')), substring(whose FROM '^ AND device = ANY \((.+)\)$')));
END $$;
COMMENT ON FUNCTION hours_source(timestamptz, timestamptz, text, text, text) IS 'SQL for FROM: rows as in rollup_hours, of hours that begin from `starts` on and before `ends`, packed or not.';

-- Packed hours of a device.
CREATE FUNCTION hours_rows(of_device integer) RETURNS SETOF rollup_hours LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT %s FROM (%s) r', (SELECT string_agg(format('r.%I', a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
                                                          WHERE a.attrelid = 'rollup_hours'::regclass AND a.attnum > 0 AND NOT a.attisdropped),
                                hours_select(ARRAY(SELECT features_of('readings')), of_device => of_device::text));
END $$;
COMMENT ON FUNCTION hours_rows(integer) IS 'For device_hours, where there are many features.';

-- What is there already, and the views.
SELECT add_features(array_agg(attname::text ORDER BY attnum)) FROM pg_attribute
WHERE attrelid = 'readings'::regclass AND attnum > 6 AND NOT attisdropped;

CREATE FUNCTION readings_between(of_device text, starts timestamptz, ends timestamptz) RETURNS SETOF device_readings
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    of_id integer := (SELECT d.id FROM devices d WHERE d.device_id = of_device);
BEGIN
    PERFORM readings_settle();
    RETURN QUERY EXECUTE format(
        'SELECT %1$L, r.recorded_at, r.received_at, (ARRAY[''ON'', ''OFF'', ''ACTIVE'', ''INACTIVE''])[r.status], r.seq%2$s FROM %3$s r
         WHERE r.device = %4$s AND r.recorded_at >= %5$L AND r.recorded_at < %6$L',
        of_device, (SELECT string_agg(format(', r.%I', a.attname), '' ORDER BY a.attnum) FROM pg_attribute a
                    WHERE a.attrelid = 'readings'::regclass AND a.attnum > 6 AND NOT a.attisdropped),
        readings_source(starts, ends, of_id::text), coalesce(of_id, 0), starts, ends);
END $$;
COMMENT ON FUNCTION readings_between(text, timestamptz, timestamptz) IS 'The rows of device_readings of one device, recorded from `starts` until before `ends`: finds them in packed days without a look at the others.';

CREATE FUNCTION hours_between(of_device text, starts timestamptz, ends timestamptz) RETURNS SETOF device_hours
LANGUAGE plpgsql STABLE SET datestyle = 'ISO' SET jit = off SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    of_id integer := (SELECT d.id FROM devices d WHERE d.device_id = of_device);
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT %1$L, r.bucket, r.readings, r.status_on, r.status_off, r.status_active, r.status_inactive, r.first_at, r.last_at%2$s FROM %3$s r
         WHERE r.device = %4$s AND r.bucket >= %5$L AND r.bucket < %6$L',
        of_device, (SELECT string_agg(format(', r.%1$I, rollup_mean(r.%2$I, r.%1$I), r.%3$I, r.%4$I', a.attname || '_count', a.attname || '_sum', a.attname || '_min', a.attname || '_max'),
                                      '' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = 'readings'::regclass AND a.attnum > 6 AND NOT a.attisdropped),
        hours_source(starts, ends, coalesce(of_id, 0)::text), coalesce(of_id, -1), starts, ends);
END $$;
COMMENT ON FUNCTION hours_between(text, timestamptz, timestamptz) IS 'The rows of device_hours of one device and hours that begin from `starts` on and before `ends`: finds them among packed ones without a look at the others.';
