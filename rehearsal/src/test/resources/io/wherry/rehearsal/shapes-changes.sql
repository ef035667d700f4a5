-- Changes to shapes.sql; may run several times. A blank line ends a transaction.
UPDATE twins SET b = 'changed' WHERE ctid = (SELECT ctid FROM twins WHERE a = 1 AND b = 'twin' LIMIT 1);
DELETE FROM twins WHERE ctid = (SELECT ctid FROM twins WHERE a = 2 AND b = 'twin' LIMIT 1);
INSERT INTO twins VALUES (2, 'twin'), (2, 'twin'), (NULL, NULL), (NULL, NULL);
DELETE FROM twins WHERE ctid = (SELECT ctid FROM twins WHERE a IS NULL LIMIT 1);
UPDATE twins SET a = 7 WHERE ctid = (SELECT ctid FROM twins WHERE a IS NULL LIMIT 1);

UPDATE odd_twins SET j = '{"a":1}' WHERE ctid = (SELECT ctid FROM odd_twins WHERE f = 'NaN' LIMIT 1);
UPDATE odd_twins SET f = 1 WHERE ctid = (SELECT ctid FROM odd_twins WHERE f::text = '-0' LIMIT 1);
DELETE FROM odd_twins WHERE ctid = (SELECT ctid FROM odd_twins WHERE f::text = '0' LIMIT 1);
DELETE FROM odd_twins WHERE ctid = (SELECT ctid FROM odd_twins WHERE f IS NULL LIMIT 1);
INSERT INTO odd_twins VALUES ('[]', NULL, '(0,0)', '0', 1.00, NULL, NULL, NULL), ('[]', '<a/>', '(-0,0)', '-0', 1.00, NULL, NULL, '{NULL}');

UPDATE by_index SET a = a + 100 WHERE a % 5 = 0;
UPDATE by_index SET a = a - 200 WHERE a > 200;
UPDATE by_index SET b = NULL WHERE a = 1;
DELETE FROM by_index WHERE a = 2;
INSERT INTO by_index VALUES (2, 'again', NULL);

UPDATE beside SET id = id + 100;
UPDATE beside SET id = id - 100;
UPDATE beside SET code = code || 'x', part = 1 - part WHERE id % 3 = 0;
DELETE FROM beside WHERE id = 4;
INSERT INTO beside VALUES (4, 'four', 0, NULL);

UPDATE full_with_key SET v = v || 'x' WHERE id % 2 = 0;
UPDATE full_with_key SET id = -id WHERE id % 5 = 0;
DELETE FROM full_with_key WHERE id = 3;
INSERT INTO full_with_key VALUES (3, 'again', repeat('y', 9000));

UPDATE composite SET at = at + interval '1 s' WHERE seq % 4 = 0;
UPDATE composite SET v = v || 'x' WHERE seq % 3 = 0;
DELETE FROM composite WHERE seq = 5;
INSERT INTO composite VALUES ('t2', '2020-01-01', 5, 'again');

UPDATE swap SET id = -1 WHERE id = 1;
UPDATE swap SET id = 1 WHERE id = 2;
UPDATE swap SET id = 2 WHERE id = -1;
UPDATE swap SET id = id + 100, v = v || 'x' WHERE id > 5;
UPDATE swap SET id = id - 100 WHERE id > 100;
DELETE FROM swap WHERE id = 3;
INSERT INTO swap VALUES (3, 'again', repeat('3', 9000));
UPDATE swap SET id = 33 WHERE id = 3;
UPDATE swap SET id = 3, v = 'home' WHERE id = 33;

TRUNCATE empty_1, empty_2, empty_3;
INSERT INTO empty_1 SELECT generate_series(1, 9);
INSERT INTO empty_2 SELECT generate_series(1, 9);
INSERT INTO empty_3 SELECT n, n FROM generate_series(1, 9) n;

INSERT INTO empty_2 VALUES (7), (7);
TRUNCATE empty_2;
INSERT INTO empty_2 VALUES (1), (1);

TRUNCATE empty_1 CASCADE;
INSERT INTO empty_1 VALUES (100);

TRUNCATE ranged_1;
INSERT INTO ranged VALUES (1, '2020-03-03', 'new'), (2, '2021-03-03', 'new'), (3, '2021-03-03', 'new'), (4, '2030-01-01', 'new');
UPDATE ranged SET at = '2021-05-05' WHERE id = 1 AND at = '2020-03-03';
UPDATE ranged SET at = '2030-05-05' WHERE id = 2 AND at = '2021-03-03';
UPDATE ranged SET id = id + 1 WHERE at = '2021-03-03';
UPDATE ranged SET v = v || 'x';

TRUNCATE ranged;
INSERT INTO ranged SELECT n, '2020-06-01'::date + n * 100, 'v' FROM generate_series(1, 12) n;
UPDATE ranged SET at = at + 365 WHERE id % 2 = 0;

UPDATE hashed SET id = id + 1000;
UPDATE hashed SET id = id - 1000;
DELETE FROM hashed WHERE id = 1;
INSERT INTO hashed VALUES (1, 'again');

UPDATE listed SET kind = 'a' WHERE kind = 'b' AND v % 2 = 0;
UPDATE listed SET kind = NULL WHERE ctid = (SELECT ctid FROM listed_a LIMIT 1) AND tableoid = 'listed_a'::regclass;
INSERT INTO listed VALUES ('b', 1), ('b', 1), ('a', 1), ('b', 2);

