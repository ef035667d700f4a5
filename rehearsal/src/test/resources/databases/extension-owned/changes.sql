INSERT INTO systems.system VALUES (501, 'while live');
UPDATE systems.tenant SET weight = 0.30000000000000004, system = 501 WHERE name = 'c';
ALTER TABLE systems.tenant DISABLE TRIGGER no_delete;
DELETE FROM systems.tenant WHERE name IS NULL;
ALTER TABLE systems.tenant ENABLE TRIGGER no_delete;
DELETE FROM systems.note WHERE ctid = (SELECT min(ctid) FROM systems.note WHERE body = 'twice');
INSERT INTO systems.note VALUES (3, 'third'), (3, 'third');
SELECT nextval('systems.tenant_id_seq');
INSERT INTO public.measure VALUES (200, 12);
