-- A day in the shop: rentals and payments, some of another month; returns; new films; a customer leaves.
SET search_path = public;

INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id)
SELECT timestamptz '2022-06-15 12:00:00+00' + i * interval '1 minute', 1 + i % 4000, 1 + i % 590, 1 FROM generate_series(1, 500) AS i;
INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date)
SELECT customer_id, staff_id, rental_id, 1.10 + rental_id % 7, rental_date - (rental_id % 5) * interval '30 days'
  FROM rental WHERE return_date IS NULL AND rental_date BETWEEN '2022-06-15' AND '2022-06-30';
UPDATE rental SET return_date = rental_date + interval '2 days 00:00:00.000001' WHERE rental_id % 3 = 0;

BEGIN;
-- From one partition into another, and back.
UPDATE payment SET payment_date = payment_date + interval '31 days' WHERE payment_id % 20 = 0 AND payment_date < '2022-06-01';
UPDATE payment SET payment_date = payment_date - interval '31 days' WHERE payment_id % 40 = 0 AND payment_date > '2022-03-05';
DELETE FROM payment WHERE payment_id % 50 = 1;
COMMIT;

INSERT INTO film (title, description, release_year, language_id, rating, special_features)
VALUES ('ÉTÉ "1976"', 'A hot summer', 1976, 1, 'NC-17', '{Trailers,NULL,"Deleted Scenes, all"}'), ('EMPTY', '', NULL, 2, NULL, '{}');
UPDATE film SET description = description || ', again', special_features = array_append(special_features, 'Commentaries')
 WHERE film_id % 10 = 0;
UPDATE staff SET picture = decode(repeat('00ff5c27', 50000), 'hex') WHERE staff_id = 1;
UPDATE staff SET email = 'new@example.com' WHERE staff_id = 1;

BEGIN;
DELETE FROM payment WHERE customer_id = 5;
DELETE FROM rental WHERE customer_id = 5;
DELETE FROM customer WHERE customer_id = 5;
SAVEPOINT s;
DELETE FROM film_actor;
ROLLBACK TO s;
UPDATE film_actor SET actor_id = 201 - actor_id WHERE film_id = 1 AND actor_id IN (1, 200);
COMMIT;

INSERT INTO country (country) VALUES ('Türkiye');
UPDATE city SET country_id = currval('country_country_id_seq') WHERE city LIKE 'A%';
SELECT nextval('actor_actor_id_seq');
TRUNCATE payment_p2022_07;
