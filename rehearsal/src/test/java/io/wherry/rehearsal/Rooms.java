package io.wherry.rehearsal;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import java.util.Arrays;
import java.util.List;

/** Packages in the order of their arrows: each may use those after it, and none before. */
final class Rooms {
    private Rooms() {}

    /**
     * Every class of the module stands in one of the rooms and uses no room before its own, so there is no cycle either.
     *
     * @param rooms below the module's package; empty = that package itself
     */
    static ArchRule of(String module, String... rooms) {
        List<String> packages = Arrays.stream(rooms)
                .map(room -> room.isEmpty() ? module : module + "." + room)
                .toList();
        boolean whole = packages.contains(module) || module.startsWith("io.wherry.contract");
        return classes()
                .that()
                .resideInAnyPackage(whole ? new String[] {module + ".."} : packages.toArray(String[]::new))
                .should(
                        new ArchCondition<>(
                                "stand in a room, and use only rooms after it, of " + Arrays.toString(rooms)) {
                            @Override
                            public void check(JavaClass one, ConditionEvents events) {
                                int own = packages.indexOf(one.getPackageName());
                                if (own < 0) {
                                    events.add(
                                            SimpleConditionEvent.violated(one, one.getName() + " stands in no room"));
                                }
                                for (Dependency dependency : one.getDirectDependenciesFromSelf()) {
                                    int other = packages.indexOf(
                                            dependency.getTargetClass().getPackageName());
                                    if (other >= 0 && other < own) {
                                        events.add(SimpleConditionEvent.violated(one, dependency.getDescription()));
                                    }
                                }
                            }
                        });
    }
}
