package io.wherry.rehearsal.rebuild;

import io.wherry.contract.postgres.Sessions;
import io.wherry.rehearsal.fixture.MigrationFixture;
import java.sql.Connection;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.random.RandomGenerator;

/** Transactions of one to four statements on the tables of pagila, each statement of up to some hundred rows. One thread writes. */
final class PagilaWrites {
    private final MigrationFixture migration;
    private final RandomGenerator random;
    private volatile int written;

    PagilaWrites(MigrationFixture migration, RandomGenerator random) {
        this.migration = migration;
        this.random = random;
    }

    /** Rows that were changed so far. */
    int written() {
        return written;
    }

    /** Writes until that many rows were changed. */
    void write(int changes) {
        try (Connection source = Sessions.open(
                        migration.migration(), migration.migration().source(), "test");
                Statement statement = source.createStatement()) {
            source.setAutoCommit(false);
            statement.execute("SET search_path = public");
            for (int done = 0; done < changes; written = done) {
                for (int i = random.nextInt(1, 5); i > 0; i--) {
                    done += statement.executeUpdate(next());
                }
                source.commit();
            }
        } catch (SQLException e) {
            throw new IllegalStateException(e);
        }
    }

    private String next() {
        int n = random.nextInt(1_000);
        String late = "timestamptz '2022-06-01 12:00:00+00' + " + random.nextInt(1 << 20) + " * interval '1 s'";
        return switch (random.nextInt(9)) {
            case 0 ->
                "INSERT INTO rental (rental_date, inventory_id, customer_id, staff_id) SELECT " + late
                        + " + i * interval '1 s', 1 + i * 7 % 4000, c.customer_id, 2 FROM generate_series(1, 100) i,"
                        + " LATERAL (SELECT customer_id FROM customer WHERE customer_id > i LIMIT 1) c ON CONFLICT DO NOTHING";
            case 1 ->
                "INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date) SELECT customer_id, staff_id,"
                        + " rental_id, 1.10 + rental_id % 7, " + late + " FROM rental WHERE rental_id % 200 = "
                        + n % 200;
            case 2 -> "UPDATE rental SET return_date = " + late + " WHERE rental_id % 100 = " + n % 100;
            case 3 -> "UPDATE payment SET amount = (amount + 0.01) % 100 WHERE payment_id % 100 = " + n % 100;
            case 4 ->
                "UPDATE payment SET payment_date = payment_date + interval '31 days' WHERE payment_date < '2022-05-31'"
                        + " AND payment_id % 400 = " + n % 400;
            case 5 -> "DELETE FROM payment WHERE payment_id % 300 = " + n % 300;
            case 6 ->
                "UPDATE film SET description = 'now ' || description, title = title || '" + n % 10
                        + "' WHERE length(title) < 200 AND film_id % 10 = " + n % 10;
            case 7 -> "UPDATE customer SET email = 'c" + n + "@' || customer_id WHERE customer_id % 6 = " + n % 6;
            default -> "UPDATE inventory SET store_id = 3 - store_id WHERE inventory_id % 50 = " + n % 50;
        };
    }
}
