-- Every value again as a change: inserted, put into another row by an update, and in the key.
SET search_path = public;
SET standard_conforming_strings = on;
SET array_nulls = on;
SET extra_float_digits = 3;
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relname ~ '^ty_\d+$' LOOP
    EXECUTE format('INSERT INTO %1$I SELECT id + 1000 * (SELECT 1 + max(id) / 1000 FROM %1$I), v FROM %1$I WHERE id < 100', name);
    EXECUTE format('UPDATE %1$I AS t SET v = other.v FROM (SELECT id, lead(v, 1, NULL) OVER (ORDER BY id) AS v FROM %1$I) AS other'
      ' WHERE other.id = t.id', name);
    EXECUTE format('UPDATE %1$I AS t SET v = other.v FROM (SELECT id %% 1000 AS id, v FROM %1$I WHERE id >= 1000) AS other'
      ' WHERE other.id + 1 = t.id', name);
  END LOOP;
  FOR name IN SELECT relname FROM pg_class WHERE relname ~ '^key_\d+$' LOOP
    EXECUTE format('UPDATE %I SET n = n + 1', name);
    EXECUTE format('CREATE TEMP TABLE again_%s AS SELECT * FROM %I WHERE n %% 2 = 0', name, name);
    EXECUTE format('DELETE FROM %I WHERE n %% 2 = 0', name);
  END LOOP;
END $$;
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relname ~ '^key_\d+$' LOOP
    EXECUTE format('INSERT INTO %I SELECT * FROM again_%s', name, name);
    EXECUTE format('DROP TABLE again_%s', name);
  END LOOP;
END $$;
INSERT INTO keyless SELECT * FROM keyless WHERE n < 10;
UPDATE keyless SET n = n + 10;
DELETE FROM keyless WHERE ctid IN (SELECT min(ctid::text)::tid FROM keyless GROUP BY n % 10);
UPDATE keyless SET n = n % 10;
DO $$
BEGIN
  IF to_regclass('made') IS NOT NULL THEN
    INSERT INTO made SELECT FROM generate_series(1, 20);
    UPDATE made SET id = public.uuid_generate_v4() WHERE get_byte(secret, 0) % 2 = 0;
  END IF;
END $$;
