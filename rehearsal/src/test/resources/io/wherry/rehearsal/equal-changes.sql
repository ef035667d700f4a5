-- Changes to equal.sql; may run several times. A blank line ends a transaction. What is changed is what a scan finds last.
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY '{any_text,any_varchar,any_array,any_bpchar,word,padded,padded_domain,padded_array,scaled,scaled_range,zero,day,made,
      document,place,page}'::text[] LOOP
    EXECUTE format('DELETE FROM %I WHERE ctid = (SELECT max(ctid) FROM %1$I WHERE n = 0)', t);
    EXECUTE format('UPDATE %I SET n = 1 WHERE ctid = (SELECT max(ctid) FROM %1$I WHERE n = 0)', t);
  END LOOP;
END $$;

UPDATE word_indexed SET n = n + 1 WHERE v::text LIKE 'SAME%';
DELETE FROM word_indexed WHERE v::text = 'SAME' || (SELECT max(n) FROM word_indexed);

UPDATE login SET name = CASE WHEN name LIKE 'U%' COLLATE "C" THEN upper(name) ELSE initcap(name) END, v = upper(v);
DELETE FROM login WHERE name = 'user150';
INSERT INTO login VALUES ('uSER150', 'new');
UPDATE login SET v = 'NEW' WHERE name = 'USER150';
DELETE FROM login WHERE name = 'USER150';
INSERT INTO login VALUES ('user150', 'New');

UPDATE login SET name = 'swap' WHERE name = 'user200';
UPDATE login SET name = 'uSeR200' WHERE name = 'user201';
UPDATE login SET name = 'uSeR201' WHERE name = 'SWAP';
UPDATE login SET v = lower(v) WHERE name < 'user15';

UPDATE mail SET a = CASE WHEN a::text LIKE 'N%' THEN lower(a::text) ELSE upper(a::text) END, v = lower(v::text) WHERE b < 'host2';
UPDATE mail SET b = CASE WHEN b LIKE 'H%' COLLATE "C" THEN lower(b) ELSE initcap(b) END WHERE b > 'host2';
DELETE FROM mail WHERE a = 'name5' AND b = 'HOST55';
INSERT INTO mail VALUES ('nAME5', 'hOST55', 'nEW');
UPDATE mail SET v = 'New' WHERE a = 'name5' AND b = 'HOST55';

UPDATE amount SET n = CASE WHEN scale(n) < 3 THEN n + 0.000 ELSE round(n) END WHERE n < 50;
DELETE FROM amount WHERE n BETWEEN 50 AND 59;
INSERT INTO amount SELECT g + CASE WHEN g % 2 = 0 THEN 0.0 ELSE 0.00 END, 'again' FROM generate_series(50, 59) g;

UPDATE exact SET v = -v WHERE name COLLATE "C" LIKE 'SAME%';
DELETE FROM exact WHERE name COLLATE "C" IN ('Same7', 'same8');
INSERT INTO exact VALUES ('Same7', 70), ('same8', 80);
UPDATE exact SET name = 'Gone9' WHERE name COLLATE "C" = 'Same9';
UPDATE exact SET v = v + 1 WHERE name COLLATE "C" = 'SAME9';
UPDATE exact SET name = 'Same9' WHERE name COLLATE "C" = 'Gone9';

UPDATE loose SET name = CASE WHEN name LIKE 'N%' THEN lower(name) ELSE initcap(name) END WHERE v % 3 = 0;
DELETE FROM loose WHERE v = 100;
INSERT INTO loose VALUES ('nAME100', 100);
UPDATE loose SET v = 0 WHERE name = 'nAME100';
DELETE FROM loose WHERE v = 0;
INSERT INTO loose VALUES ('Name100', 100);
