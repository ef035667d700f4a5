-- Values that a type's = takes for the same and whose bytes differ: by them alone rows without a key are told apart.
CREATE EXTENSION citext;
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN blank AS bpchar;
CREATE TYPE priced AS (price numeric, code bpchar);
CREATE FUNCTION price(p priced) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT round((p).price)::text';
CREATE CAST (priced AS text) WITH FUNCTION price(priced);

CREATE TABLE any_text (v text COLLATE any_case, n int);
INSERT INTO any_text VALUES ('same', 0), ('SAME', 0), ('Same', 0);
CREATE TABLE any_varchar (v varchar(9) COLLATE any_case, n int);
INSERT INTO any_varchar VALUES ('same', 0), ('SAME', 0), ('Same', 0);
CREATE TABLE any_array (v text[] COLLATE any_case, n int);
INSERT INTO any_array VALUES ('{same}', 0), ('{SAME}', 0), ('{Same}', 0);
CREATE TABLE any_bpchar (v char(9) COLLATE any_case, n int);
INSERT INTO any_bpchar VALUES ('same', 0), ('SAME', 0), ('Same', 0);
CREATE TABLE word (v citext, n int);
INSERT INTO word VALUES ('same', 0), ('SAME', 0), ('Same', 0);
CREATE TABLE word_indexed (v citext, n int);
CREATE INDEX ON word_indexed (v);
INSERT INTO word_indexed SELECT v, 0 FROM generate_series(1, 500) g, LATERAL (VALUES ('same' || g), ('SAME' || g)) w (v);
CREATE TABLE padded (v bpchar, n int);
INSERT INTO padded VALUES ('x', 0), ('x ', 0), ('x  ', 0);
CREATE TABLE padded_domain (v blank, n int);
INSERT INTO padded_domain VALUES ('x', 0), ('x ', 0), ('x  ', 0);
CREATE TABLE padded_array (v bpchar[], n int);
INSERT INTO padded_array VALUES ('{x}', 0), ('{"x "}', 0), ('{"x  "}', 0);
CREATE TABLE scaled (v numeric, n int);
INSERT INTO scaled VALUES (1, 0), (1.0, 0), (1.00, 0);
CREATE TABLE scaled_range (v numrange, n int);
INSERT INTO scaled_range VALUES ('[1,2)', 0), ('[1.0,2)', 0), ('[1,2.0)', 0);
CREATE TABLE zero (v float8, n int);
INSERT INTO zero VALUES (0, 0), ('-0', 0), ('-0', 0);
CREATE TABLE day (v interval, n int);
INSERT INTO day VALUES ('24:00', 0), ('1 day', 0), ('0.5 days 12:00', 0);
CREATE TABLE made (v priced, n int);
INSERT INTO made VALUES ('(1,x)', 0), ('(1.0,x)', 0), ('(1,"x ")', 0);
CREATE TABLE document (v jsonb, n int);
INSERT INTO document VALUES ('{"a": 1}', 0), ('{"a": 1.0}', 0), ('{"a": 1.00}', 0);
CREATE TABLE place (v point, n int);
INSERT INTO place VALUES ('(1,1)', 0), ('(1,1.0000001)', 0), ('(1,1.0000002)', 0);
CREATE TABLE page (v xml, n int);
INSERT INTO page VALUES ('<a b="1"/>', 0), ('<a  b="1"/>', 0), ('<a b=''1''/>', 0);
DO $$ DECLARE t text; BEGIN
  FOREACH t IN ARRAY '{any_text,any_varchar,any_array,any_bpchar,word,padded,padded_domain,padded_array,scaled,scaled_range,zero,day,made,
      document,place,page}'::text[] LOOP
    EXECUTE format('INSERT INTO %I SELECT v, n FROM %1$I, generate_series(1, 4) WHERE ctid = (SELECT max(ctid) FROM %1$I)', t);
  END LOOP;
END $$;

-- Keys of such values, and unique indexes whose collation is not the column's.
CREATE TABLE login (name text COLLATE any_case PRIMARY KEY, v text COLLATE any_case UNIQUE);
INSERT INTO login SELECT 'User' || g, 'Value' || g FROM generate_series(1, 300) g;
CREATE TABLE mail (a citext, b text COLLATE any_case, v citext UNIQUE, PRIMARY KEY (a, b));
INSERT INTO mail SELECT 'Name' || g % 10, 'Host' || g, 'Value' || g FROM generate_series(1, 300) g;
CREATE TABLE amount (n numeric PRIMARY KEY, v text);
INSERT INTO amount SELECT g, 'v' || g FROM generate_series(1, 300) g;
CREATE TABLE exact (name text COLLATE any_case NOT NULL, v int);
CREATE UNIQUE INDEX exact_name ON exact (name COLLATE "C");
ALTER TABLE exact REPLICA IDENTITY USING INDEX exact_name;
INSERT INTO exact SELECT w || g, g FROM generate_series(1, 100) g, unnest('{same,SAME,Same}'::text[]) w;
CREATE TABLE loose (name text NOT NULL, v int);
CREATE UNIQUE INDEX loose_name ON loose (name COLLATE any_case);
ALTER TABLE loose REPLICA IDENTITY USING INDEX loose_name;
INSERT INTO loose SELECT 'Name' || g, g FROM generate_series(1, 300) g;
