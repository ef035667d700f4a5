-- Something in every kind of table.
UPDATE exclcon SET a = CASE a WHEN 1 THEN 5 ELSE 1 END;
DELETE FROM exclcon WHERE a = 5;
INSERT INTO exclcon VALUES (5, 6), (3, NULL);

UPDATE parent_model SET b = NOT b WHERE id % 100 = 0;
UPDATE child_model_1 SET c = c || '{"n": 1.10}', id = id + 1000000 WHERE id % 50 = 0;
DELETE FROM child_model_2 WHERE id % 70 = 0;
INSERT INTO parent_model VALUES (-1, 0, true);

INSERT INTO colls (f1, f2) VALUES ('œuvre', 'ß'), ('', NULL);
UPDATE mycoltab SET f1 = f2, f2 = f1;
INSERT INTO table_3 (c_char) SELECT c_char FROM table_1;
UPDATE table_1 SET c_bigserial = 1 - c_bigserial WHERE c_bigserial % 2 = 0;
TRUNCATE table_2;
INSERT INTO table_2 (c_char) VALUES ('again  ');

UPDATE "Sp1eCial .Char"."Tabl e.1testing" SET "nA M.e" = 'a "b" \ c' WHERE "iD" % 7 = 0;
DELETE FROM "Sp1eCial .Char"."Tabl e.1testing" WHERE "iD" % 11 = 0;
-- Without a key, and rows that look alike.
INSERT INTO table_ctid_candidate SELECT 'same', NULL FROM generate_series(1, 3);
UPDATE table_ctid_candidate SET d_char = 'one of them' WHERE ctid = (SELECT min(ctid) FROM table_ctid_candidate WHERE c_char = 'same');
DELETE FROM table_ctid_candidate WHERE ctid = (SELECT max(ctid) FROM table_ctid_candidate WHERE d_char IS NULL);
INSERT INTO """dqname""" VALUES (1), (1), (NULL);
UPDATE """dqname""" SET id = 2 WHERE id IS NULL;
INSERT INTO """long""" VALUES (7);
INSERT INTO test_table VALUES ('é', '', '\');
