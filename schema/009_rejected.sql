-- 009_rejected: how much is kept of what was rejected, and for how long.
--
-- Everyone who may publish can have messages rejected, so there must be an end to what is kept of them. The size
-- of the table does not say how much it holds, for what is deleted leaves room in it; to add up its rows each
-- time would cost more the more there are. So each statement adds a row to a log, of what it brought and
-- took, by hour and reason, and who looks after storage folds it. How many came in which hour, and why, is read there.

CREATE INDEX rejected_messages_received_at ON rejected_messages (received_at, id);

CREATE TABLE rejected_log (
    hour     timestamptz NOT NULL,
    reason   text COLLATE "C" NOT NULL,
    messages bigint NOT NULL,
    bytes    bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0.1, autovacuum_vacuum_threshold = 1000);
CREATE INDEX rejected_log_hour ON rejected_log (hour);
COMMENT ON TABLE rejected_log IS 'The sums of its rows are those of rejected_messages.';
COMMENT ON COLUMN rejected_log.hour IS 'The start of the hour, in UTC, they came in.';
COMMENT ON COLUMN rejected_log.reason IS 'As in rejected_messages.';
COMMENT ON COLUMN rejected_log.messages IS 'Rows that were added, less those that were deleted.';
COMMENT ON COLUMN rejected_log.bytes IS 'Their size.';

-- Of what came later nothing was deleted for its age or for size: from then on counts are whole.
CREATE TABLE rejected_forgotten (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    until   timestamptz NOT NULL
);
COMMENT ON TABLE rejected_forgotten IS 'One row, once rejected messages were deleted for their age or for size.';
COMMENT ON COLUMN rejected_forgotten.is_only IS 'Always true: there is one row.';
COMMENT ON COLUMN rejected_forgotten.until IS 'When the newest of them had come.';

-- What a row counts as: its texts and payload, uncompressed, and what PostgreSQL needs besides.
CREATE FUNCTION rejected_bytes(r rejected_messages) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT 100 + octet_length(r.payload) + octet_length(r.topic) + octet_length(r.reason) + octet_length(r.detail)::bigint
$$;

CREATE FUNCTION rejected_were_added() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO rejected_log
    SELECT date_bin('1 hour', a.received_at, 'epoch'), a.reason, count(*), sum(rejected_bytes(a)) FROM added a GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE FUNCTION rejected_were_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO rejected_log
    SELECT date_bin('1 hour', r.received_at, 'epoch'), r.reason, -count(*), -sum(rejected_bytes(r)) FROM removed r GROUP BY 1, 2;
    RETURN NULL;
END $$;
CREATE FUNCTION rejected_were_emptied() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM rejected_log;
    INSERT INTO rejected_forgotten (until) VALUES (now()) ON CONFLICT (is_only) DO UPDATE SET until = excluded.until;
    RETURN NULL;
END $$;
CREATE TRIGGER rejected_were_added AFTER INSERT ON rejected_messages REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION rejected_were_added();
CREATE TRIGGER rejected_were_removed AFTER DELETE ON rejected_messages REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION rejected_were_removed();
CREATE TRIGGER rejected_were_changed_from AFTER UPDATE ON rejected_messages REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION rejected_were_removed();
CREATE TRIGGER rejected_were_changed_to AFTER UPDATE ON rejected_messages REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION rejected_were_added();
CREATE TRIGGER rejected_were_emptied AFTER TRUNCATE ON rejected_messages
FOR EACH STATEMENT EXECUTE FUNCTION rejected_were_emptied();

-- One slice: deletes messages that came before a moment, and the oldest while all take more than so many bytes
-- (NULL: any age, any size). What came first goes first, also when it was sent again since.
CREATE FUNCTION rejected_forget(before timestamptz, most_bytes bigint, OUT forgotten bigint, OUT kept bigint,
                                OUT kept_bytes bigint, OUT wants_more boolean)
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    slice_rows  CONSTANT integer := 5000;
    slice_bytes CONSTANT bigint := 64 * 1024 * 1024;
    gone_bytes  bigint;
    gone_until  timestamptz;
BEGIN
    WITH several AS (SELECT hour, reason FROM rejected_log GROUP BY 1, 2 HAVING count(*) > 1),
    gone AS (DELETE FROM rejected_log l USING several s WHERE l.hour = s.hour AND l.reason = s.reason RETURNING l.*)
    INSERT INTO rejected_log SELECT hour, reason, sum(messages), sum(bytes) FROM gone GROUP BY 1, 2
    HAVING sum(messages) <> 0 OR sum(bytes) <> 0;
    SELECT coalesce(sum(messages), 0), coalesce(sum(bytes), 0) INTO kept, kept_bytes FROM rejected_log;
    forgotten := 0;
    wants_more := false;
    IF (kept_bytes > most_bytes OR EXISTS (SELECT FROM rejected_messages m WHERE m.received_at < before)) IS NOT TRUE THEN
        RETURN;
    END IF;
    WITH oldest AS (
        SELECT id, received_at, rejected_bytes(m) AS size FROM rejected_messages m ORDER BY received_at, id LIMIT slice_rows),
    summed AS (
        SELECT id, received_at, size, sum(size) OVER (ORDER BY received_at, id) - size AS older FROM oldest),
    gone AS (
        DELETE FROM rejected_messages m USING summed s
        WHERE m.id = s.id AND s.older < slice_bytes AND (s.received_at < before OR s.older < kept_bytes - most_bytes)
        RETURNING s.size, s.received_at)
    SELECT count(*), coalesce(sum(size), 0), max(received_at) INTO forgotten, gone_bytes, gone_until FROM gone;
    IF gone_until IS NOT NULL THEN
        INSERT INTO rejected_forgotten AS f (until) VALUES (gone_until)
        ON CONFLICT (is_only) DO UPDATE SET until = greatest(f.until, excluded.until);
    END IF;
    kept := kept - forgotten;
    kept_bytes := kept_bytes - gone_bytes;
    wants_more := forgotten > 0 AND (kept_bytes > most_bytes OR EXISTS (SELECT FROM rejected_messages m WHERE m.received_at < before))
                  IS TRUE;
END $$;
COMMENT ON FUNCTION rejected_forget(timestamptz, bigint) IS 'Deletes some of the oldest rejected messages; how many, what is left, and whether there is more to do.';

-- What is there already.
INSERT INTO rejected_log
SELECT date_bin('1 hour', m.received_at, 'epoch'), m.reason, count(*), sum(rejected_bytes(m)) FROM rejected_messages m GROUP BY 1, 2;
