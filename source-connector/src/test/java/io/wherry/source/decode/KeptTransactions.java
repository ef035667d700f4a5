package io.wherry.source.decode;

import io.wherry.source.control.Route;
import java.util.ArrayList;
import java.util.List;

/** Keeps what a decoder sends. */
final class KeptTransactions implements SourceTransactions {
    /** The answer to each BEGIN. */
    Start start = Start.WHOLE;

    final List<String> log = new ArrayList<>();
    final List<Long> orders = new ArrayList<>();
    final List<String> topics = new ArrayList<>();
    final List<Integer> partitions = new ArrayList<>();
    final List<byte[]> keys = new ArrayList<>();
    final List<byte[]> values = new ArrayList<>();
    /** Indexes of the rows that were barriers. */
    final List<Integer> barriers = new ArrayList<>();
    /** Indexes of the rows that were breaks. */
    final List<Integer> breaks = new ArrayList<>();
    /** Indexes of the rows that were repairs. */
    final List<Integer> repairs = new ArrayList<>();

    @Override
    public Start begin(long commitLsn, long commitMillis) {
        log.add("begin " + commitLsn);
        return start;
    }

    @Override
    public void row(RowPlace place, Route route, int partition, byte[] key, byte[] value, RowMark mark) {
        switch (mark) {
            case BREAK -> breaks.add(values.size());
            case REPAIR -> repairs.add(values.size());
            case NONE -> {}
        }
        orders.add(place.order());
        topics.add(route.topic());
        partitions.add(partition);
        keys.add(key);
        values.add(value);
    }

    @Override
    public void barrier(RowPlace place, Route route, byte[] key, byte[] value, RowMark mark) {
        barriers.add(values.size());
        row(place, route, 0, key, value, mark);
    }

    @Override
    public void commit(long commitLsn, long endLsn) {
        log.add("commit " + commitLsn + " " + endLsn);
    }

    @Override
    public void quiet() {
        log.add("quiet");
    }
}
