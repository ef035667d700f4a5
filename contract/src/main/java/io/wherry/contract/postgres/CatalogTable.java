package io.wherry.contract.postgres;

import io.wherry.contract.name.TableId;
import io.wherry.contract.postgres.TableShape.Column;
import java.util.List;

/**
 * A table as the catalog has it.
 *
 * @param root the topmost table that this table is a partition of; the table itself when it is not a partition
 * @param partitioned its rows are those of its partitions; its sizes and replica identity are theirs too
 * @param unlogged whether its changes are missing from the write-ahead log
 * @param identity names of the columns that identify a row in the stream: primary key, or the replica identity index;
 *     empty = keyless
 * @param rowsEstimated by the statistics; -1 = never analysed
 * @param bytes heap and TOAST
 * @param heapBytes heap alone
 */
public record CatalogTable(
        long oid,
        TableId id,
        TableId root,
        boolean partitioned,
        ReplicaIdentity replicaIdentity,
        boolean unlogged,
        List<CatalogColumn> columns,
        List<String> primaryKey,
        List<String> identity,
        long rowsEstimated,
        long bytes,
        long heapBytes) {

    /** With the total size of its partitions, and the replica identity that they must have. */
    CatalogTable over(List<CatalogTable> partitions) {
        boolean counted = partitions.stream().allMatch(part -> part.rowsEstimated >= 0);
        return new CatalogTable(
                oid,
                id,
                root,
                partitioned,
                primaryKey.isEmpty() ? ReplicaIdentity.FULL : ReplicaIdentity.DEFAULT,
                partitions.stream().anyMatch(CatalogTable::unlogged),
                columns,
                primaryKey,
                primaryKey,
                counted
                        ? partitions.stream()
                                .mapToLong(CatalogTable::rowsEstimated)
                                .sum()
                        : -1,
                partitions.stream().mapToLong(CatalogTable::bytes).sum(),
                partitions.stream().mapToLong(CatalogTable::heapBytes).sum());
    }

    /** Columns that can be written: all except generated columns, which the server itself writes. */
    public List<CatalogColumn> writable() {
        return columns.stream().filter(c -> !c.generated()).toList();
    }

    /** Its rows, as SQL after FROM. Rows of child tables belong to the children. */
    public String rows() {
        return (partitioned ? "" : "ONLY ") + id.quoted();
    }

    public TableShape shape() {
        return new TableShape(
                id, columns.stream().map(c -> new Column(c.name(), c.type())).toList(), identity);
    }
}
