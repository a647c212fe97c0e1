-- name: has_meta
SELECT count(*) FROM information_schema.tables WHERE table_name = 'meta'

-- name: meta
SELECT value FROM meta WHERE name = $name

-- name: set_meta
INSERT OR REPLACE INTO meta VALUES ($name, $value)

-- name: hash_of_a_known_message
SELECT CAST(hash(1::USMALLINT, 'crossfade') AS VARCHAR)

-- name: compute_keys
UPDATE events SET key = hash(source, message_id)

-- name: read_segment
-- The lines of a segment, as rows, from what gives them in the journal's columns and with their numbers.
CREATE OR REPLACE TEMP TABLE incoming AS
SELECT line, source, received, coalesce(raw_ts + clock_offset, received) AS ts, raw_ts,
       hash(source, message_id) AS key, message_id, event, user_id, anonymous_id, session_id, properties,
       CAST(tracker AS UUID) AS tracker, sequence
FROM {lines}

-- name: lines_of_file
-- Counting makes DuckDB read it in order.
(SELECT * REPLACE (epoch_us(raw_ts) AS raw_ts), row_number() OVER () AS line FROM read_csv(
    $path, columns = {{{columns}}}, delim = '\t', quote = '', escape = '', header = false, auto_detect = false,
    new_line = '\n', nullstr = '', max_line_size = {max_line}
))

-- name: statements
-- A line without a message id and a name is no event: it tells of those that came with it.
SELECT source, received, properties FROM incoming
WHERE message_id IS NULL AND event IS NULL AND source IS NOT NULL AND received IS NOT NULL AND properties IS NOT NULL
ORDER BY line

-- name: drop_statements
DELETE FROM incoming
WHERE message_id IS NULL AND event IS NULL AND source IS NOT NULL AND received IS NOT NULL AND properties IS NOT NULL

-- name: measure_incoming
SELECT count(*), count(DISTINCT key), min(ts), max(ts), coalesce(max(raw_ts), 0), min(received) FILTER (raw_ts IS NULL), count(tracker)
FROM incoming

-- name: spans_of_trackers
-- The numbers that came, as spans: within one, number minus rank stays the same.
SELECT CAST(tracker AS VARCHAR), min(sequence), max(sequence) FROM (
    SELECT tracker, sequence, sequence - dense_rank() OVER (PARTITION BY tracker ORDER BY sequence) AS span
    FROM incoming WHERE tracker IS NOT NULL AND sequence > 0
) GROUP BY tracker, span

-- name: lines_of_trackers
SELECT CAST(tracker AS VARCHAR), count(*), max(received), any_value(source)
FROM incoming WHERE tracker IS NOT NULL GROUP BY tracker

-- name: entries
SELECT CAST(tracker AS VARCHAR), entry FROM trackers
WHERE tracker IN (SELECT CAST(unnest($trackers) AS UUID))

-- name: put_entries
MERGE INTO trackers AS t
USING (SELECT CAST(unnest($trackers) AS UUID) AS tracker, unnest($seen) AS last_seen, unnest($entries) AS entry) AS i
ON t.tracker = i.tracker
WHEN MATCHED THEN UPDATE SET last_seen = i.last_seen, entry = i.entry
WHEN NOT MATCHED THEN INSERT VALUES (i.tracker, i.last_seen, i.entry)

-- name: all_entries
SELECT entry FROM trackers ORDER BY last_seen DESC

-- name: old_entries
SELECT CAST(tracker AS VARCHAR), entry FROM trackers WHERE last_seen < $before

-- name: forget_entries
DELETE FROM trackers WHERE tracker IN (SELECT CAST(unnest($trackers) AS UUID))

-- name: past
SELECT trackers, standing, nameless FROM ledger_past

-- name: put_past
UPDATE ledger_past SET trackers = $trackers, standing = $standing, nameless = $nameless

-- name: drop_repeats
-- Keeps the first of each message within the segment. Few have a key that is there twice: only these are compared.
WITH repeated AS MATERIALIZED (SELECT key FROM incoming GROUP BY key HAVING count(*) > 1)
DELETE FROM incoming WHERE key IN (FROM repeated) AND line NOT IN (
    SELECT min(line) FROM incoming WHERE key IN (FROM repeated) GROUP BY source, message_id
)

-- name: spans_of_incoming
-- The senders' times, an hour a span.
SELECT min(raw_ts), max(raw_ts) FROM incoming WHERE raw_ts IS NOT NULL GROUP BY raw_ts // 3600000000

