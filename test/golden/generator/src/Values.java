import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.BinaryNode;
import com.fasterxml.jackson.databind.node.BooleanNode;
import com.fasterxml.jackson.databind.node.DoubleNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.LongNode;
import com.fasterxml.jackson.databind.node.NullNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;

import java.util.HashMap;
import java.util.Map;

import org.apache.kafka.common.Uuid;

/** Makes up the values of one message, version and variant, always the same ones. */
final class Values {
	enum Variant {
		/** Everything set, two elements to each array, positive and negative numbers. */
		full,
		/** What may be null is null, the rest has other values, one element to each array. */
		nulls,
		/** Numbers at both ends of their range, empty strings. */
		edge,
		/** Every field at its default, arrays empty. */
		defaults
	}

	private final JsonNode message;
	private final int version;
	private final Variant variant;
	private final Map<String, JsonNode> structs = new HashMap<>();
	private int n; // of the leaf: the seed of its value

	Values(JsonNode message, int version, Variant variant) {
		this.message = message;
		this.version = version;
		this.variant = variant;
		this.n = version + 1;
		if (message.has("commonStructs"))
			for (JsonNode struct : message.get("commonStructs"))
				structs.put(struct.get("name").asText(), struct.get("fields"));
	}

	ObjectNode make() {
		return struct(message.get("fields"));
	}

	private ObjectNode struct(JsonNode fields) {
		ObjectNode node = JsonNodeFactory.instance.objectNode();
		for (JsonNode field : fields)
			if (within(field.get("versions"))) {
				String name = field.get("name").asText();
				node.set(Character.toLowerCase(name.charAt(0)) + name.substring(1), value(field));
			}
		return node;
	}

	private boolean within(JsonNode range) {
		if (range == null || range.asText().equals("none"))
			return false;
		String text = range.asText();
		if (text.endsWith("+"))
			return version >= Integer.parseInt(text.substring(0, text.length() - 1));
		String[] ends = text.split("-");
		return version >= Integer.parseInt(ends[0]) && version <= Integer.parseInt(ends[ends.length - 1]);
	}

	private JsonNode value(JsonNode field) {
		String type = field.get("type").asText();
		boolean nullable = within(field.get("nullableVersions"));
		if (nullable && variant == Variant.nulls)
			return NullNode.instance;
		if (variant == Variant.defaults && field.has("default") && field.get("default").asText().equals("null"))
			return NullNode.instance;
		if (type.startsWith("[]"))
			return array(field, type.substring(2));
		if (isStruct(type))
			return struct(fieldsOf(field, type));
		return variant == Variant.defaults ? defaultLeaf(type, field) : leaf(type);
	}

	private static boolean isStruct(String type) {
		return Character.isUpperCase(type.charAt(0));
	}

	private JsonNode fieldsOf(JsonNode field, String type) {
		return field.has("fields") ? field.get("fields") : structs.get(type);
	}

	private ArrayNode array(JsonNode field, String type) {
		ArrayNode array = JsonNodeFactory.instance.arrayNode();
		int count = variant == Variant.full ? 2 : variant == Variant.defaults ? 0 : 1;
		for (int i = 0; i < count; i++)
			array.add(isStruct(type) ? struct(fieldsOf(field, type)) : leaf(type));
		return array;
	}

	private JsonNode leaf(String type) {
		n++;
		if (variant == Variant.edge)
			return edgeLeaf(type);
		switch (type) {
		case "bool": return BooleanNode.valueOf(n % 3 != 0);
		case "int8": return new IntNode((byte) (n * 37));
		case "int16": return new IntNode((short) (n * 4099));
		case "uint16": return new IntNode((n * 4099) & 0xffff);
		case "int32": return new IntNode(n % 4 == 0 ? -n : n * 69069 + 1);
		case "int64": return new LongNode(n % 4 == 0 ? -n : n * 0x5851f42d4cL + 1);
		case "float64": return new DoubleNode(n * 1.25 - 20);
		case "uuid": return new TextNode(new Uuid(n * 0x9e3779b97f4a7c15L, ~(long) n).toString());
		case "string": return new TextNode(text());
		case "bytes": return new BinaryNode(new byte[] {(byte) n, 0, -1, (byte) ~n});
		case "records": return new BinaryNode(new byte[] {0, 0, 0, (byte) n, 127, -128, -1});
		default: throw new IllegalArgumentException(type);
		}
	}

	/** Now and then longer than one byte of a varint can say, or beyond ASCII. */
	private String text() {
		if (n % 17 == 3)
			return ("long-" + n + "-").repeat(18);
		return n % 5 == 0 ? "z\u00fcr\u20ac-" + n : "s" + n;
	}

	private JsonNode edgeLeaf(String type) {
		boolean low = n % 2 == 0;
		switch (type) {
		case "bool": return BooleanNode.valueOf(low);
		case "int8": return new IntNode(low ? Byte.MIN_VALUE : Byte.MAX_VALUE);
		case "int16": return new IntNode(low ? Short.MIN_VALUE : Short.MAX_VALUE);
		case "uint16": return new IntNode(low ? 0 : 0xffff);
		case "int32": return new IntNode(low ? Integer.MIN_VALUE : Integer.MAX_VALUE);
		case "int64": return new LongNode(low ? Long.MIN_VALUE : Long.MAX_VALUE);
		case "float64": return new DoubleNode(low ? -Double.MAX_VALUE : Double.MIN_VALUE);
		case "uuid": return new TextNode(Uuid.ZERO_UUID.toString());
		case "string": return new TextNode("");
		case "bytes": case "records": return new BinaryNode(new byte[0]);
		default: throw new IllegalArgumentException(type);
		}
	}

	private JsonNode defaultLeaf(String type, JsonNode field) {
		String text = field.has("default") ? field.get("default").asText() : "";
		switch (type) {
		case "bool": return BooleanNode.valueOf(text.equals("true"));
		case "int8": case "int16": case "uint16": case "int32": return new IntNode(text.isEmpty() ? 0 : Integer.decode(text));
		case "int64": return new LongNode(text.isEmpty() ? 0 : Long.decode(text));
		case "float64": return new DoubleNode(text.isEmpty() ? 0 : Double.parseDouble(text));
		case "uuid": return new TextNode(Uuid.ZERO_UUID.toString());
		case "string": return new TextNode(text);
		case "bytes": return new BinaryNode(new byte[0]);
		case "records": return NullNode.instance;
		default: throw new IllegalArgumentException(type);
		}
	}
}
