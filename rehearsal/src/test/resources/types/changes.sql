-- Every value again as a change: inserted, put into another row by an update, and in the key.
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relname ~ '^ty_\d+$' LOOP
    EXECUTE format('INSERT INTO %1$I SELECT id + 1000 * (SELECT 1 + max(id) / 1000 FROM %1$I), v FROM %1$I WHERE id < 100', name);
    EXECUTE format('UPDATE %1$I AS t SET v = other.v FROM (SELECT id, lead(v, 1, NULL) OVER (ORDER BY id) AS v FROM %1$I) AS other'
      ' WHERE other.id = t.id', name);
    EXECUTE format('UPDATE %1$I AS t SET v = other.v FROM (SELECT id % 1000 AS id, v FROM %1$I WHERE id >= 1000) AS other'
      ' WHERE other.id + 1 = t.id', name);
  END LOOP;
  FOR name IN SELECT relname FROM pg_class WHERE relname ~ '^key_\d+$' LOOP
    EXECUTE format('UPDATE %I SET n = n + 1', name);
    EXECUTE format('WITH gone AS (DELETE FROM %1$I WHERE n %% 2 = 0 RETURNING v, n) INSERT INTO again SELECT %1$L, v::text, n FROM gone', name);
  END LOOP;
END $$;
DO $$
DECLARE
  name text;
BEGIN
  FOR name IN SELECT relname FROM pg_class WHERE relname ~ '^key_\d+$' LOOP
    EXECUTE format('INSERT INTO %I SELECT v::%s, n FROM again WHERE key = %L', name,
      (SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = name::regclass AND attnum = 1), name);
  END LOOP;
END $$;
DELETE FROM again;
