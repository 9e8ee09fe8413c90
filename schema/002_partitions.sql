-- 002_partitions: readings lie in one partition per UTC day (or week, or month).
--
-- A partition is dropped whole when it is too old, and a question about a span of time touches
-- those partitions alone. They are made a week ahead. A reading of a day that has none goes to
-- readings_default, and the day is asked for; make_partition() then moves what is there.
--
-- ATTACH looks through the default partition, with everybody locked out, for rows that belong to
-- the new one. So the default has two parts: what is older than a year or so, which may be as large
-- as it likes, because its CHECK tells ATTACH that there is nothing to look for; and the rest,
-- which stays small.

CREATE TABLE storage_state (
    is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    kept_from    timestamptz NOT NULL DEFAULT '-infinity',
    old_before   timestamptz NOT NULL DEFAULT '-infinity',
    rolled_until timestamptz NOT NULL,
    late_before  timestamptz NOT NULL,
    moves        bigint NOT NULL DEFAULT 0,
    CHECK (rolled_until <= late_before)
) WITH (fillfactor = 50);
COMMENT ON TABLE storage_state IS 'One row: how far partitions are dropped, and how far readings are rolled up.';
COMMENT ON COLUMN storage_state.is_only IS 'Always true: there is one row.';
COMMENT ON COLUMN storage_state.kept_from IS 'Partitions before this were dropped; their sums live on in the rollups.';
COMMENT ON COLUMN storage_state.old_before IS 'The border between the two parts of readings_default.';
COMMENT ON COLUMN storage_state.rolled_until IS 'The rollups of devices hold every reading recorded before this, those in rollup_late aside.';
COMMENT ON COLUMN storage_state.late_before IS 'A reading recorded before this is put into rollup_late by its writer.';
COMMENT ON COLUMN storage_state.moves IS 'How often readings moved from readings_default into a new partition.';
INSERT INTO storage_state (rolled_until, late_before)
VALUES (date_bin('1 minute', now(), 'epoch'), date_bin('1 minute', now(), 'epoch'));

-- The same number in the name of a view. A snapshot says how many moves it knows of; a name is always
-- looked up in the latest catalogue, which is what plans are made from. Both on a standby, too, and
-- both are undone with a move that fails. See readings_settle().
CREATE VIEW readings_moves_0 AS SELECT;
COMMENT ON VIEW readings_moves_0 IS 'Empty; its name ends in storage_state.moves.';

CREATE TABLE reading_partitions (
    name      text COLLATE "C" PRIMARY KEY,
    starts_at timestamptz NOT NULL UNIQUE,
    ends_at   timestamptz NOT NULL UNIQUE,
    CHECK (starts_at < ends_at)
);
COMMENT ON TABLE reading_partitions IS 'The partitions of readings and the time each is for, the end excluded.';
COMMENT ON COLUMN reading_partitions.name IS 'The table.';
COMMENT ON COLUMN reading_partitions.starts_at IS 'recorded_at of its readings is not before this,';
COMMENT ON COLUMN reading_partitions.ends_at IS 'and before this.';

CREATE TABLE partition_requests (
    day          timestamptz NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    answer       text
);
CREATE INDEX partition_requests_day ON partition_requests (day);
COMMENT ON TABLE partition_requests IS 'UTC days of which readings came that had no partition.';
COMMENT ON COLUMN partition_requests.day IS 'The start of the day.';
COMMENT ON COLUMN partition_requests.requested_at IS 'When its first reading was stored.';
COMMENT ON COLUMN partition_requests.answer IS 'Why those readings stay in readings_default; NULL: not decided yet.';

-- What earlier versions made.
INSERT INTO reading_partitions (name, starts_at, ends_at)
SELECT relname, bounds[1]::timestamptz, bounds[2]::timestamptz
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
CROSS JOIN LATERAL regexp_match(pg_get_expr(c.relpartbound, c.oid),
                                'FROM \(''(.*)''\) TO \(''(.*)''\)') AS bounds
WHERE i.inhparent = 'readings'::regclass AND bounds IS NOT NULL;
DROP FUNCTION IF EXISTS make_day_partition(date);

-- The border is fixed once: ATTACH has to be sure of it. Without a default partition of its own:
-- one would make every plan prove that it cannot hold what the other partitions do.
DO $$
DECLARE
    border timestamptz := date_trunc('month', now() - interval '400 days', 'UTC');
