package io.wherry.random;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.random.RandomGenerator;

/** Names, ordinary and odd. Many of them become the same name under Kafka's rules or in lower case. */
final class RandomNames {
    private static final List<String> WORDS =
            List.of("user", "User", "order", "select", "a", "A", "ünïcødé", "表", "it's", "quo\"te", "back\\slash");
    private static final List<String> JOINTS = List.of("_", "_", ".", " ", "-", "%s", "$1", "\"", "?", "\n", "{}");

    private final RandomGenerator random;
    private final Set<String> taken = new HashSet<>();

    RandomNames(RandomGenerator random) {
        this.random = random;
    }

    /** A new name, not quoted, of at most 63 bytes. */
    String next() {
        while (true) {
            boolean odd = random.nextInt(2) == 0;
            String word = WORDS.get(random.nextInt(odd ? WORDS.size() : 1));
            String joint = JOINTS.get(random.nextInt(odd ? JOINTS.size() : 1));
            String name = word + joint + random.nextInt(100);
            if (taken.add(name)) {
                return name;
            }
        }
    }
}