-- name: suspects_by_recency
-- A sender that writes a new time into a retry is caught while the message is among the last ones stored.
CREATE OR REPLACE TEMP TABLE suspects AS
SELECT source, message_id FROM events
WHERE rowid >= $first AND key IN (SELECT key FROM incoming)

-- name: suspects_by_time
-- A retry keeps the sender's time, so it is looked for where that time is, however long ago.
CREATE OR REPLACE TEMP TABLE suspects AS
SELECT source, message_id FROM events
WHERE rowid >= $from AND rowid < $first AND raw_ts BETWEEN $since AND $until AND key IN (SELECT key FROM incoming)

-- name: suspects_by_arrival
-- Without a time of its own, a message is looked for among those that came shortly before.
CREATE OR REPLACE TEMP TABLE suspects AS
SELECT source, message_id FROM events
WHERE rowid < $first AND raw_ts IS NULL AND received >= $since AND key IN (SELECT key FROM incoming)

-- name: newest_row
-- By way of the last segment, which is quick: max(rowid) alone reads the whole table.
SELECT max(rowid) FROM events WHERE segment >= (SELECT max(segment) FROM events)

-- name: marks
SELECT row, segment, latest, latest_raw FROM marks ORDER BY row

-- name: keep_mark
INSERT INTO marks VALUES ($row, $segment, $latest, $latest_raw)

-- name: rows_since
SELECT max(rowid) + 1, max(segment), max(ts), coalesce(max(raw_ts), 0) FROM events WHERE rowid >= $from

-- name: drop_known
DELETE FROM incoming WHERE EXISTS (
    SELECT 1 FROM suspects s WHERE s.source = incoming.source AND s.message_id = incoming.message_id
)

-- name: insert_events
INSERT INTO events
SELECT $segment, source, received, ts, raw_ts, key, message_id, event, user_id, anonymous_id, session_id, properties
FROM incoming

