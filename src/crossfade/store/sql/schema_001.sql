-- Times are microseconds since the epoch, UTC.
CREATE TABLE meta (name VARCHAR PRIMARY KEY, value VARCHAR NOT NULL);

-- One row: through which journal segment everything is in. It moves in the transaction that brings a segment in, so
-- that each comes in once. The counts are of all that ever came.
CREATE TABLE progress (
    segment UINTEGER NOT NULL, stored BIGINT NOT NULL, duplicates BIGINT NOT NULL, quarantined BIGINT NOT NULL
);
INSERT INTO progress VALUES (0, 0, 0, 0);

-- zstd, because the columns hardly repeat a value: it is written in two thirds of the time of what would be chosen,
-- and a fifth smaller.
CREATE TABLE events (
    segment UINTEGER NOT NULL,
    source USMALLINT NOT NULL,
    received BIGINT NOT NULL,
    ts BIGINT NOT NULL,             -- the sender's time, corrected by the sender's clock offset
    raw_ts BIGINT,                  -- the sender's time as it was written; a retry carries the same
    key UBIGINT NOT NULL,           -- hash(source, message_id)
    message_id VARCHAR NOT NULL USING COMPRESSION zstd,
    event VARCHAR NOT NULL,
    user_id VARCHAR,
    anonymous_id VARCHAR,
    session_id VARCHAR,
    properties VARCHAR NOT NULL USING COMPRESSION zstd
);

CREATE TABLE minute_rollup (minute INTEGER NOT NULL, event VARCHAR NOT NULL, n BIGINT NOT NULL);

-- segment: the last one that changed the row, so that a day that was counted before is known to be stale.
CREATE TABLE day_rollup (day DATE NOT NULL, event VARCHAR NOT NULL, n BIGINT NOT NULL, segment UINTEGER NOT NULL);

-- Lines that could not be stored. Line 0 stands for all lines of a segment that could not be read at all.
CREATE TABLE quarantine (segment UINTEGER NOT NULL, line BIGINT NOT NULL, reason VARCHAR NOT NULL, text VARCHAR);
