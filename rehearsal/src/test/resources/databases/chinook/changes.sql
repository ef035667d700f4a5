-- A new album, and invoices of its tracks.
INSERT INTO artist (name) VALUES ('Ünïcode & Söhne'), (NULL);
INSERT INTO album (title, artist_id) SELECT 'Live', max(artist_id) FROM artist;
INSERT INTO track (name, album_id, media_type_id, genre_id, milliseconds, bytes, unit_price)
SELECT 'Part ' || i, (SELECT max(album_id) FROM album), 1, 1, i * 1000, NULL, 0.90 FROM generate_series(1, 20) AS i;

BEGIN;
INSERT INTO playlist (name) VALUES ('All of it');
INSERT INTO playlist_track SELECT (SELECT max(playlist_id) FROM playlist), track_id FROM track;
INSERT INTO invoice (customer_id, invoice_date, total) SELECT customer_id, timestamp '2026-02-28 23:59:59.999999', 0 FROM customer;
INSERT INTO invoice_line (invoice_id, track_id, unit_price, quantity)
SELECT invoice_id, track_id, unit_price, 2 FROM invoice, track WHERE invoice.total = 0 AND track.unit_price = 0.90;
UPDATE invoice SET total = (SELECT sum(unit_price * quantity) FROM invoice_line WHERE invoice_line.invoice_id = invoice.invoice_id)
 WHERE total = 0;
COMMIT;

-- Keys change: one playlist takes another's place.
UPDATE playlist_track SET playlist_id = 2 WHERE playlist_id = 3;
DELETE FROM playlist_track WHERE playlist_id = 5 AND track_id % 2 = 0;
UPDATE customer SET company = '', state = NULL WHERE customer_id % 3 = 0;
DELETE FROM playlist WHERE playlist_id = 3;
