-- Every family of types with its edge values. A type T gets a table ty_<n> (id int primary key, v T) with one row for each value
-- and one with NULL, and, where it can be a key, key_<n> (v T primary key, n int). All types together are the columns of table
-- keyless. Types newer than the server (the number that each line begins with) are left out.
SET client_min_messages = warning;
SET datestyle = 'ISO, MDY';
SET intervalstyle = 'postgres';
SET timezone = 'UTC';
SET extra_float_digits = 3;
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION cube; CREATE EXTENSION seg;
CREATE EXTENSION isn; CREATE EXTENSION lo; CREATE EXTENSION intarray; CREATE EXTENSION earthdistance;

CREATE SCHEMA "My Schema";
CREATE TYPE mood AS ENUM ('sad', 'its ok', 'with,comma', 'é', '"quoted"', '');
CREATE TYPE empty_mood AS ENUM ();
CREATE TYPE "My Schema"."My.Enum" AS ENUM ('A b');
CREATE TYPE comp AS (a int, b text, c int[]);
CREATE TYPE "My Schema"."Comp of comps" AS ("x y" comp, z comp[], m mood, n numeric(10, 3));
CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");
CREATE TYPE floatrange AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE measured AS (f float8, small float4[], inner_one comp, span floatrange);
CREATE DOMAIN dom_int AS int CHECK (value > 0);
CREATE DOMAIN dom_dom AS dom_int;
CREATE DOMAIN dom_text AS varchar(10) COLLATE "C";
CREATE DOMAIN dom_num AS numeric(10, 3);
CREATE DOMAIN dom_char AS char(5);
CREATE DOMAIN dom_bytea AS bytea;
CREATE DOMAIN dom_arr AS int[];
CREATE DOMAIN dom_enum AS mood;
CREATE DOMAIN dom_range AS int4range;
CREATE DOMAIN dom_json AS json;
DO $$ BEGIN IF current_setting('server_version_num')::int >= 110000 THEN CREATE DOMAIN dom_comp AS comp; END IF; END $$;
CREATE TABLE referred (id int PRIMARY KEY);
CREATE FUNCTION referred(int) RETURNS int LANGUAGE sql AS 'SELECT 1';

