package io.wherry.rehearsal.load;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import io.wherry.contract.record.Json;
import io.wherry.rehearsal.fixture.EveryThirdDay;
import io.wherry.rehearsal.fixture.WherryProcess;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Values of 40 and 500 MB pass a heap of 512 MiB that all three services share, and blocks take at most 64 MiB of it. */
@EveryThirdDay(2)
class LargeValuesLoadTest {
    // A value of the change path is held whole. This test is about the load, so the trigger keeps the writers off
    // these rows.
    private static final String DUMP = """
            CREATE TABLE public.big (id int PRIMARY KEY, t text, b bytea, x xml, j jsonb);
            ALTER TABLE public.big ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
            %s
            CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT OR UPDATE OR DELETE ON public.big
                FOR EACH ROW EXECUTE PROCEDURE public.refuse();
            CREATE TABLE public.small (id int PRIMARY KEY, v text);
            INSERT INTO public.small SELECT n, 'v' || n FROM generate_series(1, 1000) n;
            """;

    private static final String FORTY = """
            INSERT INTO public.big (id, t) SELECT n, repeat(md5(n::text), 1250000) FROM generate_series(1, 4) n;
            INSERT INTO public.big (id, b)
                SELECT n, decode(repeat(md5(n::text), 2500000), 'hex') FROM generate_series(5, 8) n;
            """;

    // A jsonb takes at most 256 MB; 500 MB of bytea is about the most that the server can send as a change.
    private static final String FIVE_HUNDRED = """
            INSERT INTO public.big (id, t) VALUES (1, repeat(md5('1'), 15625000));
            INSERT INTO public.big (id, b) VALUES (2, decode(repeat(md5('2'), 31250000), 'hex'));
            INSERT INTO public.big (id, x) VALUES (3, ('<a>' || repeat(md5('3'), 15624999) || '</a>')::xml);
            INSERT INTO public.big (id, j) VALUES (4, jsonb_build_object('a', repeat(md5('4'), 6250000)));
            """;

    @TempDir
    private Path directory;

    @Test
    void loadHoldsFewBlocksWhateverTheSizeOfAValue() throws Exception {
        load(FORTY, 8 * 40_000_000L);
    }

    @Tag("slow")
    @Test
    void fiveHundredMegabytes() throws Exception {
        load(FIVE_HUNDRED, 1_700_000_000L);
    }

    private void load(String rows, long bytes) throws Exception {
        Path dump = Files.writeString(directory.resolve("big.sql"), DUMP.formatted(rows));
        Path report = directory.resolve("r.json");
        Path log = directory.resolve("log");
        Process wherry = WherryProcess.start(
                log,
                "rehearse",
                "--dump",
                dump.toString(),
                "--source-version",
                "15",
                "--rate",
                "10",
                "--report",
                report.toString());
        assertThat(wherry.waitFor()).as(() -> read(log)).isZero();

        JsonNode found = Json.mapper().readTree(report.toFile());
        assertThat(found.path("bytesLoaded").asLong()).isGreaterThan(bytes);
        assertThat(found.path("blockBytesPeak").asLong()).isBetween(1L, 64L << 20);
        assertThat(found.path("rowsDifferent").asLong()).isZero();
    }

    private static String read(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            return e.toString();
        }
    }
}
