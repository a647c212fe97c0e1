-- Who signed in, a row a user and minute, with the first and the last time in it: a question of the last hour costs as
-- much as there are users, not as there were events.
CREATE TABLE sign_ins (minute INTEGER NOT NULL, user_id VARCHAR NOT NULL, first BIGINT NOT NULL, last BIGINT NOT NULL);
INSERT INTO sign_ins
SELECT CAST(ts // 60000000 AS INTEGER) AS minute, user_id, min(ts), max(ts) FROM events
WHERE event = 'auth_success' AND user_id IS NOT NULL GROUP BY ALL ORDER BY minute;
