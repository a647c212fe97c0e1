-- What is known of each tracker: core/ledger.Entry, as JSON. One row a tracker.
CREATE TABLE trackers (tracker UUID NOT NULL, last_seen BIGINT NOT NULL, entry VARCHAR NOT NULL);

-- One row: the trackers of which nothing more will come, added up (core/ledger.Standing), how many they are, and the
-- rejected events of which nobody knows whose they were, by reason.
CREATE TABLE ledger_past (trackers BIGINT NOT NULL, standing VARCHAR NOT NULL, nameless VARCHAR NOT NULL);
INSERT INTO ledger_past VALUES (0, '{"sent":0,"arrived":0,"stored":0,"deduplicated":0,"rejected":{},"dropped":{},"waiting":0,"missing":0}', '{}');
