-- Rows of the users' in tables of an extension (TestExtension); the target has a newer version of it.
CREATE SCHEMA systems;
CREATE EXTENSION wherry_systems SCHEMA systems VERSION '1.0';
INSERT INTO systems.system VALUES (12, 'mine, which the newer version has too'), (500, E'five\thundred');
INSERT INTO systems.tenant (system, name, weight) VALUES (500, 'a', 1e-300), (12, 'b', 'NaN'), (1, 'c', 0.1);
INSERT INTO systems.note VALUES (2, 'twice'), (2, 'twice'), (NULL, NULL);
CREATE TABLE public.measure (id int PRIMARY KEY, system int, name text GENERATED ALWAYS AS (systems.name_of(system)) STORED);
INSERT INTO public.measure SELECT g, CASE g % 2 WHEN 0 THEN 500 ELSE 12 END FROM generate_series(1, 100) g;
CREATE INDEX ON public.measure (systems.name_of(system));