-- name: count_minutes
CREATE OR REPLACE TEMP TABLE minutes AS
SELECT CAST(ts // 60000000 AS INTEGER) AS minute, event, count(*) AS n FROM incoming GROUP BY ALL

-- name: merge_minutes
MERGE INTO minute_rollup AS r USING minutes AS i
ON r.minute = i.minute AND r.event = i.event
WHEN MATCHED THEN UPDATE SET n = r.n + i.n
WHEN NOT MATCHED THEN INSERT VALUES (i.minute, i.event, i.n)

-- name: merge_days
-- A day starts with a whole minute in every zone (since 1973), so the minutes add up to days.
MERGE INTO day_rollup AS r
USING (
    SELECT d.day AS day, m.event AS event, CAST(sum(m.n) AS BIGINT) AS n
    FROM (SELECT CAST(minute AS BIGINT) * 60000000 AS ts, event, n FROM minutes) AS m
    ASOF JOIN (SELECT unnest($days) AS day, unnest($starts) AS start) AS d ON m.ts >= d.start GROUP BY ALL
) AS i
ON r.day = i.day AND r.event = i.event
WHEN MATCHED THEN UPDATE SET n = r.n + i.n, segment = $segment
WHEN NOT MATCHED THEN INSERT VALUES (i.day, i.event, i.n, $segment)

-- name: merge_sign_ins
MERGE INTO sign_ins AS r
USING (
    SELECT CAST(ts // 60000000 AS INTEGER) AS minute, user_id, min(ts) AS first, max(ts) AS last FROM incoming
    WHERE event = 'auth_success' AND user_id IS NOT NULL GROUP BY ALL
) AS i
ON r.minute = i.minute AND r.user_id = i.user_id
WHEN MATCHED THEN UPDATE SET first = least(r.first, i.first), last = greatest(r.last, i.last)
WHEN NOT MATCHED THEN INSERT VALUES (i.minute, i.user_id, i.first, i.last)

-- name: advance
UPDATE progress SET segment = $segment, stored = stored + $stored, duplicates = duplicates + $duplicates,
                    quarantined = quarantined + $quarantined

-- name: quarantine
INSERT INTO quarantine SELECT $segment, unnest($lines), unnest($reasons), unnest($texts)

-- name: progress
SELECT segment, stored, duplicates, quarantined FROM progress

-- name: counts
-- Exact: whole minutes from the rollup, the two edges from the raw events.
SELECT event, CAST(sum(n) AS BIGINT) FROM (
    SELECT event, sum(n) AS n FROM minute_rollup WHERE minute >= $first AND minute < $last GROUP BY event
    UNION ALL
    SELECT event, count(*) FROM events WHERE rowid >= $from AND ts >= $since AND ts < $head_end GROUP BY event
    UNION ALL
    SELECT event, count(*) FROM events WHERE rowid >= $tail_from AND ts >= $tail_start AND ts < $until GROUP BY event
) GROUP BY event

-- name: signed_in
-- Exact though the span begins and ends within a minute: who was last seen in the first minute after the span's begin,
-- or first in the last minute before its end, signed in within it.
SELECT count(DISTINCT user_id) FROM sign_ins
WHERE minute >= $first AND minute <= $final AND last >= $since AND first < $until

-- name: days
SELECT day, event, CAST(sum(n) AS BIGINT) FROM day_rollup WHERE day BETWEEN $first AND $last GROUP BY ALL

-- name: days_touched
SELECT day, max(segment) FROM day_rollup WHERE segment > $segment GROUP BY day

-- name: scans_until
-- The last segment that goes into one answer. Materialized, since DuckDB 2.0 fails where it both filters and fetches
-- the first few by row id.
WITH found AS MATERIALIZED (
    SELECT segment FROM events
    WHERE rowid >= $from AND segment > $segment AND event IN ('scan_started', 'scan_completed')
)
SELECT max(segment) FROM (SELECT segment FROM found ORDER BY segment LIMIT $most)

-- name: scan_events
SELECT segment, ts, event, properties FROM events
WHERE rowid >= $from AND segment > $segment AND segment <= $last AND event IN ('scan_started', 'scan_completed')
ORDER BY segment, ts

-- name: reports
WITH found AS MATERIALIZED (
    SELECT segment, ts, properties FROM events
    WHERE rowid >= $from AND segment > $segment AND ts >= $since AND event = $event
)
SELECT segment, ts, properties FROM (SELECT * FROM found ORDER BY ts DESC LIMIT $most) ORDER BY segment, ts

-- name: forget
DELETE FROM events WHERE ts < $before

-- name: forget_sign_ins
DELETE FROM sign_ins WHERE last < $before

-- name: note_forgotten
INSERT OR REPLACE INTO meta SELECT 'forgotten', CAST(greatest($before, coalesce(
    (SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'forgotten'), $before
)) AS VARCHAR)

-- name: minutes
-- One statement, so that the segment and the counts are of one moment.
SELECT segment, NULL AS minute, NULL AS event, NULL AS n FROM progress
UNION ALL
SELECT NULL, minute, event, CAST(sum(n) AS BIGINT) FROM minute_rollup
WHERE minute >= $first AND minute < $last GROUP BY minute, event

-- name: raw
SELECT segment, ts, event, CASE event WHEN 'auth_success' THEN user_id WHEN 'scan_completed' THEN properties END
FROM events WHERE rowid >= $from AND ts >= $since AND ts < $until

-- name: messages
SELECT segment, ts, event, source, message_id FROM events WHERE rowid >= $from AND ts >= $since AND ts < $until

-- name: known
SELECT DISTINCT e.source, e.message_id
FROM events AS e
JOIN (SELECT CAST(unnest($sources) AS USMALLINT) AS source, unnest($ids) AS message_id) AS m
ON e.key = hash(m.source, m.message_id) AND e.source = m.source AND e.message_id = m.message_id

-- name: reach
SELECT (SELECT CAST(value AS BIGINT) FROM meta WHERE name = 'forgotten'), (SELECT min(ts) FROM events)

-- name: drop_minutes
DELETE FROM minute_rollup WHERE minute IN (SELECT unnest($minutes))

-- name: recount_minutes
INSERT INTO minute_rollup
SELECT CAST(ts // 60000000 AS INTEGER) AS minute, event, count(*) FROM events
WHERE ts >= $since AND ts < $until AND ts // 60000000 IN (SELECT unnest($minutes)) GROUP BY ALL

-- name: drop_sign_ins
DELETE FROM sign_ins WHERE minute IN (SELECT unnest($minutes))

-- name: recount_sign_ins
INSERT INTO sign_ins
SELECT CAST(ts // 60000000 AS INTEGER) AS minute, user_id, min(ts), max(ts) FROM events
WHERE ts >= $since AND ts < $until AND ts // 60000000 IN (SELECT unnest($minutes))
    AND event = 'auth_success' AND user_id IS NOT NULL
GROUP BY ALL

-- name: drop_days
DELETE FROM day_rollup WHERE day IN (SELECT unnest($days))

-- name: recount_days
INSERT INTO day_rollup
SELECT d.day, e.event, count(*), max(e.segment) FROM events AS e
JOIN (SELECT unnest($days) AS day, unnest($starts) AS start, unnest($ends) AS until) AS d
ON e.ts >= d.start AND e.ts < d.until GROUP BY ALL