BEGIN
    IF (SELECT relkind FROM pg_class WHERE oid = 'readings_default'::regclass) = 'p' THEN
        EXECUTE format('CREATE TABLE readings_default_old PARTITION OF readings_default
                        (CONSTRAINT readings_default_old_only CHECK (recorded_at < %L))
                        FOR VALUES FROM (MINVALUE) TO (%1$L)', border);
        EXECUTE format('CREATE TABLE readings_default_rest PARTITION OF readings_default
                        FOR VALUES FROM (%L) TO (MAXVALUE)', border);
        UPDATE storage_state SET old_before = border;
        COMMENT ON TABLE readings_default_old IS 'The older part of readings_default, however large.';
        COMMENT ON TABLE readings_default_rest IS 'The newer part of readings_default, nearly empty.';
    END IF;
END $$;

-- Makes the partition that a moment belongs to: a whole unit (day, week, month), or what its
-- neighbours leave of it. 'made'; 'there', when it is there already; or why it is not made: then
-- its readings lie in readings_default, where they are found just as well.
CREATE FUNCTION make_partition(moment timestamptz, unit text DEFAULT 'day') RETURNS text
LANGUAGE plpgsql SET lock_timeout = '50ms' SET client_min_messages = warning SET datestyle = 'ISO' SET search_path FROM CURRENT AS $$
#variable_conflict use_variable -- a feature may be called `starts`
DECLARE
    most_rows  CONSTANT integer := 20000;             -- to be moved: a tenth of a second
    most_bytes CONSTANT bigint  := 64 * 1024 * 1024;  -- to be looked through: as long
    starts     timestamptz := date_trunc(unit, moment, 'UTC');
    ends       timestamptz := ((starts AT TIME ZONE 'UTC') + ('1 ' || unit)::interval) AT TIME ZONE 'UTC';
    here       bigint;
    partition  text;
    state      storage_state;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater partitions', 0));
    IF EXISTS (SELECT FROM reading_partitions WHERE starts_at <= moment AND ends_at > moment) THEN
        RETURN 'there';
    END IF;
    SELECT * INTO state FROM storage_state;
    starts := greatest(starts, (SELECT max(ends_at) FROM reading_partitions WHERE ends_at <= moment));
    IF state.kept_from <= moment THEN
        starts := greatest(starts, state.kept_from);
    END IF;
    ends := least(ends, (SELECT min(starts_at) FROM reading_partitions WHERE starts_at > moment));
    IF (SELECT sum(pg_relation_size(relid)) FROM pg_partition_tree('readings_default') WHERE isleaf
        AND (starts < state.old_before OR relid IS DISTINCT FROM to_regclass('readings_default_old'))) > most_bytes THEN
        RETURN 'readings_default is too large to be searched while everybody waits';
    END IF;
    SELECT count(*) INTO here FROM (SELECT FROM readings_default WHERE recorded_at >= starts AND recorded_at < ends
                                    LIMIT most_rows + 1) r;
    IF here > most_rows THEN
        RETURN 'too many of its readings are in readings_default to be moved while everybody waits';
    END IF;
    partition := 'readings_' || to_char(starts AT TIME ZONE 'UTC', 'YYYY_MM_DD');
    EXECUTE format('CREATE TABLE %I (LIKE readings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    -- Who looks at readings while rows move could miss them: it may know the old partitions and a
    -- new snapshot. So nobody looks meanwhile; and whoever has an older snapshot and comes later
    -- finds the marker renamed. Storing into other partitions goes on.
    IF here > 0 THEN
        LOCK TABLE ONLY readings IN ACCESS EXCLUSIVE MODE;
    END IF;
    LOCK TABLE readings_default IN ACCESS EXCLUSIVE MODE;
    IF here > 0 THEN
        EXECUTE format('WITH moved AS (DELETE FROM readings_default WHERE recorded_at >= %L AND recorded_at < %L RETURNING *)
                        INSERT INTO %I SELECT * FROM moved', starts, ends, partition);
        EXECUTE format('ALTER VIEW %I RENAME TO %I', 'readings_moves_' || state.moves, 'readings_moves_' || state.moves + 1);
        UPDATE storage_state SET moves = moves + 1;
    ELSIF EXISTS (SELECT FROM readings_default WHERE recorded_at >= starts AND recorded_at < ends) THEN
        RAISE lock_not_available USING MESSAGE = 'a reading of ' || starts || ' came just now';
    END IF;
    EXECUTE format('ALTER TABLE readings ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, starts, ends);
    INSERT INTO reading_partitions VALUES (partition, starts, ends);
    RETURN 'made';
END $$;

-- Makes what is missing from one moment up to another. `missing` is how many partitions could not be
-- made for now, because another session holds a lock. It ends early after a day whose readings moved, since
-- everybody is locked out of readings until this transaction ends: `wants_more` says to call it again.
-- What someone dropped or detached by hand is missing.
CREATE FUNCTION make_partitions(starts timestamptz, ends timestamptz, unit text DEFAULT 'day',
                                OUT missing integer, OUT wants_more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    moment timestamptz := starts;
    before bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater partitions', 0));
    DELETE FROM reading_partitions p WHERE NOT EXISTS (
        SELECT FROM pg_inherits i WHERE i.inhparent = 'readings'::regclass AND i.inhrelid = to_regclass(p.name));
    SELECT moves INTO before FROM storage_state;
    missing := 0;
    wants_more := false;
    WHILE moment < ends AND NOT wants_more LOOP
        BEGIN
            PERFORM make_partition(moment, unit);
        EXCEPTION WHEN lock_not_available THEN
            missing := missing + 1;
        END;
        moment := coalesce((SELECT ends_at FROM reading_partitions WHERE starts_at <= moment AND ends_at > moment),
                           moment + interval '24 hours');
        wants_more := moment < ends AND before < (SELECT moves FROM storage_state);
    END LOOP;
END $$;

-- Answers one of the days that are asked for; false when there is none left, or not for now.
CREATE FUNCTION answer_partition_request(unit text, span interval, retention interval) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    asked    timestamptz := (SELECT min(day) FROM partition_requests WHERE answer IS NULL);
    kept     timestamptz := greatest(date_trunc('day', now() - retention, 'UTC'), (SELECT kept_from FROM storage_state));
    reason   text;
BEGIN
    IF asked IS NULL THEN
        RETURN false;
    END IF;
    IF asked < date_trunc('day', now() - span, 'UTC') THEN
        UPDATE partition_requests SET answer = 'older than PARTITION_SPAN'
        WHERE answer IS NULL AND day < date_trunc('day', now() - span, 'UTC');
        RETURN true;
    ELSIF asked < kept THEN
        UPDATE partition_requests SET answer = 'older than RETENTION' WHERE answer IS NULL AND day < kept;
        RETURN true;
    ELSIF asked > now() + interval '30 days' THEN
        reason := 'too far ahead';
    ELSE
        reason := make_partition(asked, unit);
    END IF;
    IF reason IN ('made', 'there') THEN
        DELETE FROM partition_requests r USING reading_partitions p
        WHERE r.day >= p.starts_at AND r.day < p.ends_at;
    ELSE
        UPDATE partition_requests SET answer = reason WHERE answer IS NULL AND day = asked;
    END IF;
    RETURN true;
EXCEPTION WHEN lock_not_available THEN
    RETURN false;
END $$;

-- Detaches the oldest partition that ends before a moment and is rolled up, under another name, so
-- that nobody stores into it by its old one. NULL when there is none, or not for now.
CREATE FUNCTION detach_partition(before timestamptz) RETURNS text
LANGUAGE plpgsql SET lock_timeout = '200ms' SET search_path FROM CURRENT AS $$
DECLARE
    old reading_partitions;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('highwater partitions', 0));
    PERFORM FROM storage_state FOR UPDATE; -- what may take a while, before everybody is locked out
    SELECT p.* INTO old FROM reading_partitions p, storage_state s
    WHERE p.ends_at <= before AND p.ends_at <= s.rolled_until ORDER BY p.ends_at LIMIT 1;
    IF old.name IS NULL THEN
        RETURN NULL;
    END IF;
    EXECUTE format('ALTER TABLE readings DETACH PARTITION %I', old.name);
    EXECUTE format('ALTER TABLE %I RENAME TO %I', old.name, 'dropped_' || old.name);
    EXECUTE format('COMMENT ON TABLE %I IS ''Too old, and about to be dropped.''', 'dropped_' || old.name);
    DELETE FROM reading_partitions WHERE name = old.name;
    PERFORM packing_retire(old.starts_at);
    UPDATE storage_state SET kept_from = greatest(kept_from, old.ends_at);
    RETURN old.name;
EXCEPTION WHEN lock_not_available THEN
    RETURN NULL;
END $$;

-- Drops what was detached; nobody waits for that.
CREATE FUNCTION drop_detached() RETURNS integer LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    old   regclass;
    count integer := 0;
BEGIN
    FOR old IN SELECT oid FROM pg_class WHERE relkind = 'r' AND NOT relispartition
               AND relnamespace = current_schema()::regnamespace
               AND obj_description(oid, 'pg_class') = 'Too old, and about to be dropped.' LOOP
        EXECUTE 'DROP TABLE ' || old;
        count := count + 1;
    END LOOP;
    RETURN count;
END $$;
