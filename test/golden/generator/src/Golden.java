import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

import org.apache.kafka.common.message.ApiMessageType.ListenerType;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.MessageUtil;

/** Writes all golden files into the directory named by the argument. */
public final class Golden {
	public static void main(String[] args) throws Exception {
		Path dir = Path.of(args[0]);
		Files.createDirectories(dir.resolve("messages"));
		Files.createDirectories(dir.resolve("batches"));
		write(dir.resolve("api_versions.txt"), apiVersions());
		write(dir.resolve("headers.txt"), headers());
		Messages.write(dir.resolve("messages"));
		Batches.write(dir.resolve("batches"));
	}

	static void write(Path file, List<String> lines) throws Exception {
		Files.writeString(file, String.join("\n", lines) + "\n");
	}

	/** The APIs that a broker in ZooKeeper mode lists, by key. */
	static List<ApiKeys> apis() {
		List<ApiKeys> apis = new ArrayList<>(ApiKeys.apisForListener(ListenerType.ZK_BROKER));
		apis.sort((a, b) -> Short.compare(a.id, b.id));
		return apis;
	}

	private static List<String> apiVersions() {
		List<String> lines = new ArrayList<>();
		lines.add("# key name min max, as a broker of Kafka 3.9 in ZooKeeper mode answers ApiVersions");
		for (ApiKeys api : apis())
			lines.add(api.id + " " + api.name + " " + api.oldestVersion() + " " + api.latestVersion());
		return lines;
	}

	/** Which header each version takes, then the headers' own bytes. */
	private static List<String> headers() {
		List<String> lines = new ArrayList<>();
		lines.add("# rule key version request-header response-header");
		for (ApiKeys api : apis())
			for (short v = api.oldestVersion(); v <= api.latestVersion(); v++)
				lines.add("rule " + api.id + " " + v + " " + api.requestHeaderVersion(v) + " " + api.responseHeaderVersion(v));
		lines.add("# request header-version key version correlation client-id(- null, = empty) base64");
		for (String client : new String[] {null, "", "kl\u00e4mm-1"}) {
			lines.add(requestHeader(0, ApiKeys.CONTROLLED_SHUTDOWN, 0, 7, client));
			lines.add(requestHeader(1, ApiKeys.FETCH, 11, -1, client));
			lines.add(requestHeader(2, ApiKeys.FETCH, 12, Integer.MAX_VALUE, client));
			lines.add(requestHeader(2, ApiKeys.API_VERSIONS, 3, Integer.MIN_VALUE, client));
		}
		lines.add("# response header-version key version correlation base64");
		lines.add(responseHeader(0, ApiKeys.FETCH, 11, 305419896));
		lines.add(responseHeader(1, ApiKeys.FETCH, 12, -2));
		lines.add(responseHeader(0, ApiKeys.API_VERSIONS, 4, 1));
		return lines;
	}

	private static String requestHeader(int header, ApiKeys api, int version, int correlation, String client) {
		RequestHeaderData data = new RequestHeaderData().setRequestApiKey(api.id).setRequestApiVersion((short) version)
			.setCorrelationId(correlation).setClientId(client);
		return "request " + header + " " + api.id + " " + version + " " + correlation + " "
			+ (client == null ? "-" : client.isEmpty() ? "=" : client) + " "
			+ Messages.base64(MessageUtil.toByteBuffer(data, (short) header));
	}

	private static String responseHeader(int header, ApiKeys api, int version, int correlation) {
		ResponseHeaderData data = new ResponseHeaderData().setCorrelationId(correlation);
		return "response " + header + " " + api.id + " " + version + " " + correlation + " "
			+ Messages.base64(MessageUtil.toByteBuffer(data, (short) header));
	}
}
