-- Now and then, what is true of all rows of events before one: see horizon.py.
CREATE TABLE marks (row BIGINT NOT NULL, segment UINTEGER NOT NULL, latest BIGINT NOT NULL, latest_raw BIGINT NOT NULL);
INSERT INTO marks
SELECT row, max(segment) OVER (ORDER BY row), max(latest) OVER (ORDER BY row), max(latest_raw) OVER (ORDER BY row) FROM (
    SELECT max(rowid) + 1 AS row, max(segment) AS segment, max(ts) AS latest, coalesce(max(raw_ts), 0) AS latest_raw
    FROM events GROUP BY rowid // 60000
);
