-- 014_hearing: when each collector last heard each device, so that a start does not forget who is silent.
--
-- Not a row per device: a hundred thousand devices would be as many updates a minute, which is as much
-- writing as their readings may be. A row has a few thousand devices in an array, by their numbers.
--
-- A device is counted by the collector that heard it last. Where several share what is sent, or partitions of a
-- log move from one to another, each would otherwise miss what the others hear.

CREATE TABLE hearing (
    collector text COLLATE "C",
    part      integer,
    saved_at  timestamptz NOT NULL,
    silent_s  integer[] NOT NULL,
    PRIMARY KEY (collector, part)
);
COMMENT ON TABLE hearing IS 'For how long each device had been silent; written each minute. It can be emptied: then devices count once they are heard again.';
COMMENT ON COLUMN hearing.collector IS 'The COLLECTOR_ID of who hears them.';
COMMENT ON COLUMN hearing.part IS 'devices.id from part * 4096 on.';
COMMENT ON COLUMN hearing.saved_at IS 'When it was written.';
COMMENT ON COLUMN hearing.silent_s IS 'By device, in seconds in which the collector could hear; NULL: not heard by it, or later by another.';

-- Writes a part; returns the places in it, from 0 on, of devices that another collector has heard later.
CREATE FUNCTION hearing_save(name text, of_part integer, silent integer[]) RETURNS SETOF integer
LANGUAGE sql SET search_path FROM CURRENT AS $$
    INSERT INTO hearing (collector, part, saved_at, silent_s) VALUES (name, of_part, now(), silent)
    ON CONFLICT (collector, part) DO UPDATE SET saved_at = EXCLUDED.saved_at, silent_s = EXCLUDED.silent_s;
    SELECT DISTINCT of_both.place::integer - 1
    FROM (SELECT silent_s, extract(epoch FROM now() - saved_at)::double precision AS since_s
          FROM hearing WHERE part = of_part AND collector <> name) h,
         unnest(h.silent_s, silent) WITH ORDINALITY of_both (theirs, ours, place)
    WHERE of_both.theirs + h.since_s < of_both.ours
$$;
COMMENT ON FUNCTION hearing_save(text, integer, integer[]) IS 'Used by collectors, each minute.';
