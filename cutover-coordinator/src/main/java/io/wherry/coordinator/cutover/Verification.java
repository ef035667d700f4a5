package io.wherry.coordinator.cutover;

import io.wherry.contract.config.Flow;
import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.Lsn;
import io.wherry.coordinator.carry.ExtensionRows;
import io.wherry.coordinator.carry.ExtensionTables;
import io.wherry.coordinator.carry.LargeObjects;
import io.wherry.coordinator.proof.Prover;
import io.wherry.coordinator.row.DataComparison;
import io.wherry.coordinator.row.DataComparison.TableResult;
import io.wherry.coordinator.sql.Databases;
import io.wherry.coordinator.sql.Opening;
import io.wherry.coordinator.sql.Window;
import io.wherry.coordinator.verify.DataCompare;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** The comparison within the window. */
record Verification(Flow flow, Opening sessions, Prover prover) {
    /** @param proven tables that were not compared whole, because they were proven before */
    record Verified(DataComparison comparison, int proven) {}

    /**
     * Brings the last large objects to the target and compares all of them, then compares what the proof has left, and every row of
     * the tables that are not proven.
     */
    Verified run(Lsn fence, Window window) throws SQLException, InterruptedException {
        long began = System.nanoTime();
        window.begins("large objects");
        Optional<TableResult> largeObjects = new LargeObjects(flow, sessions).settle();
        window.begins("rows of extensions");
        try (Connection source = sessions.open(flow.from(), "extensions");
                Connection target = sessions.open(flow.to(), Databases.CHANGES + "extensions")) {
            target.setAutoCommit(false);
            new ExtensionRows(flow).bring(source, target, ExtensionTables.When.EARLY);
            target.commit();
        }
        Prover.Settled settled = prover.settle(fence, window);
        List<TableResult> results = new ArrayList<>(settled.tables());
        largeObjects.ifPresent(results::add);
        Set<TableId> known = results.stream().map(TableResult::table).collect(Collectors.toSet());
        known.add(LargeObjects.TABLE);
        window.begins("the comparison of all rows of other tables");
        results.addAll(new DataCompare(flow).run(sessions, known).tables());
        window.begins("");
        return new Verified(new DataComparison(results, (System.nanoTime() - began) / 1e9), settled.proven());
    }
}
