-- What things are called: units and labels of features; what devices say of themselves.

-- Says in the comments of their columns what people read of features. words: '[°C|Outdoor temperature]', as it stands
-- behind a name in FEATURES, or ''. It is where httpapi reads it while no collector is heard. A comment that does not end
-- as describe_columns() has it is somebody else's, and stays; what is right already is not written again, so that a start
-- takes no lock.
CREATE FUNCTION describe_features(features text[], words text[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    comments text;
BEGIN
    SELECT string_agg(format('COMMENT ON COLUMN %s.%I IS %L', c.oid::regclass, a.attname, said.words), ';')
    INTO comments
    FROM unnest(features, words) feature (f, w)
    CROSS JOIN LATERAL (SELECT f || w || ' as the device sent it, NULL when it did not.') said (words)
    JOIN pg_class c ON c.relnamespace = current_schema()::regnamespace AND c.relname IN ('readings', 'peaks', 'device_readings')
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = f AND NOT a.attisdropped
    JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = a.attnum
    WHERE d.description <> said.words AND right(d.description, 45) = ' as the device sent it, NULL when it did not.';
    IF comments IS NOT NULL THEN
        EXECUTE comments;
    END IF;
END $$;
COMMENT ON FUNCTION describe_features(text[], text[]) IS 'Used by the collector at its start, with what FEATURES and MAPPINGS say.';

-- ---- devices ------------------------------------------------------------------------------------

-- What a device says of itself at devices/<id>/about. By the id in the topic, and not in devices: it says so when it
-- starts, before its first reading, and who has sent none is no device. The last message holds, as a whole.
CREATE TABLE device_abouts (
    device_id  text COLLATE "C" PRIMARY KEY,
    label      text,
    group_name text COLLATE "C",
    location   jsonb,
    said_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX device_abouts_groups ON device_abouts (group_name) WHERE group_name IS NOT NULL;
COMMENT ON TABLE device_abouts IS 'What devices say of themselves.';
COMMENT ON COLUMN device_abouts.device_id IS 'The id in the topic the device publishes to.';
COMMENT ON COLUMN device_abouts.label IS 'What people call it.';
COMMENT ON COLUMN device_abouts.group_name IS 'Which devices it belongs to.';
COMMENT ON COLUMN device_abouts.location IS 'Where it is: a text, or {"latitude", "longitude"} in degrees.';
COMMENT ON COLUMN device_abouts.said_at IS 'When that was stored first.';

-- Who is in a group of those that ever sent a reading: their numbers, which readings have.
CREATE FUNCTION devices_of_group(of_group text) RETURNS integer[] LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT ARRAY(SELECT d.id FROM device_abouts a JOIN devices d ON d.device_id = a.device_id WHERE a.group_name = of_group)
$$;
COMMENT ON FUNCTION devices_of_group(text) IS 'devices.id of those that say they are of a group.';

CREATE TYPE device_about AS (device_id text, label text, group_name text, location jsonb);

-- By collectors, in the order of arrival: the last one of each device counts, and what is known is not written again.
-- The rows are locked in the order of ids, so two collectors that hear the same wait for each other, and no more.
CREATE FUNCTION devices_describe(abouts device_about[]) RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
    said device_about;
BEGIN
    FOR said IN SELECT DISTINCT ON (a.device_id COLLATE "C") a.device_id, a.label, a.group_name, a.location
                FROM unnest(abouts) WITH ORDINALITY AS a (device_id, label, group_name, location, n)
                ORDER BY a.device_id COLLATE "C", a.n DESC LOOP
        IF said.label IS NULL AND said.group_name IS NULL AND said.location IS NULL THEN
            DELETE FROM device_abouts WHERE device_id = said.device_id;
        ELSE
            INSERT INTO device_abouts AS t (device_id, label, group_name, location)
            VALUES (said.device_id, said.label, said.group_name, said.location)
            ON CONFLICT (device_id) DO UPDATE
            SET label = excluded.label, group_name = excluded.group_name, location = excluded.location, said_at = now()
            WHERE (t.label, t.group_name, t.location) IS DISTINCT FROM (excluded.label, excluded.group_name, excluded.location);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION devices_describe(device_about[]) IS 'Used by collectors, with the batch that it came in.';

CREATE FUNCTION device_abouts_were_removed() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM device_abouts a USING removed r WHERE a.device_id = r.device_id;
    RETURN NULL;
END $$;
CREATE TRIGGER devices_were_forgotten AFTER DELETE ON devices REFERENCING OLD TABLE AS removed
FOR EACH STATEMENT EXECUTE FUNCTION device_abouts_were_removed();
