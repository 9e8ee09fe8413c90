import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.activemq.artemis.core.config.impl.ConfigurationImpl;
import org.apache.activemq.artemis.core.server.JournalType;
import org.apache.activemq.artemis.core.server.embedded.EmbeddedActiveMQ;
import org.apache.activemq.artemis.core.settings.impl.AddressFullMessagePolicy;
import org.apache.activemq.artemis.core.settings.impl.AddressSettings;

/** Broker PORT FOLDER: Artemis on loopback with MQTT, a journal on disk, and pages where memory ends. */
class Broker {
    public static void main(String[] args) throws Exception {
        Path folder = Files.createDirectories(Path.of(args[1]).toAbsolutePath());
        ConfigurationImpl config = new ConfigurationImpl();
        EmbeddedActiveMQ broker = new EmbeddedActiveMQ();

        config.setSecurityEnabled(false).setPersistenceEnabled(true).setJournalType(JournalType.NIO);
        config.setBrokerInstance(folder.toFile());
        config.setJournalDirectory(folder.resolve("journal").toString());
        config.setBindingsDirectory(folder.resolve("bindings").toString());
        config.setPagingDirectory(folder.resolve("paging").toString());
        config.setLargeMessagesDirectory(folder.resolve("large").toString());
        config.addAcceptorConfiguration("mqtt", "tcp://127.0.0.1:" + args[0] + "?protocols=MQTT");
        // a message that was delivered ten times is dropped by default
        config.addAddressSetting("#", new AddressSettings()
                .setMaxSizeBytes(100L << 20)
                .setAddressFullMessagePolicy(AddressFullMessagePolicy.PAGE)
                .setMaxDeliveryAttempts(-1));
        broker.setConfiguration(config);
        broker.start();
        System.err.println("the broker is up");
        Thread.currentThread().join();
    }
}
