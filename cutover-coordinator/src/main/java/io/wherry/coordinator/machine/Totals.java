package io.wherry.coordinator.machine;

/**
 * Sums over the load.
 *
 * @param loadSeconds from the first row of the journal until all rows were on the target; while loading: so far
 * @param indexSeconds spent on building keys and indexes, summed over tables that are built in parallel
 * @param bytesLoaded bytes of COPY data
 */
public record Totals(double loadSeconds, double indexSeconds, long rowsLoaded, long bytesLoaded) {
    public static final Totals NONE = new Totals(0, 0, 0, 0);
}
