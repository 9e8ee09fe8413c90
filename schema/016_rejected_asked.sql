-- 016_rejected_asked: rejected messages as people look at them: the newest first, of a reason, of a device, of both.
--
-- Each of these has an index that is in its order, so that a page costs what the page has, however many
-- there are. Without them a reason that was frequent last year is looked for among all that came since.

CREATE INDEX rejected_messages_of_reason ON rejected_messages (reason, received_at, id);
CREATE INDEX rejected_messages_of_device ON rejected_messages (device_id, received_at, id) WHERE device_id IS NOT NULL;
CREATE INDEX rejected_messages_of_both ON rejected_messages (device_id, reason, received_at, id) WHERE device_id IS NOT NULL;
