import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Iterator;
import java.util.List;

import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.EndTransactionMarker;

/**
 * Golden bytes of messages. For each message and version values are made up from its description (a resource in Kafka's jars),
 * read by Kafka's JSON converter into Kafka's message class and written by it; the line also has what the converter says of
 * the message after reading the bytes back.
 */
final class Messages {
	private static final ObjectMapper MAPPER = new ObjectMapper().configure(JsonParser.Feature.ALLOW_COMMENTS, true);
	private static final String CLIENTS = "org.apache.kafka.common.message.";
	private static final String GROUP = "org.apache.kafka.coordinator.group.generated.";
	private static final String TRANSACTION = "org.apache.kafka.coordinator.transaction.generated.";
	private static final String[] RECORDS = {
		GROUP + "OffsetCommitKey", GROUP + "OffsetCommitValue", GROUP + "GroupMetadataKey", GROUP + "GroupMetadataValue",
		TRANSACTION + "TransactionLogKey", TRANSACTION + "TransactionLogValue",
		CLIENTS + "ConsumerProtocolSubscription", CLIENTS + "ConsumerProtocolAssignment",
	};

	static void write(Path dir) throws Exception {
		for (ApiKeys api : Golden.apis()) {
			List<String> lines = new ArrayList<>();
			add(lines, "request", CLIENTS + api.name + "RequestData", api.name + "Request");
			add(lines, "response", CLIENTS + api.name + "ResponseData", api.name + "Response");
			Golden.write(dir.resolve(api.name + ".txt"), lines);
		}
		for (String name : RECORDS) {
			List<String> lines = new ArrayList<>();
			String simple = name.substring(name.lastIndexOf('.') + 1);
			add(lines, "record", name, simple);
			Golden.write(dir.resolve(simple + ".txt"), lines);
		}
		endTxnMarkers(dir);
	}

	static String base64(ByteBuffer buffer) {
		byte[] bytes = new byte[buffer.remaining()];
		buffer.duplicate().get(bytes);
		return bytes.length == 0 ? "-" : Base64.getEncoder().encodeToString(bytes);
	}

	private static void add(List<String> lines, String direction, String className, String description) throws Exception {
		JsonNode message = describe(description);
		String[] range = message.get("validVersions").asText().split("-");
		for (int v = Integer.parseInt(range[0]); v <= Integer.parseInt(range[range.length - 1]); v++) {
			String last = null;
			for (Values.Variant variant : Values.Variant.values()) {
				String line = line(direction, className, message, (short) v, variant);
				String bytes = line.split(" ")[3];
				if (!bytes.equals(last))
					lines.add(line);
				last = bytes;
			}
		}
	}

	private static JsonNode describe(String name) throws Exception {
		try (InputStream in = Messages.class.getResourceAsStream("/common/message/" + name + ".json")) {
			return MAPPER.readTree(in);
		}
	}

	private static String line(String direction, String className, JsonNode description, short version, Values.Variant variant)
		throws Exception {
		Class<?> type = Class.forName(className);
		Class<?> converter = Class.forName(className + "JsonConverter");
		ObjectNode values = new Values(description, version, variant).make();
		Message message = (Message) converter.getMethod("read", JsonNode.class, short.class).invoke(null, values, version);
		ByteBuffer bytes = MessageUtil.toByteBuffer(message, version);
		Message back = (Message) type.getConstructor().newInstance();
		ByteBuffer copy = bytes.duplicate();
		back.read(new ByteBufferAccessor(copy), version);
		if (copy.hasRemaining() || !back.equals(message))
			throw new IllegalStateException(className + " v" + version + " " + variant + " is not read back as written");
		JsonNode json = (JsonNode) converter.getMethod("write", type, short.class).invoke(null, back, version);
		restoreRecords(json, values);
		if (direction.equals("record"))
			bytes = MessageUtil.toVersionPrefixedByteBuffer(version, message);
		return direction + " " + version + " " + variant + " " + base64(bytes) + " " + MAPPER.writeValueAsString(json);
	}

	/** The converter writes nothing for record batches: their bytes are taken from what was read. */
	private static void restoreRecords(JsonNode json, JsonNode values) {
		if (json.isArray())
			for (int i = 0; i < json.size(); i++)
				restoreRecords(json.get(i), values.get(i));
		if (json.isObject() && json.hasNonNull("records") && json.get("records").isBinary())
			((ObjectNode) json).set("records", values.get("records"));
		for (Iterator<String> names = json.fieldNames(); names.hasNext();) {
			String name = names.next();
			restoreRecords(json.get(name), values.get(name));
		}
	}

	/** The two parts of a control record have no description: Kafka writes them by hand. */
	private static void endTxnMarkers(Path dir) throws Exception {
		List<String> keys = new ArrayList<>();
		List<String> values = new ArrayList<>();
		for (ControlRecordType type : new ControlRecordType[] {ControlRecordType.ABORT, ControlRecordType.COMMIT}) {
			ByteBuffer key = ByteBuffer.allocate(type.recordKey().sizeOf());
			type.recordKey().writeTo(key);
			key.flip();
			keys.add("record 0 " + type.name().toLowerCase() + " " + base64(key) + " {\"type\":" + key.getShort(2) + "}");
		}
		for (int epoch : new int[] {0, 1, -1, Integer.MAX_VALUE, Integer.MIN_VALUE})
			values.add("record 0 epoch" + epoch + " " + base64(new EndTransactionMarker(ControlRecordType.COMMIT, epoch).serializeValue())
				+ " {\"coordinatorEpoch\":" + epoch + "}");
		Golden.write(dir.resolve("EndTxnMarkerKey.txt"), keys);
		Golden.write(dir.resolve("EndTxnMarkerValue.txt"), values);
	}
}
