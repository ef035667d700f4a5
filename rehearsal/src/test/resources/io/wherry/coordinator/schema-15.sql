-- What came between PostgreSQL 12 and 15.
CREATE TABLE public.modern (
    id integer PRIMARY KEY,
    twice integer GENERATED ALWAYS AS (id * 2) STORED,
    spans int4multirange,
    squeezed text COMPRESSION pglz,
    CONSTRAINT one_null UNIQUE NULLS NOT DISTINCT (spans)
);
INSERT INTO public.modern (id, spans) VALUES (1, '{[1,3),[5,7)}'), (2, NULL);
CREATE STATISTICS public.expression ON (id + 1), twice FROM public.modern;
CREATE FUNCTION public.sql_body(x integer) RETURNS integer LANGUAGE sql
    BEGIN ATOMIC SELECT CASE WHEN x > 1 THEN 1 ELSE 2 END; SELECT 2; END;
CREATE PUBLICATION some_rows FOR TABLE public.modern WHERE (id > 1), TABLES IN SCHEMA "Sales Dept";