UPDATE parent SET v = v || 'x' WHERE id % 2 = 0;
DELETE FROM parent WHERE id = 3;
INSERT INTO child VALUES (3, 'again', 3);
INSERT INTO grandchild VALUES (3, 'again', 3, NULL);
TRUNCATE grandchild;
INSERT INTO grandchild VALUES (3, 'again', 3, NULL), (3, 'again', 3, NULL);

UPDATE generated_in_key SET t = t || 'x' WHERE a = 1;
DELETE FROM generated_in_key WHERE a = 4;
INSERT INTO generated_in_key (a, c, t) VALUES (4, 2, 'again');
UPDATE generated SET w = w + 1;
UPDATE generated SET h = NULL WHERE id = 2;
DELETE FROM generated WHERE id = 3;
INSERT INTO generated (id, w) VALUES (3, 33);
UPDATE generated_keyless SET w = 5 WHERE ctid = (SELECT ctid FROM generated_keyless WHERE w = 1 LIMIT 1);
DELETE FROM generated_keyless WHERE ctid = (SELECT ctid FROM generated_keyless WHERE w = 0 LIMIT 1);
INSERT INTO generated_keyless (w) VALUES (0), (1), (1);

INSERT INTO always (v) VALUES ('new'), ('new');
UPDATE always SET v = v || 'x' WHERE id % 2 = 0;
UPDATE always SET id = DEFAULT WHERE id = (SELECT min(id) FROM always);
DELETE FROM always WHERE id = (SELECT min(id) FROM always);
UPDATE always_outside SET v = v || 'x' WHERE id % 2 = 0;
UPDATE always_outside SET number = DEFAULT WHERE id = 5;
DELETE FROM always_outside WHERE id = 4;
INSERT INTO always_outside (id, v) VALUES (4, 'again');
UPDATE always_keyless SET v = v || 'x' WHERE number % 2 = 0;
UPDATE always_keyless SET number = DEFAULT WHERE number = (SELECT min(number) FROM always_keyless);
INSERT INTO always_keyless (v) VALUES ('new');
INSERT INTO by_default (v) VALUES ('new');
UPDATE by_default SET id = -id WHERE id = (SELECT max(id) FROM by_default);

UPDATE wide SET c2 = id, c1598 = coalesce(c1598, 0) + 1;
INSERT INTO wide (id, c7) SELECT max(id) + 1, 7 FROM wide;
UPDATE wide SET id = -id WHERE id = 5;
DELETE FROM wide WHERE id = 6;
INSERT INTO wide (id, c6) VALUES (6, 6);

INSERT INTO nothing SELECT FROM generate_series(1, 5);
DELETE FROM nothing WHERE ctid IN (SELECT ctid FROM nothing LIMIT 2);
INSERT INTO only_generated SELECT FROM generate_series(1, 5);
DELETE FROM only_generated WHERE ctid IN (SELECT ctid FROM only_generated LIMIT 2);
INSERT INTO only_key SELECT max(id) + 1 FROM only_key;
UPDATE only_key SET id = -id WHERE id = 1;
UPDATE only_key SET id = id WHERE id = 2;
DELETE FROM only_key WHERE id = 3;
INSERT INTO only_key VALUES (3);

UPDATE "Sch ema.1 ""q"""."Ta ble.x ""quoted""" SET "1st" = "1st" || '2', "id" = "id" - 1, "ü
€" = NULL WHERE "Id" % 2 = 0;
UPDATE "Sch ema.1 ""q"""."Ta ble.x ""quoted""" SET """" = """" || 'k' WHERE "Id" = 3;
DELETE FROM "Sch ema.1 ""q"""."Ta ble.x ""quoted""" WHERE "Id" = 4;
INSERT INTO "Sch ema.1 ""q"""."Ta ble.x ""quoted""" ("Id", """", "_x0041", "$1") VALUES (4, '""', 'x', '$2');

UPDATE "select"."user" SET "order" = "order" || 'x', "u" = "c0", "t" = "u", "c0" = "t" WHERE "table" < 4;
DELETE FROM "select"."user" WHERE "table" = 5;
INSERT INTO "select"."user" VALUES (5, 'again');
UPDATE "line
feed" SET v = v || 'x' WHERE "a
b" < 5;
UPDATE "täbelle 表 🚢" SET v = v || 'x' WHERE "schlüssel" < 5;
UPDATE "it's; -- /* $$ E'\" SET v = v || 'x' WHERE "it's" < 5;
UPDATE "it's; -- /* $$ E'\" SET "it's" = -"it's" WHERE "it's" = 7;
UPDATE "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc" SET v = v || 'x' WHERE id < 5;

UPDATE a."b.c" SET v = v || '1' WHERE id > 1;
UPDATE "a.b".c SET v = v || '2' WHERE id > 2;
UPDATE a_b.c SET v = v || '3' WHERE id > 3;
UPDATE a.b_c SET v = v || '4' WHERE id > 4;
UPDATE a."b c" SET v = v || '5' WHERE id > 5;
UPDATE a."B_c" SET v = v || '6' WHERE id > 6;
DELETE FROM "a.b".c WHERE id = 9;
INSERT INTO "a.b".c VALUES (9, 'again');

UPDATE composites SET n = n + 1 WHERE v::text IS NULL;
UPDATE composites SET n = n + 1 WHERE v::text = '(,)';
