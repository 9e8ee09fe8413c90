-- 008_sessions: who we are to the broker, and what we have left there.
--
-- A broker keeps a session, and what waits in it, for a client id: the client that connects with that id has it.
-- So an id must be one that nobody else takes by accident: neither a device, nor the same collector of
-- another installation. That is why it carries a mark of this database, made once, at random.
--
-- And a broker keeps what was subscribed to in a session until it is told otherwise. So what is subscribed to
-- is written down here before it is: when the setting changes, the next start knows what to take back,
-- and how to read what still comes under the old filter.

-- A copy of the database that is to live beside its original needs a mark of its own:
-- UPDATE installation SET id = DEFAULT.
CREATE TABLE installation (
    id       text COLLATE "C" NOT NULL DEFAULT left(gen_random_uuid()::text, 8) CHECK (id ~ '^[A-Za-z0-9]{1,16}$'),
    is_only  boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (is_only)
);
INSERT INTO installation DEFAULT VALUES;
COMMENT ON TABLE installation IS 'One row: tells this database from all others that use the same broker.';
COMMENT ON COLUMN installation.id IS 'Random; part of the client ids of its collectors.';
COMMENT ON COLUMN installation.is_only IS 'Always true: as the key, it keeps this table at one row.';

CREATE TABLE sessions (
    client_id text COLLATE "C" PRIMARY KEY,
    collector text COLLATE "C" NOT NULL,
    filters   text[] NOT NULL,
    contract  text[] NOT NULL DEFAULT '{}',
    former    text[] NOT NULL DEFAULT '{}',
    has_begun boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE sessions IS 'Every MQTT session that a collector may have left at the broker; collector --forget removes them.';
COMMENT ON COLUMN sessions.client_id IS 'The name of the session at the broker.';
COMMENT ON COLUMN sessions.collector IS 'The COLLECTOR_ID that the session belongs to.';
COMMENT ON COLUMN sessions.filters IS 'What it subscribes to: the settings SUBSCRIBE and MAPPINGS.';
COMMENT ON COLUMN sessions.contract IS 'Which of all these SUBSCRIBE named: what waits under them is read as the contract''s.';
COMMENT ON COLUMN sessions.former IS 'What it subscribed to before, the latest last: readings may still wait under it.';
COMMENT ON COLUMN sessions.has_begun IS 'The broker has had this session, in which messages may wait.';

-- collector_enter(), and then who we are to the broker, before we connect to it. An empty `wanted` stands
-- for the client id that is made of the two names. `others` are sessions of this collector under ids that it
-- had before.
CREATE FUNCTION collector_begin(of_collector text, wanted text, wanted_filters text[], wanted_contract text[],
    OUT is_ours boolean, OUT turn bigint, OUT installation text, OUT client_id text, OUT has_begun boolean,
    OUT former text[], OUT contract text[], OUT others text[])
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    ours  text;
    mark  text;
    owner text;
BEGIN
    SELECT e.is_ours, e.turn INTO is_ours, turn FROM collector_enter(of_collector) e;
    IF NOT is_ours THEN
        RETURN;
    END IF;
    SELECT i.id INTO STRICT mark FROM installation i;
    ours := coalesce(nullif(wanted, ''), format('highwater-%s-%s', of_collector, mark));
    SELECT s.collector INTO owner FROM sessions s WHERE s.client_id = ours;
    IF owner <> of_collector AND EXISTS (SELECT FROM collectors_seen() c WHERE c.id = owner AND c.is_live) THEN
        RAISE 'MQTT_CLIENT_ID % is the client id of collector %, which is live: give each its own', ours, owner
              USING ERRCODE = 'HW003';
    END IF;
    INSERT INTO sessions AS s (client_id, collector, filters, contract)
    VALUES (ours, of_collector, wanted_filters, wanted_contract)
    ON CONFLICT (client_id) DO UPDATE
       SET collector = excluded.collector, filters = excluded.filters,
           former = ARRAY(SELECT f FROM unnest(s.former || s.filters) WITH ORDINALITY AS u (f, place)
                          WHERE f <> ALL (excluded.filters) GROUP BY f ORDER BY max(place)),
           contract = excluded.contract || ARRAY(SELECT f FROM unnest(s.contract) f WHERE f = ANY (s.former || s.filters)
                                                 AND f <> ALL (excluded.filters) AND f <> ALL (excluded.contract))
    RETURNING s.has_begun, s.former, s.contract INTO has_begun, former, contract;
    IF cardinality(former) > 256 THEN
        UPDATE sessions s SET former = s.former[cardinality(s.former) - 255:] WHERE s.client_id = ours
        RETURNING s.former INTO former;
    END IF;
    installation := mark;
    client_id := ours;
    others := ARRAY(SELECT s.client_id FROM sessions s
                    WHERE s.collector = of_collector AND s.client_id <> ours AND s.has_begun ORDER BY 1);
END $$;
