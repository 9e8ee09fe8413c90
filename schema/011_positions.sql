-- 011_positions: where we stand in a log that we read.
--
-- A broker of MQTT remembers what we have not acknowledged. A log remembers nothing of us that counts: it gives
-- everybody who asks any record at any time. So the next record that we need stands here, and moves in
-- the transaction that stores the records before it: both are kept or neither.
--
-- It moves by compare and swap. A batch says where it begins; when the row says another place, somebody else has
-- stored these records: a member of the group that was held for dead and was only slow, or the one that was put
-- in its place. Then nothing of the batch is stored. That is the fence. That a group gives each partition to one
-- member at a time only divides the work: it cannot take back what a member has in its hands, and no
-- clock or lease here or there could, for a process can stand still at any point and for any time.

-- Each batch writes the rows of its partitions, so there is room for many versions of them.
CREATE TABLE positions (
    group_id  text COLLATE "C",
    topic     text COLLATE "C",
    partition integer CHECK (partition >= 0),
    next      bigint CHECK (next >= 0),
    moved_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (group_id, topic, partition)
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000);
COMMENT ON TABLE positions IS 'Of each partition of each log that collectors read: what of it is stored. Moved in the transaction of the readings.';
COMMENT ON COLUMN positions.group_id IS 'The group that reads it: each has positions of its own.';
COMMENT ON COLUMN positions.topic IS 'The name of the log.';
COMMENT ON COLUMN positions.partition IS 'The number of the partition.';
COMMENT ON COLUMN positions.next IS 'The first record that is not stored yet; NULL = the oldest that there is.';
COMMENT ON COLUMN positions.moved_at IS 'When it was moved last.';

-- Takes the partitions for this transaction, in one order, so that of two that want the same ones one waits for
-- the other, and neither for both. It waits before anything is stored: else it would wait at the first reading that
-- the other has stored, too. For a process that stands still it would wait for good, and nothing ends a
-- transaction whose client says no more: so that is ended here. It was not committed; no harm is done.
CREATE FUNCTION positions_claim(groups text[], topics text[], partitions integer[], patience interval) RETURNS boolean
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    give_up CONSTANT timestamptz := clock_timestamp() + patience;
    key     bigint;
BEGIN
    FOR key IN SELECT DISTINCT hashtextextended(format('highwater position %s %s %s', g, t, p), 0)
               FROM unnest(groups, topics, partitions) AS u (g, t, p) ORDER BY 1 LOOP
        WHILE NOT pg_try_advisory_xact_lock(key) LOOP
            IF clock_timestamp() > give_up THEN
                RETURN false;
            END IF;
            PERFORM pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
            WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            AND l.classid::bigint = key >> 32 & 4294967295 AND l.objid::bigint = key & 4294967295
            AND a.usename = current_user AND a.wait_event = 'ClientRead' AND a.xact_start < clock_timestamp() - interval '5 s';
            PERFORM pg_sleep(0.02);
            PERFORM pg_stat_clear_snapshot();
        END LOOP;
    END LOOP;
    RETURN true;
END $$;

-- Where partitions stand. Those that are new get a row, so that whoever is first to move it has something to
-- move, and the second finds it moved. Whoever had them is given time to commit what is under way.
CREATE FUNCTION positions_find(groups text[], topics text[], partitions integer[])
RETURNS TABLE (group_id text, topic text, partition integer, next bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    PERFORM positions_claim(groups, topics, partitions, '2 s');
    INSERT INTO positions (group_id, topic, partition)
    SELECT * FROM unnest(groups, topics, partitions) AS u (g, t, n)
    WHERE NOT EXISTS (SELECT FROM positions p WHERE p.group_id = g AND p.topic = t AND p.partition = n) -- or it would wait for its mover
    ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT p.group_id, p.topic, p.partition, p.next FROM positions p
                 WHERE (p.group_id, p.topic, p.partition) IN (SELECT * FROM unnest(groups, topics, partitions));
END $$;
COMMENT ON FUNCTION positions_find(text[], text[], integer[]) IS 'Where partitions stand; those that are new are added.';

-- Moves all of them from where they are to be to where they go, or fails with HW004.
CREATE FUNCTION positions_move(groups text[], topics text[], partitions integer[], froms bigint[], tos bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    moved integer;
    wrong record;
BEGIN
    IF NOT positions_claim(groups, topics, partitions, '10 s') THEN
        RAISE 'another has been storing records of these partitions for 10 s' USING ERRCODE = '55P03';
    END IF;
    UPDATE positions p SET next = m.after, moved_at = now()
    FROM unnest(groups, topics, partitions, froms, tos) AS m (group_id, topic, partition, before, after)
    WHERE p.group_id = m.group_id AND p.topic = m.topic AND p.partition = m.partition AND p.next IS NOT DISTINCT FROM m.before;
    GET DIAGNOSTICS moved = ROW_COUNT;
    IF moved = cardinality(partitions) THEN
        RETURN;
    END IF;
    SELECT m.topic, m.partition, m.before, p.next INTO wrong
    FROM unnest(groups, topics, partitions, froms) AS m (group_id, topic, partition, before)
    LEFT JOIN positions p ON p.group_id = m.group_id AND p.topic = m.topic AND p.partition = m.partition
    WHERE p.next IS DISTINCT FROM m.before OR p.group_id IS NULL LIMIT 1;
    RAISE 'partition % of % stands at %, and what was read of it begins at %', wrong.partition, wrong.topic,
          coalesce(wrong.next::text, 'its start'), coalesce(wrong.before::text, 'its start') USING ERRCODE = 'HW004';
END $$;
COMMENT ON FUNCTION positions_move(text[], text[], integer[], bigint[], bigint[]) IS 'Moves positions from where they must be to where they go; fails when one is not there.';
