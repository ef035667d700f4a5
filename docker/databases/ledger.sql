-- Where `wherry traffic` notes its transactions. Run this file once on the source, before the migration, as a superuser.
CREATE SCHEMA rehearsal;
CREATE TABLE rehearsal.ledger (id bigint PRIMARY KEY, writer int NOT NULL);
GRANT USAGE ON SCHEMA rehearsal TO app;
GRANT SELECT, INSERT ON rehearsal.ledger TO app;
