package io.wherry.rehearsal;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleName;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.name;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTag;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import io.wherry.contract.config.Migration;

/** The rules for modules and layers, each with its reason. */
@ArchTag("no-servers")
@AnalyzeClasses(packages = "io.wherry", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule MODULES = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("contract")
            .definedBy("io.wherry.contract..")
            .layer("embedded")
            .definedBy("io.wherry.embedded..")
            .layer("source")
            .definedBy("io.wherry.source..")
            .layer("sink")
            .definedBy("io.wherry.sink..")
            .layer("coordinator")
            .definedBy("io.wherry.coordinator..")
            .layer("cli")
            .definedBy("io.wherry.cli..")
            .layer("rehearsal")
            .definedBy("io.wherry.rehearsal..", "io.wherry.bench..", "io.wherry.soak..", "io.wherry.random..")
            .whereLayer("source")
            .mayOnlyBeAccessedByLayers("cli", "rehearsal")
            .whereLayer("sink")
            .mayOnlyBeAccessedByLayers("cli", "rehearsal")
            .whereLayer("coordinator")
            .mayOnlyBeAccessedByLayers("cli", "rehearsal")
            .whereLayer("embedded")
            .mayOnlyBeAccessedByLayers("cli", "rehearsal")
            .whereLayer("cli")
            .mayOnlyBeAccessedByLayers("rehearsal")
            .whereLayer("rehearsal")
            .mayNotBeAccessedByAnyLayer()
            .because("services run on different machines and versions: what they share is the contract, never each"
                    + " other's code; and a process that migrates carries no rehearsal, soak or random histories");

    @ArchTest
    static final ArchRule CONTRACT_ROOMS = Rooms.CONTRACT
            .arrows()
            .because("a name or an error means the same in every service, so neither knows its callers; the records in"
                    + " topics do not depend on how topics are read");

    @ArchTest
    static final ArchRule SOURCE_ROOMS = Rooms.SOURCE
            .arrows()
            .because(
                    "a row goes from the server's bytes through the decoder to the publisher; no class on that way knows"
                            + " its caller, and what is remembered in Kafka knows no other room");

    @ArchTest
    static final ArchRule SINK_ROOMS = Rooms.SINK
            .arrows()
            .because("records and the catalog alone decide what a batch does to the target, so that the decision can be"
                    + " tested without servers");

    @ArchTest
    static final ArchRule COORDINATOR_ROOMS = Rooms.COORDINATOR
            .arrows()
            .because(
                    "the machine decides and the other rooms act or watch; a room that acts must not know its caller, or a"
                            + " step could be reached without the journal");

    @ArchTest
    static final ArchRule CLI_ROOMS = Rooms.CLI
            .arrows()
            .because("what a command does must be usable without the command line, as its tests use it");

    @ArchTest
    static final ArchRule REHEARSAL_ROOMS =
            Rooms.REHEARSAL.arrows().because("histories are generated without knowing what runs them");

    @ArchTest
    static final ArchRule A_DIRECTION_IS_A_VALUE = noClasses()
            .that()
            .resideInAnyPackage("io.wherry.source..", "io.wherry.sink..", "io.wherry.coordinator..")
            .should()
            .callMethod(Migration.class, "source")
            .orShould()
            .callMethod(Migration.class, "target")
            .because("a service gets a flow: which side is captured and which side follows changes with each switch");

    @ArchTest
    static final ArchRule ONE_ROOM_KNOWS_DEBEZIUM = noClasses()
            .that()
            .resideOutsideOfPackage("io.wherry.source.debezium")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.debezium..", "org.apache.kafka.connect..")
            .because("the engine's internals are pinned, and tested, in one place: a new version is checked there");

    @ArchTest
    static final ArchRule ONE_CLASS_KNOWS_THE_REGISTRY_CLIENT = noClasses()
            .that()
            .doNotHaveFullyQualifiedName("io.wherry.contract.kafka.ConfluentRegistry")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.apache.flink..")
            .because("the republished client must be replaceable by upstream's in one place");

    @ArchTest
    static final ArchRule CONTRACT_HAS_NO_THREADS = noClasses()
            .that()
            .resideInAPackage("io.wherry.contract..")
            .and()
            .resideOutsideOfPackage("io.wherry.contract.service")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.Thread")
            .because("the contract holds facts and codecs; one room decides how a service's threads pause and end");

    @ArchTest
    static final ArchRule ONLY_THE_COMMAND_LINE_EXITS = noClasses()
            .that()
            .resideOutsideOfPackage("io.wherry.cli..")
            .should()
            .callMethod(System.class, "exit", int.class)
            .because("a service ends by its done() stage, so that its caller decides");

    @ArchTest
    static final ArchRule DURATIONS_ARE_MONOTONIC = noClasses()
            .that()
            .resideInAnyPackage("io.wherry.sink..", "io.wherry.coordinator..")
            .and()
            .doNotHaveFullyQualifiedName("io.wherry.coordinator.machine.Orders")
            .should()
            .callMethod(System.class, "currentTimeMillis")
            .because(
                    "the wall clock jumps: lag that is not known any more would count as known; an order says when it was"
                            + " given, for people");

    @ArchTest
    static final ArchRule ONLY_A_TERM_OPENS_SESSIONS_THAT_CHANGE_THE_TARGET = noClasses()
            .that()
            .doNotHaveSimpleName("Term")
            .should()
            .callMethodWhere(target(name("openForScripts")).and(target(owner(simpleName("Databases")))))
            .because("a coordinator that another one has replaced must change nothing: Term.open checks that, and a"
                    + " successor ends what it opened");
}
