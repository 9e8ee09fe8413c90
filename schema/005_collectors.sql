-- 005_collectors: who has stored readings, and how much.
--
-- Boards are kept in the memory of collectors, so a reader that merges boards has to know that no
-- collector is missing whose readings nobody else has. The broker cannot say: it forgets, and not
-- everybody hears the same one. The database can, for every writer must come here:
--   turn     rises when a process takes an id over, in the transaction that gets its lock. Boards that
--            were made in another turn may lack what was stored since.
--   batches  rises in each transaction that stores readings. A collector that loads its boards sees, in
--            the same snapshot, how many batches of the others it has loaded with them.
-- Both are counted, not timed: a time that is written in a transaction lies before its commit.
--
-- Rows stay for good: one that was taken out and made again would start counting again, and readings
-- would be taken for loaded that are not.

-- Each batch writes its collector's row, so there is room on the page for many versions of it, which
-- are cleared away by the next writer.
CREATE TABLE collectors (
    id      text COLLATE "C" PRIMARY KEY,
    turn    bigint NOT NULL,
    batches bigint NOT NULL DEFAULT 0,
    newest  timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000);
COMMENT ON TABLE collectors IS 'Every collector that ever ran on this database. Rows cannot be deleted.';
COMMENT ON COLUMN collectors.id IS 'Its COLLECTOR_ID.';
COMMENT ON COLUMN collectors.turn IS 'How often a process of this id has begun to store.';
COMMENT ON COLUMN collectors.batches IS 'How many batches of readings it has committed.';
COMMENT ON COLUMN collectors.newest IS 'No reading that it stored was recorded later.';

CREATE FUNCTION collectors_stay() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    RAISE 'rows of collectors are kept for good'
          USING HINT = 'That a collector is gone needs no care: the others have loaded what it stored.';
END $$;
CREATE TRIGGER collectors_stay BEFORE DELETE OR TRUNCATE ON collectors
FOR EACH STATEMENT EXECUTE FUNCTION collectors_stay();

-- The key of the lock that the live collector of an id holds.
CREATE FUNCTION collector_lock(collector text) RETURNS bigint LANGUAGE sql IMMUTABLE SET search_path FROM CURRENT AS $$
    SELECT hashtextextended('highwater collector ' || collector, 0)
$$;

-- Makes this session the one that stores for an id, if no other is.
CREATE FUNCTION collector_enter(collector text, OUT is_ours boolean, OUT turn bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
BEGIN
    is_ours := pg_try_advisory_lock(collector_lock(collector));
    IF is_ours THEN
        INSERT INTO collectors AS c (id, turn) VALUES (collector, 1)
        ON CONFLICT (id) DO UPDATE SET turn = c.turn + 1
        RETURNING c.turn INTO turn;
    END IF;
END $$;

-- Of all collectors: whether one is live, and how much it has stored. The lock is looked at and not
-- taken. It is looked at first: once it is free no batch of its holder can be committed any more.
CREATE FUNCTION collectors_seen() RETURNS TABLE (id text, is_live boolean, batches bigint)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    live bigint[] := ARRAY(SELECT (l.classid::bigint << 32) | l.objid::bigint FROM pg_locks l
                           WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
                             AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()));
BEGIN
    RETURN QUERY SELECT c.id, collector_lock(c.id) = ANY (live), c.batches FROM collectors c;
END $$;
