package io.wherry.rehearsal;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.importer.ImportOption.DoNotIncludeTests;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTag;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The modules' and layers' rules, each with the reason. */
@ArchTag("no-servers")
@AnalyzeClasses(packages = "io.wherry", importOptions = DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule SERVICES_KNOW_THE_CONTRACT_ONLY = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .layer("contract")
            .definedBy("io.wherry.contract..")
            .layer("source")
            .definedBy("io.wherry.source..")
            .layer("sink")
            .definedBy("io.wherry.sink..")
            .layer("coordinator")
            .definedBy("io.wherry.coordinator..")
            .layer("rehearsal")
            .definedBy("io.wherry.rehearsal..")
            .layer("soak")
            .definedBy("io.wherry.soak..")
            .layer("cli")
            .definedBy("io.wherry.cli..")
            .whereLayer("source")
            .mayOnlyBeAccessedByLayers("rehearsal", "cli")
            .whereLayer("sink")
            .mayOnlyBeAccessedByLayers("rehearsal", "cli")
            .whereLayer("coordinator")
            .mayOnlyBeAccessedByLayers("rehearsal", "cli")
            .whereLayer("rehearsal")
            .mayOnlyBeAccessedByLayers("soak", "cli")
            .whereLayer("soak")
            .mayOnlyBeAccessedByLayers("cli")
            .whereLayer("cli")
            .mayNotBeAccessedByAnyLayer()
            .because("services run on different machines and versions: what they share is the contract, never each"
                    + " other's code; move what both need to contract");

    @ArchTest
    static final ArchRule ONLY_THE_SOURCE_KNOWS_DEBEZIUM = noClasses()
            .that()
            .resideOutsideOfPackage("io.wherry.source..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("io.debezium..", "org.apache.kafka.connect..")
            .because("the engine's internals are pinned and tested in one module");

    @ArchTest
    static final ArchRule ONE_CLASS_KNOWS_THE_REGISTRY_CLIENT = noClasses()
            .that()
            .doNotHaveFullyQualifiedName("io.wherry.contract.ConfluentRegistry")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("org.apache.flink..")
            .because("the republished client must be replaceable by upstream's in one place");

    @ArchTest
    static final ArchRule CONTRACT_HAS_NO_THREADS = noClasses()
            .that()
            .resideInAPackage("io.wherry.contract..")
            .and()
            .doNotHaveSimpleName("Ends")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.Thread")
            .because(
                    "the contract holds facts and codecs; loops and threads belong to the services, whose end Ends awaits");

    @ArchTest
    static final ArchRule ONLY_THE_COMMAND_LINE_EXITS = noClasses()
            .that()
            .resideOutsideOfPackage("io.wherry.cli..")
            .should()
            .callMethod(System.class, "exit", int.class)
            .because("a service ends by its done() stage, so that whoever started it decides");

    @ArchTest
    static final ArchRule DURATIONS_ARE_MONOTONIC = noClasses()
            .that()
            .resideInAnyPackage("io.wherry.sink..", "io.wherry.coordinator..")
            .and()
            .doNotHaveFullyQualifiedName("io.wherry.coordinator.Orders")
            .should()
            .callMethod(System.class, "currentTimeMillis")
            .because(
                    "the wall clock jumps: lag that is not known any more would count as known; an order says when it was"
                            + " given, for people");

    @ArchTest
    static final ArchRule PACKAGES_ARE_FLAT = classes()
            .should()
            .resideInAnyPackage(
                    "io.wherry.contract",
                    "io.wherry.source",
                    "io.wherry.sink",
                    "io.wherry.coordinator",
                    "io.wherry.rehearsal",
                    "io.wherry.soak",
                    "io.wherry.random",
                    "io.wherry.cli")
            .because(
                    "one flat package a module (and one each for the soak and the command line) keeps every concern in sight");
}
