package io.wherry.source.decode;

import io.wherry.contract.record.Break;
import io.wherry.contract.record.Repair;
import org.apache.kafka.clients.producer.ProducerRecord;

/** What a record is beyond a change of one row. */
public enum RowMark {
    /** Nothing more. */
    NONE,
    /** {@link Break}. */
    BREAK,
    /** {@link Repair}. */
    REPAIR;

    /** Writes the mark's header. */
    public void put(ProducerRecord<byte[], byte[]> record) {
        switch (this) {
            case BREAK -> Break.mark(record);
            case REPAIR -> Repair.mark(record);
            case NONE -> {
                // An ordinary change has no header.
            }
        }
    }
}
