-- Values kept out of line, which an update that leaves them alone does not carry. A blank line ends a transaction.
CREATE FUNCTION long_text(seed int, kb int) RETURNS text LANGUAGE sql AS 'SELECT string_agg(md5(seed::text || n::text), '''') FROM generate_series(1, kb * 32) n';
CREATE TABLE toast (id int PRIMARY KEY, n int, big text, num numeric, ints int[], bytes bytea, doc jsonb, x xml, tags text[], note text);
INSERT INTO toast SELECT n, 0, long_text(n, 2048), ('0.' || repeat('314159265358979', 1000))::numeric + n,
       (SELECT array_agg(hashint4(n + i)) FROM generate_series(1, 5000) i), decode(long_text(n, 64), 'hex'),
       to_jsonb(long_text(n, 64)), ('<a>' || long_text(n, 64) || '</a>')::xml, string_to_array(long_text(n, 64), 'a'), 'note'
  FROM generate_series(1, 6) n;

CREATE TABLE toast_key (name text, part int, big text, n int, PRIMARY KEY (name, part));
ALTER TABLE toast_key ALTER name SET STORAGE EXTERNAL;
INSERT INTO toast_key SELECT repeat('k' || n, 1200), n, long_text(n, 64), 0 FROM generate_series(1, 6) n;

CREATE TABLE toast_keyless (n int, big text);
INSERT INTO toast_keyless SELECT n % 3, long_text(n, 64) FROM generate_series(1, 6) n;

CREATE TABLE toast_always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number int GENERATED ALWAYS AS IDENTITY, big text, n int);
INSERT INTO toast_always (big, n) SELECT long_text(n, 64), n FROM generate_series(1, 6) n;