CREATE FUNCTION pg_temp.ty(since int, type text, VARIADIC samples text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  n text := (SELECT count(*) FROM pg_class WHERE relname LIKE 'ty\_%' AND relkind = 'r');
  keyed boolean := true;
  id int := 0;
  sample text;
BEGIN
  IF current_setting('server_version_num')::int < since * 10000 THEN RETURN; END IF;
  EXECUTE format('CREATE TABLE ty_%s (id int PRIMARY KEY, v %s)', n, type);
  BEGIN
    EXECUTE format('CREATE TABLE key_%s (v %s PRIMARY KEY, n int)', n, type);
  EXCEPTION WHEN undefined_object THEN keyed := false;
  END;
  FOREACH sample IN ARRAY samples LOOP
    id := id + 1;
    EXECUTE format('INSERT INTO ty_%s VALUES ($1, %L::%s)', n, sample, type) USING id;
    IF keyed AND length(sample) < 500 THEN
      BEGIN
        EXECUTE format('INSERT INTO key_%s VALUES (%L::%s, $1) ON CONFLICT DO NOTHING', n, sample, type) USING id;
      EXCEPTION WHEN undefined_function THEN  -- an array of what cannot be compared
        EXECUTE format('DROP TABLE key_%s', n);
        keyed := false;
      END;
    END IF;
  END LOOP;
  EXECUTE format('INSERT INTO ty_%s VALUES (99, NULL)', n);
END $$;

-- Arrays of T: empty, with NULL, of two and three dimensions, with bounds of their own.
CREATE FUNCTION pg_temp.arrays(since int, type text, a text, b text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  one text; two text; three text;
BEGIN
  IF current_setting('server_version_num')::int < since * 10000 THEN RETURN; END IF;
  EXECUTE format('SELECT ARRAY[CAST($1 AS %1$s), NULL, CAST($2 AS %1$s)]::text, ARRAY[[CAST($1 AS %1$s), CAST($2 AS %1$s)],'
    ' [CAST($2 AS %1$s), NULL]]::text, ARRAY[[[CAST($1 AS %1$s)], [CAST($2 AS %1$s)]]]::text', type)
    INTO one, two, three USING a, b;
  PERFORM pg_temp.ty(since, type || '[]', '{}', one, two, three, '[0:2]=' || one, '[-1:0][2:3]=' || two,
    '[2147483640:2147483642]=' || one);
END $$;

SELECT pg_temp.ty(10, 'bool', 't', 'f');
SELECT pg_temp.ty(10, 'int2', '-32768', '32767', '0');
SELECT pg_temp.ty(10, 'int4', '-2147483648', '2147483647');
SELECT pg_temp.ty(10, 'int8', '-9223372036854775808', '9223372036854775807');
SELECT pg_temp.ty(10, 'numeric', 'NaN', '0', '1', '1.10', '1.1', '-0.00000000000000000001', '1e1000', '1e-1000', '100', '0.000',
  '123456789012345678901234567890.123456789012345678901234567890', repeat('9', 131072), '-' || repeat('7', 131072) || '.' || repeat('3', 16383));
SELECT pg_temp.ty(14, 'numeric', 'Infinity', '-Infinity', 'NaN', '1.0');
SELECT pg_temp.ty(10, 'numeric(20,5)', '12345.67890', 'NaN', '-0.00001', '100');
SELECT pg_temp.ty(15, 'numeric(5,-2)', '1200', '-99900');
SELECT pg_temp.ty(15, 'numeric(3,5)', '0.00123');
SELECT pg_temp.ty(10, 'float4', 'NaN', 'Infinity', '-Infinity', '-0', '3.4028235e38', '1e-45', '0.1', '1.17549435e-38', '16777216');
SELECT pg_temp.ty(10, 'float8', 'NaN', 'Infinity', '-Infinity', '-0', '1.7976931348623157e308', '5e-324', '0.1', '0.30000000000000004', '123456789.123456789');
SELECT pg_temp.ty(10, 'money', '12.34', '-1234567.89', '92233720368547758.07', '-92233720368547758.08', '0.01');
SELECT pg_temp.ty(10, 'text', '', 'unicode ☃ 𝄞 é', E'line\nbreak\r\n\ttab \\ quote " '' \b\f\v\x01 end', '\N', '\.', 'NULL', ' ', repeat('long ☃', 20000));
SELECT pg_temp.ty(10, 'varchar(20)', 'trail  ', '', '  lead');
SELECT pg_temp.ty(10, 'char(5)', 'ab', 'abcde', '', '  b');
SELECT pg_temp.ty(10, 'bpchar', 'a  ', '', 'a');
SELECT pg_temp.ty(10, '"char"', 'a', '', ' ', '\', '"', '''');
SELECT pg_temp.ty(16, '"char"', '\377', '\200');
SELECT pg_temp.ty(10, 'name', 'a_name', '', repeat('x', 63));
SELECT pg_temp.ty(10, 'bytea', '\x', '\x00ff7f80', '\xdeadbeef5c5c27220a', '\x' || repeat('00', 100000));
SELECT pg_temp.ty(10, 'date', '2024-02-29', 'infinity', '-infinity', '0044-03-15 BC', '4713-01-01 BC', '5874897-12-31', '0001-01-01', '1582-10-10');
SELECT pg_temp.ty(10, 'timestamp', '2024-02-29 12:34:56.123456', 'infinity', '-infinity', '0044-03-15 01:02:03.000001 BC',
  '4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999999', '0001-01-01 00:00:00', '9999-12-31 23:59:59.999999', '1969-12-31 23:59:59.999999');
SELECT pg_temp.ty(10, 'timestamp(3)', '2024-02-29 12:34:56.123', '294276-12-31 23:59:59.999');
SELECT pg_temp.ty(10, 'timestamp(0)', '2024-02-29 12:34:56', 'infinity');
SELECT pg_temp.ty(10, 'timestamptz', '2024-02-29 12:34:56.123456+05:30', 'infinity', '-infinity', '0044-03-15 01:02:03.000001+00 BC',
  '4713-01-01 00:00:00+00 BC', '294276-12-31 23:59:59.999999+00', '1500-02-28 00:00:00+00', '2024-01-01 00:00:00+15:59:59');
SELECT pg_temp.ty(10, 'time', '00:00:00', '24:00:00', '23:59:59.999999', '12:00:00.1');
SELECT pg_temp.ty(10, 'time(3)', '12:00:00.123', '24:00:00');
SELECT pg_temp.ty(10, 'timetz', '12:34:56.123456+05:30', '24:00:00-15:59', '00:00:00+15:59:59', '23:59:59.999999-08', '12:00:00+00:00:01');
SELECT pg_temp.ty(10, 'interval', '1 mon', '1 year -2 mons +3 days -04:05:06.789012', '-178000000 years', '178000000 years', '00:00:00.000001',
  '-00:00:00.000001', '25:00:00', '1 mon 30 days 24:00:00', '0', '-1 mon +1 day');
SELECT pg_temp.ty(15, 'interval', '2562047788:00:54.775807', '-2562047788:00:54.775807');
SELECT pg_temp.ty(17, 'interval', 'infinity', '-infinity');
SELECT pg_temp.ty(10, 'interval day to second', '3 days 04:05:06.789');
SELECT pg_temp.ty(10, 'interval year to month', '-3 years -2 mons');
SELECT pg_temp.ty(10, 'uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
SELECT pg_temp.ty(10, 'inet', '192.168.0.1', '192.168.0.1/24', '2001:db8::1/64', '::ffff:1.2.3.4');
SELECT pg_temp.ty(10, 'cidr', '192.168.0.0/24', '2001:db8::/32', '0.0.0.0/0');
SELECT pg_temp.ty(10, 'macaddr', '08:00:2b:01:02:03');
SELECT pg_temp.ty(10, 'macaddr8', '08:00:2b:01:02:03:04:05');
SELECT pg_temp.ty(10, 'bit(1)', '1', '0');
SELECT pg_temp.ty(10, 'bit(70)', repeat('1', 70), repeat('0', 69) || '1');
SELECT pg_temp.ty(10, 'varbit', '', '1', '0', '0001', '000000000', '101');
SELECT pg_temp.ty(10, 'varbit(33)', '0001', '101', '');
SELECT pg_temp.ty(10, 'json', '{"a":1, "a":2,  "n": 1e400, "u":"\u0041 ☃", "z":"\u0000"}', '1234567890.12345678901234567890', 'null', '""', E' [\n\t1 ]\n');
SELECT pg_temp.ty(10, 'jsonb', '{"b":1,"a":[1.10,12345678901234567890123456789.000001], "u":"☃"}', 'null', '1.0', '""', '{}');
SELECT pg_temp.ty(10, 'xml', '<a x="1">t&amp;</a>', '<?xml version="1.0"?><b/>', 'text only', '', '<?xml version="1.0" standalone="yes"?><a/>');
SELECT pg_temp.ty(10, 'point', '(1.5,-2.25)', '(NaN,Infinity)', '(0.1,1e-300)', '(-0,0)');
SELECT pg_temp.ty(10, 'line', '{1,2,3}', '{0.1,-1,0}');
SELECT pg_temp.ty(10, 'lseg', '[(0.1,0),(1,1)]');
SELECT pg_temp.ty(10, 'box', '(1,1),(0,0)', '(0.3,0.30000000000000004),(0.1,0)');
SELECT pg_temp.ty(10, 'path', '((0,0),(1,1),(2,0))', '[(0,0),(1,1)]');
SELECT pg_temp.ty(10, 'polygon', '((0,0),(1,1),(2,0.1))');
SELECT pg_temp.ty(10, 'circle', '<(0.1,0),2.5>', '<(0,0),Infinity>');
SELECT pg_temp.ty(10, 'int4range', '[1,10)', 'empty', '(,5)', '[5,)', '(,)');
SELECT pg_temp.ty(10, 'int8range', '[1,10)', 'empty');
SELECT pg_temp.ty(10, 'numrange', '[1.10,2.200)', '(,)', 'empty', '[1.1,2.2]');
SELECT pg_temp.ty(10, 'tsrange', '["2024-01-01 00:00:00","infinity")', '[2024-01-01 00:00:00.000001,)', '["0044-03-15 00:00:00 BC",]');
SELECT pg_temp.ty(10, 'tstzrange', '["2024-01-01 00:00:00+00","2024-06-01 00:00:00+00")', '(-infinity,infinity)');
SELECT pg_temp.ty(10, 'daterange', '[2024-01-01,2024-02-01)', '[-infinity,infinity]', 'empty');
SELECT pg_temp.ty(10, 'textrange', '["a ""b"", c",)', '["",z]', 'empty');
SELECT pg_temp.ty(10, 'floatrange', '[-0,0.1]', '(-infinity,NaN)');
SELECT pg_temp.ty(14, 'int4multirange', '{}', '{[1,3),[5,9)}');
SELECT pg_temp.ty(14, 'nummultirange', '{[1.10,2.2)}');
SELECT pg_temp.ty(14, 'tstzmultirange', '{["2024-01-01 00:00:00+00","2024-06-01 00:00:00+00")}');
SELECT pg_temp.ty(14, 'datemultirange', '{[2024-01-01,2024-02-01),[2024-03-01,)}');
SELECT pg_temp.ty(14, 'textmultirange', '{["a, b",c]}');
SELECT pg_temp.ty(10, 'tsvector', $q$'a':1A 'fat':2B,4C 'it''s':3$q$, '');
SELECT pg_temp.ty(10, 'tsquery', $q$'fat' & ( 'rat' | !'cat':AB ) <-> 'x':*$q$, '');
SELECT pg_temp.ty(10, 'oid', '0', '4294967295');
SELECT pg_temp.ty(10, 'pg_lsn', '16/B374D848', 'FFFFFFFF/FFFFFFFF', '0/0');
SELECT pg_temp.ty(13, 'xid8', '18446744073709551615', '0');
SELECT pg_temp.ty(10, 'xid', '4294967295');
SELECT pg_temp.ty(10, 'cid', '42');
SELECT pg_temp.ty(10, 'tid', '(4294967295,65535)');
SELECT pg_temp.ty(10, 'regclass', 'pg_class', 'referred', '99999999', '-');
SELECT pg_temp.ty(10, 'regtype', 'integer', 'mood', '"My Schema"."My.Enum"', 'timestamp with time zone');
SELECT pg_temp.ty(10, 'regproc', 'now', 'referred');
SELECT pg_temp.ty(10, 'regprocedure', 'referred(integer)', 'sum(integer)');
SELECT pg_temp.ty(10, 'regoper', '||/');
SELECT pg_temp.ty(10, 'regoperator', '+(integer,integer)');
SELECT pg_temp.ty(10, 'regrole', 'wherry');
SELECT pg_temp.ty(10, 'regnamespace', '"My Schema"', 'public');
SELECT pg_temp.ty(10, 'regconfig', 'english');
SELECT pg_temp.ty(10, 'regdictionary', 'simple');
SELECT pg_temp.ty(13, 'regcollation', '"C"');
SELECT pg_temp.ty(13, 'pg_snapshot', '10:20:10,14,15');
SELECT pg_temp.ty(10, 'txid_snapshot', '10:20:10,14,15');
SELECT pg_temp.ty(12, 'jsonpath', '$."a"[*]?(@ > 1)', 'strict $.b');
SELECT pg_temp.ty(10, 'int2vector', '1 2 3', '');
SELECT pg_temp.ty(10, 'oidvector', '1 2 3', '');
SELECT pg_temp.ty(10, 'aclitem', 'wherry=r/wherry');
SELECT pg_temp.ty(10, 'refcursor', 'cur');
SELECT pg_temp.ty(10, 'mood', 'sad', 'its ok', 'with,comma', 'é', '"quoted"', '');
SELECT pg_temp.ty(10, '"My Schema"."My.Enum"', 'A b');
SELECT pg_temp.ty(10, 'empty_mood', NULL);
SELECT pg_temp.ty(10, 'dom_int', '42');
SELECT pg_temp.ty(10, 'dom_dom', '7');
SELECT pg_temp.ty(10, 'dom_text', 'x', '');
SELECT pg_temp.ty(10, 'dom_num', '1.500', 'NaN');
SELECT pg_temp.ty(10, 'dom_char', 'a', '');
SELECT pg_temp.ty(10, 'dom_bytea', '\x00ff');
SELECT pg_temp.ty(10, 'dom_arr', '{1,2,NULL}', '[3:4]={1,2}', '{{1,2},{3,4}}');
SELECT pg_temp.ty(10, 'dom_enum', 'sad', 'with,comma');
SELECT pg_temp.ty(11, 'dom_comp', '(1,"a b","{1,2}")', '(,,)');
SELECT pg_temp.ty(10, 'dom_range', '[1,3)', 'empty');
SELECT pg_temp.ty(10, 'dom_json', '{"a":1,  "a":2}');
SELECT pg_temp.ty(10, 'comp', '(1,"a b","{1,2}")', '(,,)', '(5,"quote "" comma, (paren) \\",)', '(,"",{})', '(2,NULL,"[0:1]={1,NULL}")');
SELECT pg_temp.ty(10, '"My Schema"."Comp of comps"', ROW(ROW(1, 'a "b"', '{1}'), ARRAY[ROW(2, 'c,d', NULL), ROW(NULL, '', '{}')]::comp[], 'with,comma'::mood, 1.100)::text, '(,,,)');
SELECT pg_temp.ty(10, 'hstore', 'a=>1, "b c"=>NULL, "q\"uote"=>"v,=>"', '', 'NULL=>"NULL"');
SELECT pg_temp.ty(10, 'citext', 'MiXeD', '', 'mixed');
SELECT pg_temp.ty(10, 'ltree', 'Top.Science.Astro', '');
SELECT pg_temp.ty(10, 'lquery', '*.A|B*');
SELECT pg_temp.ty(10, 'ltxtquery', 'A & !B*');
SELECT pg_temp.ty(10, 'cube', '(1,2),(3,4)', '(0.1)', '()');
SELECT pg_temp.ty(10, 'earth', '(6378168,0,0)');
SELECT pg_temp.ty(10, 'seg', '1.5 .. 2.50', '~3.00', '<4 .. 5', '1.0 ..');
SELECT pg_temp.ty(10, 'isbn', '978-0-393-04002-9', '0-393-04002-X');
SELECT pg_temp.ty(10, 'isbn13', '978-0-393-04002-9');
SELECT pg_temp.ty(10, 'issn', '1436-4522');
SELECT pg_temp.ty(10, 'ean13', '0220356483481');
SELECT pg_temp.ty(10, 'upc', '220356483481');
SELECT pg_temp.ty(10, 'query_int', '1&(2|!3)');
SELECT pg_temp.ty(10, 'box[]', '{(1,1),(0,0);(2,2),(1,1)}', '{(1,1),(0,0);NULL}', '{}');

SELECT pg_temp.arrays(10, 'bool', 't', 'f');
SELECT pg_temp.arrays(10, 'int2', '1', '-3');
SELECT pg_temp.arrays(10, 'int4', '1', '-3');
SELECT pg_temp.arrays(10, 'int8', '1', '-9223372036854775808');
SELECT pg_temp.arrays(10, 'numeric', 'NaN', '1.10');
SELECT pg_temp.arrays(10, 'numeric(10,3)', 'NaN', '1.1');
SELECT pg_temp.arrays(10, 'float4', 'NaN', '-0');
SELECT pg_temp.arrays(10, 'float8', 'Infinity', '5e-324');
SELECT pg_temp.arrays(10, 'money', '1234.50', '-2');
SELECT pg_temp.arrays(10, 'char(3)', 'a', '');
SELECT pg_temp.arrays(10, 'varchar(5)', 'a,b', '');
SELECT pg_temp.arrays(10, 'text', 'a"b\{', 'NULL');
SELECT pg_temp.arrays(10, 'name', 'a', 'b');
SELECT pg_temp.arrays(10, '"char"', 'a', '"');
SELECT pg_temp.arrays(10, 'bytea', '\x00ff', '\x');
SELECT pg_temp.arrays(10, 'date', 'infinity', '0044-03-15 BC');
SELECT pg_temp.arrays(10, 'timestamp', '2024-02-29 12:34:56.123456', '0044-03-15 01:02:03 BC');
SELECT pg_temp.arrays(10, 'timestamptz', '294276-12-31 23:59:59.999999+00', '-infinity');
SELECT pg_temp.arrays(10, 'time', '24:00:00', '12:34:56.123456');
SELECT pg_temp.arrays(10, 'timetz', '12:34:56.123456+05:30', '24:00:00-15:59:59');
SELECT pg_temp.arrays(10, 'interval', '1 mon -00:00:00.5', '1 day');
SELECT pg_temp.arrays(10, 'uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12');
SELECT pg_temp.arrays(10, 'inet', '1.2.3.4/24', '::1');
SELECT pg_temp.arrays(10, 'bit(4)', '1010', '0001');
SELECT pg_temp.arrays(10, 'varbit', '', '0001');
SELECT pg_temp.arrays(10, 'json', '{"a": 1,  "a":2}', 'null');
SELECT pg_temp.arrays(10, 'jsonb', '{"a": 1.10}', 'null');
SELECT pg_temp.arrays(10, 'xml', '<a/>', '<b>x, y</b>');
SELECT pg_temp.arrays(10, 'point', '(1,NaN)', '(3,4)');
SELECT pg_temp.arrays(10, 'polygon', '((0,0),(1,1))', '((0,0),(2,2))');
SELECT pg_temp.arrays(10, 'numrange', '[1.10,2)', 'empty');
SELECT pg_temp.arrays(10, 'tstzrange', '["2024-01-01 00:00:00+00",)', 'empty');
SELECT pg_temp.arrays(14, 'int4multirange', '{[1,3)}', '{}');
SELECT pg_temp.arrays(10, 'tsvector', '''a'':1', '');
SELECT pg_temp.arrays(10, 'oid', '1', '4294967295');
SELECT pg_temp.arrays(10, 'regclass', 'referred', 'pg_class');
SELECT pg_temp.arrays(10, 'pg_lsn', '0/1', '0/2');
SELECT pg_temp.arrays(13, 'xid8', '1', '2');
SELECT pg_temp.arrays(10, 'mood', 'with,comma', '"quoted"');
SELECT pg_temp.arrays(11, 'dom_int', '1', '2');
SELECT pg_temp.arrays(11, 'dom_enum', 'sad', 'with,comma');
SELECT pg_temp.arrays(10, 'comp', '(1,a,)', '(2,"x ""y""","{1}")');
SELECT pg_temp.ty(10, 'measured', '(0.1,"{1.17549435e-38,NULL}","(1,a,)","[0.1,0.3)")', '(,,,)', '(-0,{},"(,,)",empty)');
SELECT pg_temp.arrays(10, 'measured', '(0.30000000000000004,{0.1},,"(,0.1]")', '(,,,)');
SELECT pg_temp.arrays(10, '"My Schema"."Comp of comps"', '(,,,)', '("(1,""a,b"",{})",,sad,1.5)');
SELECT pg_temp.arrays(10, 'hstore', 'a=>1', '"b"=>NULL');
SELECT pg_temp.arrays(10, 'citext', 'Aa', 'NULL');
SELECT pg_temp.arrays(10, 'ltree', 'A.B', 'C');
SELECT pg_temp.arrays(10, 'cube', '(1,2),(3,4)', '(0.1)');
SELECT pg_temp.arrays(10, 'isbn', '978-0-393-04002-9', '0-393-04002-X');
SELECT pg_temp.arrays(10, 'numeric(20,5)', '12345.67890', '-0.00001');
SELECT pg_temp.arrays(10, 'bpchar', 'a  ', '');
SELECT pg_temp.arrays(10, 'timestamp(3)', '2024-02-29 12:34:56.123', 'infinity');
SELECT pg_temp.arrays(10, 'time(3)', '24:00:00', '12:34:56.123');
SELECT pg_temp.arrays(10, 'timetz(2)', '12:34:56.12+05:30', '00:00:00+15:59:59');
SELECT pg_temp.arrays(10, 'interval day to second', '3 days 04:05:06.789', '-1 days');
SELECT pg_temp.arrays(10, 'cidr', '192.168.0.0/24', '::/0');
SELECT pg_temp.arrays(10, 'macaddr', '08:00:2b:01:02:03', '00:00:00:00:00:00');
SELECT pg_temp.arrays(10, 'macaddr8', '08:00:2b:01:02:03:04:05', '00:00:00:00:00:00:00:00');
SELECT pg_temp.arrays(10, 'varbit(9)', '', '101010101');
SELECT pg_temp.arrays(10, 'line', '{1,2,3}', '{0.1,-1,0}');
SELECT pg_temp.arrays(10, 'lseg', '[(0.1,0),(1,1)]', '[(-0,0),(1,1)]');
SELECT pg_temp.arrays(10, 'path', '((0,0),(1,1))', '[(0.1,0),(1,1)]');
SELECT pg_temp.arrays(10, 'circle', '<(0.1,0),2.5>', '<(0,0),Infinity>');
SELECT pg_temp.arrays(10, 'int4range', '[1,10)', 'empty');
SELECT pg_temp.arrays(10, 'int8range', '(,)', '[,5)');
SELECT pg_temp.arrays(10, 'tsrange', '["2024-01-01 00:00:00",infinity)', 'empty');
SELECT pg_temp.arrays(10, 'daterange', '[2024-01-01,2024-02-01)', '(,)');
SELECT pg_temp.arrays(10, 'textrange', '["a ""b"", c",)', '["",z]');
SELECT pg_temp.arrays(10, 'floatrange', '[-0,0.1]', 'empty');
SELECT pg_temp.arrays(14, 'int8multirange', '{[1,3),[5,)}', '{}');
SELECT pg_temp.arrays(14, 'nummultirange', '{[1.10,2.2)}', '{(,)}');
SELECT pg_temp.arrays(14, 'tsmultirange', '{["2024-01-01 00:00:00",infinity)}', '{}');
SELECT pg_temp.arrays(14, 'textmultirange', '{["a, b",c]}', '{}');
SELECT pg_temp.arrays(10, 'tsquery', '''fat'' & ''rat''', '!''x''');
SELECT pg_temp.arrays(10, 'xid', '1', '4294967295');
SELECT pg_temp.arrays(10, 'tid', '(0,1)', '(4294967295,65535)');
SELECT pg_temp.arrays(10, 'regtype', 'mood', '"My Schema"."My.Enum"');
SELECT pg_temp.arrays(10, 'regrole', 'wherry', 'app');
SELECT pg_temp.arrays(13, 'pg_snapshot', '10:20:10,14,15', '1:1:');
SELECT pg_temp.arrays(10, 'txid_snapshot', '10:20:10,14,15', '1:1:');
SELECT pg_temp.arrays(12, 'jsonpath', '$."a"[*]?(@ > 1)', 'strict $.b');
SELECT pg_temp.arrays(10, 'aclitem', 'wherry=r/wherry', '=r/wherry');
SELECT pg_temp.arrays(10, 'refcursor', 'cur', '');
SELECT pg_temp.arrays(10, '"My Schema"."My.Enum"', 'A b', 'A b');
SELECT pg_temp.arrays(11, 'dom_text', 'a,b', '');
SELECT pg_temp.arrays(11, 'dom_num', '1.500', 'NaN');
SELECT pg_temp.ty(11, 'dom_arr[]', '{}', '{"{1,2,NULL}",NULL,"[3:4]={1,2}"}', '[0:0]={"{{1,2},{3,4}}"}');
SELECT pg_temp.arrays(11, 'dom_comp', '(1,"a b","{1,2}")', '(,,)');
SELECT pg_temp.arrays(11, 'dom_range', '[1,3)', 'empty');
SELECT pg_temp.arrays(10, 'ltxtquery', 'A & !B*', 'C');
SELECT pg_temp.arrays(10, 'lquery', '*.A|B*', 'C');
SELECT pg_temp.arrays(10, 'seg', '1.5 .. 2.50', '~3.00');
SELECT pg_temp.arrays(10, 'ean13', '0220356483481', '9780393040029');

-- Values that the extensions' functions make, each row another.
DO $$
BEGIN
  IF (SELECT count(*) FROM pg_available_extensions WHERE name IN ('pgcrypto', 'uuid-ossp')) = 2 THEN
    CREATE EXTENSION pgcrypto;
    CREATE EXTENSION "uuid-ossp";
    CREATE TABLE made (id uuid PRIMARY KEY DEFAULT public.uuid_generate_v4(), secret bytea DEFAULT public.gen_random_bytes(20),
      hashed text DEFAULT public.crypt('x', public.gen_salt('md5')));
    INSERT INTO made SELECT FROM generate_series(1, 20);
  END IF;
END $$;

DO $$
DECLARE
  names text[] := ARRAY(SELECT relname FROM pg_class WHERE relname ~ '^ty_\d+$' ORDER BY length(relname), relname);
BEGIN
  EXECUTE 'CREATE TABLE keyless (n int' || (SELECT string_agg(format(', %I %s', name,
      (SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = name::regclass AND attname = 'v')), '')
    FROM unnest(names) AS name) || ')';
  FOR row IN 1..9 LOOP
    EXECUTE format('INSERT INTO keyless SELECT %s', row) || (SELECT string_agg(format(
        ', (SELECT v FROM %I WHERE id IN (%s, 99) ORDER BY id LIMIT 1)', name, row), '') FROM unnest(names) AS name);
  END LOOP;
END $$;
