-- 012_heartbeat: a moment that the primary has reached, written by a collector each second.
--
-- Who asks a standby has to be told as of when the answer is. A standby knows when the last transaction
-- that it has replayed was committed, and forgets it when it starts again; and where nobody stores, no
-- transaction comes, so that an idle standby and one that is cut off look alike. A transaction each
-- second tells them apart.
--
-- The time is taken before the commit, and every commit that anybody could see by then lies before it in
-- the log. So who sees the row sees all of those, too.

CREATE TABLE heartbeat (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    beat    timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000);
COMMENT ON TABLE heartbeat IS 'One row, written each second: who sees it sees all that was committed before that time.';
COMMENT ON COLUMN heartbeat.is_only IS 'Always true: there is one row.';
COMMENT ON COLUMN heartbeat.beat IS 'By the clock of the primary''s host.';
INSERT INTO heartbeat DEFAULT VALUES;

-- As of when a standby is, in microseconds since 1970; NULL on a primary, which is as of now. To be asked
-- before the transaction that is to be as of that time: a snapshot that was taken before may be older.
CREATE FUNCTION replayed_until() RETURNS bigint LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE WHEN pg_is_in_recovery() THEN
        (extract(epoch FROM greatest(pg_last_xact_replay_timestamp(), (SELECT max(beat) FROM heartbeat))) * 1000000)::bigint
    END
$$;
