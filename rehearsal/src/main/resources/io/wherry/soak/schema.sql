CREATE TABLE public.account (id int PRIMARY KEY, code int NOT NULL UNIQUE, balance numeric, note text, changed timestamptz)
CREATE TABLE public."Order Items" ("Order" int, line int, "What?" text, big text, flags int[], PRIMARY KEY ("Order", line))
ALTER TABLE public."Order Items" ALTER big SET STORAGE EXTERNAL
CREATE TABLE public.log (at int, body text)
CREATE TABLE public.scratch (id bigserial PRIMARY KEY, value text)
CREATE TABLE public.seat (id int PRIMARY KEY, place int UNIQUE DEFERRABLE, who text)
CREATE TABLE public.hot (id bigint PRIMARY KEY, n int NOT NULL, big text)
INSERT INTO public.account SELECT i, i, i / 7.0, 'note ' || i, now() FROM generate_series(1, 8000) i
INSERT INTO public."Order Items" SELECT i / 3, i % 3, 'Ünïcode "' || i || '\', CASE WHEN i % 50 = 0 THEN repeat(md5(i::text), 300) END, ARRAY[i, NULL] FROM generate_series(1, 9000) i
INSERT INTO public.log SELECT i % 7, CASE WHEN i % 3 > 0 THEN repeat('same ', 20) END FROM generate_series(1, 9000) i
INSERT INTO public.scratch (value) SELECT i::text FROM generate_series(1, 500) i
INSERT INTO public.seat SELECT i, i, repeat('who ', 50) FROM generate_series(1, 3000) i
INSERT INTO public.hot SELECT i, 0, CASE WHEN i % 100 = 0 THEN repeat(md5(i::text), 200) ELSE repeat('x', 200) END FROM generate_series(1, 10000) i
ANALYZE
