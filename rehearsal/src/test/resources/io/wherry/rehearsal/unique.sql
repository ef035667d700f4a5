-- Tables whose unique and exclusion constraints meet the order in which rows are written. A blank line ends a transaction.
CREATE TABLE plain (id int PRIMARY KEY, email text UNIQUE, code int UNIQUE, note text);
INSERT INTO plain SELECT n, 'e' || n, n, 'note' FROM generate_series(1, 200) n;

CREATE TABLE partial (id int PRIMARY KEY, owner int, current boolean);
CREATE UNIQUE INDEX ON partial (owner) WHERE current;
INSERT INTO partial SELECT n, n / 3, n % 3 = 0 FROM generate_series(0, 59) n;

CREATE TABLE expression (id int PRIMARY KEY, name text);
CREATE UNIQUE INDEX ON expression (pg_catalog.lower(name));
INSERT INTO expression SELECT n, 'Name' || n FROM generate_series(1, 50) n;

CREATE TABLE no_nulls (id int PRIMARY KEY, slot int, UNIQUE NULLS NOT DISTINCT (slot));
INSERT INTO no_nulls SELECT n, nullif(n, 1) FROM generate_series(1, 50) n;

CREATE TABLE excluded (id int PRIMARY KEY, span int4range, EXCLUDE USING gist (span WITH &&));
INSERT INTO excluded SELECT n, int4range(n * 10, n * 10 + 10) FROM generate_series(1, 50) n;

CREATE TABLE immediate (id int PRIMARY KEY, pos int UNIQUE DEFERRABLE INITIALLY IMMEDIATE);
INSERT INTO immediate SELECT n, n FROM generate_series(1, 5000) n;

CREATE TABLE deferred (id int PRIMARY KEY, pos int UNIQUE DEFERRABLE INITIALLY DEFERRED, other int UNIQUE);
INSERT INTO deferred SELECT n, n, n FROM generate_series(1, 5000) n;

CREATE TABLE deferred_exclusion (id int PRIMARY KEY, span int4range, EXCLUDE USING gist (span WITH &&) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO deferred_exclusion SELECT n, int4range(n * 10, n * 10 + 10) FROM generate_series(1, 50) n;

CREATE TABLE deferred_key (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, v text);
INSERT INTO deferred_key SELECT n, 'v' || n FROM generate_series(1, 50) n;

CREATE TABLE keyless (pos int UNIQUE, v text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
INSERT INTO keyless SELECT nullif(n, 7), 'v' || n FROM generate_series(1, 50) n;
