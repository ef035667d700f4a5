-- Changes to unique.sql; may run several times. A blank line ends a transaction.
DELETE FROM plain WHERE id = 1;
INSERT INTO plain VALUES (1, 'e1', 1, 'again');
DELETE FROM plain WHERE id = 2;
INSERT INTO plain VALUES (1002, 'e2', 2, 'other key');
DELETE FROM plain WHERE id = 1002;
INSERT INTO plain VALUES (2, 'e2', 2, 'back');

UPDATE plain SET email = 'free' WHERE id = 3;
UPDATE plain SET email = 'e3' WHERE id = 4;
UPDATE plain SET email = 'e4' WHERE id = 3;
UPDATE plain SET email = 'free', code = -1 WHERE id = 4;
UPDATE plain SET email = 'e4', code = 4 WHERE id = 3;
UPDATE plain SET email = 'e3', code = 3 WHERE id = 4;

UPDATE plain SET email = NULL WHERE id = 10;

UPDATE plain SET email = 'e10' WHERE id = 11;

UPDATE plain SET email = 'e11' WHERE id = 12;

UPDATE plain SET email = 'e12' WHERE id = 13;

UPDATE plain SET email = 'e13' WHERE id = 10;

UPDATE plain SET email = 'swap' WHERE email = 'e10';
UPDATE plain SET email = 'e10' WHERE id = 10;
UPDATE plain SET email = 'e13' WHERE id = 13;
UPDATE plain SET email = 'e12' WHERE id = 12;
UPDATE plain SET email = 'e11' WHERE id = 11;

UPDATE plain SET code = -code;
UPDATE plain SET code = CASE WHEN code = -200 THEN 1 ELSE 1 - code END;
UPDATE plain SET id = id + 10000 WHERE id % 50 = 0;
UPDATE plain SET id = id - 10000 WHERE id > 10000;

UPDATE plain SET code = -code;
UPDATE plain SET code = CASE WHEN code = -1 THEN 200 ELSE -code - 1 END;

DO $$ DECLARE a text; b text; BEGIN
  FOR n IN 20..120 LOOP
    SELECT email INTO a FROM plain WHERE id = n;
    SELECT email INTO b FROM plain WHERE id = n + 1;
    UPDATE plain SET email = 'parked' WHERE id = n;
    UPDATE plain SET email = a WHERE id = n + 1;
    UPDATE plain SET email = b WHERE id = n;
  END LOOP;
  FOR n IN REVERSE 120..30 LOOP
    SELECT email INTO a FROM plain WHERE id = n;
    SELECT email INTO b FROM plain WHERE id = n + 1;
    UPDATE plain SET email = 'parked' WHERE id = n;
    UPDATE plain SET email = a WHERE id = n + 1;
    UPDATE plain SET email = b WHERE id = n;
  END LOOP;
END $$;

UPDATE partial SET current = false WHERE current;
UPDATE partial SET current = true WHERE id % 3 = 1;

UPDATE partial SET current = false WHERE current;
UPDATE partial SET current = true WHERE id % 3 = 0;
DELETE FROM partial WHERE id = 3;
INSERT INTO partial VALUES (1003, 1, true);
UPDATE partial SET current = false WHERE id = 1003;
INSERT INTO partial VALUES (3, 1, true);
DELETE FROM partial WHERE id = 1003;

UPDATE expression SET name = 'x' WHERE id = 1;
UPDATE expression SET name = 'NAME1' WHERE id = 2;
UPDATE expression SET name = 'nAME2' WHERE id = 1;
UPDATE expression SET name = 'x' WHERE id = 2;
UPDATE expression SET name = 'Name1' WHERE id = 1;
UPDATE expression SET name = 'Name2' WHERE id = 2;
DELETE FROM expression WHERE id = 3;
INSERT INTO expression VALUES (1003, 'NAME3');
DELETE FROM expression WHERE id = 1003;
INSERT INTO expression VALUES (3, 'name3');

UPDATE no_nulls SET slot = -1 WHERE id = 1;
UPDATE no_nulls SET slot = NULL WHERE id = 2;
UPDATE no_nulls SET slot = 2 WHERE id = 1;
UPDATE no_nulls SET slot = 1000 WHERE id = 2;
UPDATE no_nulls SET slot = NULL WHERE id = 1;
UPDATE no_nulls SET slot = 2 WHERE id = 2;

UPDATE excluded SET span = 'empty' WHERE id = 1;
UPDATE excluded SET span = int4range(10, 20) WHERE id = 2;
UPDATE excluded SET span = int4range(20, 30) WHERE id = 1;
UPDATE excluded SET span = 'empty' WHERE id = 2;
UPDATE excluded SET span = int4range(10, 20) WHERE id = 1;
UPDATE excluded SET span = int4range(20, 30) WHERE id = 2;
DELETE FROM excluded WHERE id IN (10, 11, 12);
INSERT INTO excluded VALUES (10, int4range(100, 130));
DELETE FROM excluded WHERE id = 10;
INSERT INTO excluded SELECT n, int4range(n * 10, n * 10 + 10) FROM generate_series(10, 12) n;

UPDATE immediate SET pos = pos % 5000 + 1;

UPDATE immediate SET pos = 5001 - pos;
UPDATE immediate SET pos = 5001 - pos WHERE pos > 4990 OR pos < 11;

UPDATE deferred SET pos = 1 WHERE id < 2000;
UPDATE deferred SET pos = 5001 - id;
UPDATE deferred SET other = -other;
UPDATE deferred SET other = CASE WHEN other = -5000 THEN 1 ELSE 1 - other END;

UPDATE deferred SET pos = pos + 1;
INSERT INTO deferred VALUES (6000, 10, 6000);
DELETE FROM deferred WHERE id = 6000;
UPDATE deferred SET pos = pos - 1;

UPDATE deferred SET pos = 1 WHERE pos = 2;
UPDATE deferred SET pos = 2 WHERE id = 5000;

UPDATE deferred SET pos = 5001 - id;

UPDATE deferred_exclusion SET span = int4range(0, 1000);
UPDATE deferred_exclusion SET span = int4range((51 - id) * 10, (51 - id) * 10 + 10);
UPDATE deferred_exclusion SET span = int4range(id * 10, id * 10 + 10) WHERE id < 51;

UPDATE deferred_key SET id = 7 - id WHERE id IN (3, 4);
UPDATE deferred_key SET v = v || 'x' WHERE id < 6;
UPDATE deferred_key SET id = 51 - id;

UPDATE keyless SET pos = 1000 WHERE pos = 1;
UPDATE keyless SET pos = 1 WHERE pos = 2;
UPDATE keyless SET pos = 2 WHERE pos = 1000;
DELETE FROM keyless WHERE pos = 3;
INSERT INTO keyless VALUES (3, 'again'), (NULL, 'v'), (NULL, 'v');
UPDATE keyless SET pos = -pos;
UPDATE keyless SET pos = -pos;
