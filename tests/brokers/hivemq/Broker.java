import com.hivemq.embedded.EmbeddedHiveMQ;
import java.nio.file.Files;
import java.nio.file.Path;

/** Broker PORT FOLDER QUEUE: HiveMQ CE on loopback, sessions on disk, QUEUE messages for each client. */
class Broker {
    public static void main(String[] args) throws Exception {
        Path folder = Path.of(args[1]).toAbsolutePath();
        Path settings = Files.createDirectories(folder.resolve("conf"));
        String config = """
                <?xml version="1.0"?>
                <hivemq>
                  <listeners>
                    <tcp-listener><port>%s</port><bind-address>127.0.0.1</bind-address></tcp-listener>
                  </listeners>
                  <mqtt>
                    <queued-messages><max-queue-size>%s</max-queue-size><strategy>discard</strategy></queued-messages>
                  </mqtt>
                  <persistence><mode>file</mode></persistence>
                  <anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics>
                </hivemq>
                """.formatted(args[0], args[2]);

        Files.writeString(settings.resolve("config.xml"), config);
        EmbeddedHiveMQ.builder()
                .withConfigurationFolder(settings)
                .withDataFolder(Files.createDirectories(folder.resolve("data")))
                .withExtensionsFolder(Files.createDirectories(folder.resolve("extensions")))
                .build().start().join();
        System.err.println("the broker is up");
        Thread.currentThread().join();
    }
}
