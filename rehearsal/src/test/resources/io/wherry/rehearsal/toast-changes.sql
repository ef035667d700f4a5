-- Changes to toast.sql; may run several times. A blank line ends a transaction.
UPDATE toast SET n = n + 1;
UPDATE toast SET note = NULL WHERE id = 1;
UPDATE toast SET n = n + 1 WHERE id = 1;

UPDATE toast SET big = 'UNCHANGED' WHERE id = 2;
UPDATE toast SET big = '__debezium_unavailable_value', tags = '{__debezium_unavailable_value}' WHERE id = 3;
UPDATE toast SET note = long_text(7, 64) WHERE id = 4;
UPDATE toast SET n = n + 1 WHERE id = 4;
UPDATE toast SET bytes = NULL, num = NULL WHERE id = 4;
UPDATE toast SET n = n + 1 WHERE id = 4;
UPDATE toast SET big = long_text(4 + n, 128) WHERE id = 5;
UPDATE toast SET n = n + 1 WHERE id = 5;
UPDATE toast SET num = 1.10 WHERE id = 5;

INSERT INTO toast (id, n, big, bytes) VALUES (100, 1, long_text(100, 64), decode(long_text(101, 64), 'hex'));
UPDATE toast SET n = 2 WHERE id = 100;
UPDATE toast SET id = 101 WHERE id = 100;
UPDATE toast SET id = 100, n = 3 WHERE id = 101;
UPDATE toast SET n = 4 WHERE id = 100;

DELETE FROM toast WHERE id = 100;
INSERT INTO toast (id, n, big, num) VALUES (100, 1, long_text(102, 64), NULL);
UPDATE toast SET n = 5 WHERE id = 100;

DELETE FROM toast WHERE id = 100;

UPDATE toast SET id = id + 1000;

UPDATE toast SET n = n + 1;

UPDATE toast SET id = id - 1000;
UPDATE toast SET id = -6 WHERE id = 6;
UPDATE toast SET id = 6 WHERE id = 5;
UPDATE toast SET id = 5 WHERE id = -6;

UPDATE toast_key SET n = n + 1;
UPDATE toast_key SET part = part + 100 WHERE part = 1;
UPDATE toast_key SET n = n + 1 WHERE part = 101;
UPDATE toast_key SET part = part - 100 WHERE part = 101;
UPDATE toast_key SET name = repeat('new', 700) WHERE part = 2;
UPDATE toast_key SET n = n + 1 WHERE part = 2;
DELETE FROM toast_key WHERE part = 3;
INSERT INTO toast_key VALUES (repeat('k3', 1200), 3, long_text(33, 64), 0);
UPDATE toast_key SET n = n + 1 WHERE part = 3;

UPDATE toast_keyless SET n = n + 3 WHERE n = 1;
UPDATE toast_keyless SET n = n - 3 WHERE n > 3;
DELETE FROM toast_keyless WHERE ctid = (SELECT ctid FROM toast_keyless LIMIT 1);
INSERT INTO toast_keyless VALUES (1, long_text(1, 64)), (1, long_text(1, 64));

UPDATE toast_always SET n = n + 1;
UPDATE toast_always SET number = DEFAULT WHERE id % 2 = 0;
UPDATE toast_always SET id = DEFAULT WHERE id = (SELECT min(id) FROM toast_always);
