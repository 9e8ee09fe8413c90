-- 001_readings: every reading, the registry of devices, their all-time peaks, what was rejected.
--
-- A reading is found again by (device, recorded_at, content_hash), all three of which come from the
-- message itself. So a message that is delivered twice makes the same row, whichever collector
-- stores it and whenever; and partitioning by recorded_at cannot tear the two apart. Two messages
-- that differ in anything are two rows, because the hash is of their bytes.

CREATE TABLE devices (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id     text COLLATE "C" NOT NULL UNIQUE,
    first_seen_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE devices IS 'Every device that ever sent a reading.';
COMMENT ON COLUMN devices.id IS 'The number that readings and peaks refer to.';
COMMENT ON COLUMN devices.device_id IS 'The id in the topic the device publishes to.';
COMMENT ON COLUMN devices.first_seen_at IS 'When a collector stored its first reading.';

-- No foreign key to devices: the collector registers a device before it stores its first reading,
-- devices are never deleted, and the check would cost as much as the insert. Columns are ordered so
-- that few alignment gaps are left; each feature is a further double precision column.
CREATE TABLE readings (
    content_hash bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    received_at  timestamptz NOT NULL,
    device       integer NOT NULL,
    status       smallint,
    seq          bigint,
    PRIMARY KEY (device, recorded_at, content_hash)
) PARTITION BY RANGE (recorded_at);
COMMENT ON TABLE readings IS 'Every reading once. People query the view device_readings.';
COMMENT ON COLUMN readings.device IS 'devices.id';
COMMENT ON COLUMN readings.content_hash IS 'XXH3 (64 bits) of the bytes the reading came in: tells apart what a device recorded in one microsecond.';
COMMENT ON COLUMN readings.recorded_at IS 'The timestamp the device gave, or its arrival when it gave none.';
COMMENT ON COLUMN readings.received_at IS 'When the collector received it: a moment of its own, so it orders what one collector received.';
COMMENT ON COLUMN readings.status IS '1 ON, 2 OFF, 3 ACTIVE, 4 INACTIVE, NULL when the reading has none.';
COMMENT ON COLUMN readings.seq IS 'The device''s own number for the reading, if it gives one.';

-- Rows arrive nearly in time order, so block ranges find a window of time across all devices at a
-- thousandth of a B-tree's size. One index for both times answers for either as two would; each row
-- that is stored looks up its range in every index there is, and that is what they cost.
CREATE INDEX readings_times ON readings USING brin (received_at, recorded_at) WITH (pages_per_range = 32);

CREATE TABLE readings_default PARTITION OF readings DEFAULT PARTITION BY RANGE (recorded_at);
COMMENT ON TABLE readings_default IS 'Readings of days that have no partition of their own.';

CREATE TABLE peaks (
    content_hash bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    value        double precision NOT NULL,
    device       integer NOT NULL,
    status       smallint,
    feature      text COLLATE "C" NOT NULL,
    sort_order   text COLLATE "C" NOT NULL CHECK (sort_order IN ('desc', 'asc')),
    PRIMARY KEY (device, feature, sort_order)
) WITH (fillfactor = 70);
-- Both are short. A collector's table like it has no place for long ones then, which emptying it at each
-- commit would make anew, index and all.
ALTER TABLE peaks ALTER feature SET STORAGE PLAIN, ALTER sort_order SET STORAGE PLAIN;
COMMENT ON TABLE peaks IS 'The all-time best reading of each device and feature, whole; it outlives the readings table.';
COMMENT ON COLUMN peaks.device IS 'devices.id';
COMMENT ON COLUMN peaks.content_hash IS 'As in readings.';
COMMENT ON COLUMN peaks.recorded_at IS 'The timestamp of the reading.';
COMMENT ON COLUMN peaks.status IS 'As in readings.';
COMMENT ON COLUMN peaks.feature IS 'Which of its values is the best one.';
COMMENT ON COLUMN peaks.value IS 'The value of the feature that the row is about.';
COMMENT ON COLUMN peaks.sort_order IS 'desc: the highest value, asc: the lowest.';

CREATE TABLE device_sequences (
    device      integer PRIMARY KEY,
    highest     bigint NOT NULL,
    highest_at  timestamptz NOT NULL,
    missing     bigint NOT NULL,
    repeats     bigint NOT NULL,
    restarts    bigint NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    taken_until timestamptz NOT NULL,
    details     bytea NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE device_sequences IS 'Of devices that number their readings: what the numbers say. Written every few seconds.';
COMMENT ON COLUMN device_sequences.device IS 'devices.id';
COMMENT ON COLUMN device_sequences.highest IS 'The highest number of its present numbering.';
COMMENT ON COLUMN device_sequences.highest_at IS 'recorded_at of the newest reading.';
COMMENT ON COLUMN device_sequences.missing IS 'Numbers below it that never came.';
COMMENT ON COLUMN device_sequences.repeats IS 'Numbers that came again.';
COMMENT ON COLUMN device_sequences.restarts IS 'Times the device started its numbering again.';
COMMENT ON COLUMN device_sequences.updated_at IS 'When this row was written.';
COMMENT ON COLUMN device_sequences.taken_until IS 'received_at of the newest reading in it.';
COMMENT ON COLUMN device_sequences.details IS 'What a collector needs to go on (collector/sequence.h): which of the latest numbers have come.';

-- Both tables can be emptied: the next start of a collector takes all numbers from readings again.
CREATE TABLE sequence_marks (
    collector_id text COLLATE "C" PRIMARY KEY,
    taken_until  timestamptz NOT NULL
) WITH (fillfactor = 50);
COMMENT ON TABLE sequence_marks IS 'How far each collector has written numbers into device_sequences; a start takes what it received since.';
COMMENT ON COLUMN sequence_marks.collector_id IS 'COLLECTOR_ID; empty: of this file, until a collector takes its place.';
COMMENT ON COLUMN sequence_marks.taken_until IS 'All that it received until then is in there.';
INSERT INTO sequence_marks (collector_id, taken_until) VALUES ('', now()); -- or the first start would look through it all

CREATE TABLE rejected_messages (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    topic       text NOT NULL,
    payload     bytea NOT NULL,
    reason      text COLLATE "C" NOT NULL,
    detail      text NOT NULL
);
CREATE INDEX rejected_messages_reason ON rejected_messages (reason, id);
COMMENT ON TABLE rejected_messages IS 'What arrived and cannot be a reading, byte for byte, with the reason.';
COMMENT ON COLUMN rejected_messages.id IS 'In the order of arrival.';
COMMENT ON COLUMN rejected_messages.received_at IS 'When the collector received it first, also when it was sent again since and rejected again.';
COMMENT ON COLUMN rejected_messages.topic IS 'The topic it was published to.';
COMMENT ON COLUMN rejected_messages.payload IS 'Its bytes; of an array those of one element, or all where its elements cannot be told apart.';
COMMENT ON COLUMN rejected_messages.reason IS 'One word, for counting.';
COMMENT ON COLUMN rejected_messages.detail IS 'What exactly, and what is legal.';

COMMENT ON TABLE schema_migrations IS 'The files of schema/ that were applied.';
COMMENT ON COLUMN schema_migrations.name IS 'The file, without its extension.';
COMMENT ON COLUMN schema_migrations.hash IS 'XXH3 (64 bits) of the file. A program that has another file of that name refuses the database.';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied.';
