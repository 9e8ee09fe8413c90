-- 010_sparkplug: what collectors know of Sparkplug B nodes, so that a start needs no birth to be sent again.
--
-- Data names its metrics by numbers that only a birth explains. So births are kept as they came, and read again
-- at a start. They are written with the batch that holds the messages they came with, as is each node's
-- number in its sequence: what is committed is known, and what is not is delivered again.
--
-- Per collector: each has its own subscription, and its own place in the sequence.

CREATE TABLE sparkplug_nodes (
    collector text COLLATE "C",
    group_id  text COLLATE "C",
    edge_node text COLLATE "C",
    is_born   boolean NOT NULL,
    bd_seq    smallint,
    seq       smallint,
    heard_ms  bigint,
    again_ms  bigint,
    again_seq smallint,
    PRIMARY KEY (collector, group_id, edge_node)
) WITH (fillfactor = 50);
COMMENT ON TABLE sparkplug_nodes IS 'Sparkplug edge nodes, as of the last committed message of each.';
COMMENT ON COLUMN sparkplug_nodes.collector IS 'The COLLECTOR_ID of who has heard it.';
COMMENT ON COLUMN sparkplug_nodes.group_id IS 'The second level of its topics.';
COMMENT ON COLUMN sparkplug_nodes.edge_node IS 'The fourth level.';
COMMENT ON COLUMN sparkplug_nodes.is_born IS 'Its NBIRTH has come, and no NDEATH since.';
COMMENT ON COLUMN sparkplug_nodes.bd_seq IS 'bdSeq of that birth: an NDEATH with another one is late.';
COMMENT ON COLUMN sparkplug_nodes.seq IS 'Of its last message; NULL = not known.';
COMMENT ON COLUMN sparkplug_nodes.heard_ms IS 'The timestamp of that message, in ms since 1970.';
COMMENT ON COLUMN sparkplug_nodes.again_ms IS 'While the broker delivers again what was read: the timestamp of the last that was.';
COMMENT ON COLUMN sparkplug_nodes.again_seq IS 'Its number.';

CREATE TABLE sparkplug_births (
    collector text COLLATE "C",
    group_id  text COLLATE "C",
    edge_node text COLLATE "C",
    device    text COLLATE "C",
    payload   bytea NOT NULL,
    PRIMARY KEY (collector, group_id, edge_node, device)
);
COMMENT ON TABLE sparkplug_births IS 'The birth certificates that hold: of nodes and devices that live.';
COMMENT ON COLUMN sparkplug_births.collector IS 'As in sparkplug_nodes.';
COMMENT ON COLUMN sparkplug_births.group_id IS 'As in sparkplug_nodes.';
COMMENT ON COLUMN sparkplug_births.edge_node IS 'As in sparkplug_nodes.';
COMMENT ON COLUMN sparkplug_births.device IS 'The fifth level of its topics; empty: the node itself.';
COMMENT ON COLUMN sparkplug_births.payload IS 'The NBIRTH or DBIRTH, byte for byte.';

-- What a birth makes readable. A hash, for a topic may be longer than an entry of a tree.
CREATE INDEX rejected_messages_unknown_alias ON rejected_messages USING hash (topic) WHERE reason = 'unknown_alias';
