import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.ControlRecordType;
import org.apache.kafka.common.record.DefaultRecordBatch;
import org.apache.kafka.common.record.EndTransactionMarker;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.MemoryRecordsBuilder;
import org.apache.kafka.common.record.MutableRecordBatch;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.utils.ByteBufferOutputStream;

/**
 * Golden record batches, built by Kafka's builder and described after reading them back with Kafka's reader: for each case
 * name.bin with the bytes and name.json with the batches and records. Values longer than 256 bytes stand as {"seed", "size"}, see noise().
 */
final class Batches {
	private static final long TIME = 1700000000000L;
	private static final int VALUE_BYTES_SHOWN = 256;
	private static final CompressionType[] CODECS =
		{CompressionType.NONE, CompressionType.GZIP, CompressionType.SNAPPY, CompressionType.LZ4, CompressionType.ZSTD};

	/** Everything that a batch says of itself, with the usual answers. */
	private static final class Spec {
		byte magic = RecordBatch.MAGIC_VALUE_V2;
		CompressionType codec = CompressionType.NONE;
		TimestampType timestamps = TimestampType.CREATE_TIME;
		long base, appendTime = RecordBatch.NO_TIMESTAMP, producer = RecordBatch.NO_PRODUCER_ID, horizon = RecordBatch.NO_TIMESTAMP;
		short epoch = RecordBatch.NO_PRODUCER_EPOCH;
		int sequence = RecordBatch.NO_SEQUENCE, leaderEpoch = RecordBatch.NO_PARTITION_LEADER_EPOCH;
		boolean transactional;

		Spec codec(CompressionType it) { codec = it; return this; }
		Spec magic(int it) { magic = (byte) it; return this; }
		Spec base(long it) { base = it; return this; }
		Spec leaderEpoch(int it) { leaderEpoch = it; return this; }
		Spec horizon(long it) { horizon = it; return this; }
		Spec producer(long id, int of, int first) { producer = id; epoch = (short) of; sequence = first; return this; }
		Spec transactional() { transactional = true; return this; }
		Spec appendTime(long it) { appendTime = it; timestamps = TimestampType.LOG_APPEND_TIME; return this; }

		MemoryRecordsBuilder open() {
			return new MemoryRecordsBuilder(new ByteBufferOutputStream(1024), magic, Compression.of(codec).build(), timestamps, base,
				appendTime, producer, epoch, sequence, transactional, false, leaderEpoch, Integer.MAX_VALUE, horizon);
		}
	}

	private static Path dir;

	static void write(Path into) throws Exception {
		dir = into;
		for (CompressionType codec : CODECS) {
			emit("small-" + codec.name, small(new Spec().codec(codec)));
			emit("shapes-" + codec.name, shapes(new Spec().codec(codec).base(1L << 33).leaderEpoch(7)));
			emit("many-" + codec.name, many(new Spec().codec(codec).base(1000).producer(4000, 2, 17)));
			emit("large-" + codec.name, large(new Spec().codec(codec).leaderEpoch(3)));
		}
		producers();
		times();
		compacted();
		legacy();
		several();
	}

	private static ByteBuffer small(Spec spec) {
		MemoryRecordsBuilder builder = spec.open();
		builder.append(TIME, bytes("key"), bytes("value"));
		return builder.build().buffer();
	}

	/** Null, empty and present keys, values and headers; timestamps that go back; offsets with holes. */
	private static ByteBuffer shapes(Spec spec) {
		MemoryRecordsBuilder builder = spec.open();
		long offset = spec.base;
		builder.appendWithOffset(offset++, TIME, (byte[]) null, null, new Header[0]);
		builder.appendWithOffset(offset++, TIME + 5, bytes("key"), null, new Header[0]);
		builder.appendWithOffset(offset++, TIME - 70000, null, bytes("value"), new Header[0]);
		builder.appendWithOffset(offset += 100, TIME + 9, bytes(""), bytes(""), new Header[0]);
		Header[] headers = {new RecordHeader("a", bytes("1")), new RecordHeader("a", bytes("")), new RecordHeader("", null),
			new RecordHeader("z\u00fcr\u20ac", noise(3, 200))};
		builder.appendWithOffset(offset + 1000, TIME + 100, bytes("k\u00e4y"), noise(4, 100), headers);
		return builder.build().buffer();
	}

	private static ByteBuffer many(Spec spec) {
		MemoryRecordsBuilder builder = spec.open();
		for (int i = 0; i < 150; i++)
			builder.append(TIME + i * 3, bytes("key-" + i % 10), bytes("value-" + i + "-of-a-record-that-packs-well-".repeat(i % 5)));
		return builder.build().buffer();
	}

	/** Longer than a block of any codec, and nothing to gain by packing. */
	private static ByteBuffer large(Spec spec) {
		MemoryRecordsBuilder builder = spec.open();
		builder.append(TIME, null, noise(1, 40000));
		builder.append(TIME + 1, bytes("k"), noise(2, 70000));
		return builder.build().buffer();
	}

	private static void producers() throws Exception {
		emit("idempotent", many(new Spec().producer(1L << 40, 0, 0).base(5)));
		emit("sequence-wrap", many(new Spec().codec(CompressionType.LZ4).producer(9, Short.MAX_VALUE, Integer.MAX_VALUE - 100)));
		ByteBuffer txn = small(new Spec().producer(77, 3, 0).transactional().base(10));
		emit("transaction-commit", join(txn, marker(ControlRecordType.COMMIT, 11, 77, 3, 4)));
		emit("transaction-abort", join(small(new Spec().producer(78, 0, 5).transactional().base(20)), marker(ControlRecordType.ABORT, 21, 78, 0, 0)));
	}

	private static ByteBuffer marker(ControlRecordType type, long offset, long producer, int epoch, int coordinatorEpoch) {
		return MemoryRecords.withEndTransactionMarker(offset, TIME + 50, 6, producer, (short) epoch,
			new EndTransactionMarker(type, coordinatorEpoch)).buffer();
	}

	private static void times() throws Exception {
		emit("append-time", many(new Spec().appendTime(TIME + 12345).base(3)));
		emit("append-time-zstd", many(new Spec().codec(CompressionType.ZSTD).appendTime(TIME + 12345)));
		MemoryRecordsBuilder builder = new Spec().open();
		builder.append(RecordBatch.NO_TIMESTAMP, null, bytes("without a time"));
		emit("no-timestamp", builder.build().buffer());
	}

	private static void compacted() throws Exception {
		emit("delete-horizon", shapes(new Spec().base(40).horizon(TIME + 86400000L).codec(CompressionType.GZIP)));
		ByteBuffer empty = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
		DefaultRecordBatch.writeEmptyHeader(empty, RecordBatch.MAGIC_VALUE_V2, 500, (short) 1, 30, 100, 109, 8, TimestampType.CREATE_TIME,
			TIME, true, false);
		empty.flip();
		emit("emptied", empty);
	}

	private static void legacy() throws Exception {
		for (int magic = 0; magic <= 1; magic++)
			for (CompressionType codec : CODECS) {
				if (codec == CompressionType.ZSTD)
					continue;
				MemoryRecordsBuilder builder = new Spec().magic(magic).codec(codec).base(12).open();
				builder.append(TIME, bytes("key"), bytes("value"));
				builder.append(TIME + 2, null, bytes("no key"));
				builder.append(TIME + 1, bytes("gone"), null);
				emit("magic" + magic + "-" + codec.name, builder.build().buffer());
			}
		MemoryRecordsBuilder stamped = new Spec().magic(1).codec(CompressionType.GZIP).appendTime(TIME + 99).open();
		stamped.append(TIME, bytes("key"), bytes("value"));
		emit("magic1-append-time", stamped.build().buffer());
	}

	private static void several() throws Exception {
		emit("several", join(small(new Spec().leaderEpoch(1)), many(new Spec().base(1).leaderEpoch(1).codec(CompressionType.SNAPPY)),
			shapes(new Spec().base(500).leaderEpoch(2).codec(CompressionType.ZSTD)), small(new Spec().base(5000).leaderEpoch(4).producer(1, 0, 0)),
			marker(ControlRecordType.COMMIT, 5001, 1, 0, 0)));
	}

	private static ByteBuffer join(ByteBuffer... parts) {
		ByteBuffer all = ByteBuffer.allocate(Arrays.stream(parts).mapToInt(ByteBuffer::remaining).sum());
		for (ByteBuffer part : parts)
			all.put(part.duplicate());
		all.flip();
		return all;
	}

	private static byte[] bytes(String text) {
		return text.getBytes(StandardCharsets.UTF_8);
	}

	/** x = x * 1664525 + 1013904223 (32 bits) from x = seed; each step gives the byte x >> 24. */
	private static byte[] noise(int seed, int size) {
		byte[] bytes = new byte[size];
		int x = seed;
		for (int i = 0; i < size; i++) {
			x = x * 1664525 + 1013904223;
			bytes[i] = (byte) (x >>> 24);
		}
		return bytes;
	}

	private static void emit(String name, ByteBuffer bytes) throws Exception {
		ByteArrayOutputStream out = new ByteArrayOutputStream();
		out.write(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
		Files.write(dir.resolve(name + ".bin"), out.toByteArray());
		ObjectMapper mapper = new ObjectMapper();
		List<String> lines = new ArrayList<>();
		for (MutableRecordBatch batch : MemoryRecords.readableRecords(bytes.duplicate()).batches()) {
			batch.ensureValid();
			lines.add(mapper.writeValueAsString(describe(mapper, batch)));
		}
		Golden.write(dir.resolve(name + ".json"), Collections.singletonList("[" + String.join(",\n", lines) + "]"));
	}

	private static ObjectNode describe(ObjectMapper mapper, RecordBatch batch) {
		ObjectNode node = mapper.createObjectNode();
		node.put("magic", batch.magic()).put("base_offset", batch.baseOffset()).put("last_offset", batch.lastOffset());
		node.put("size", batch.sizeInBytes()).put("codec", batch.compressionType().name).put("crc", batch.checksum());
		node.put("timestamp_type", batch.timestampType().name).put("max_timestamp", batch.maxTimestamp());
		if (batch instanceof DefaultRecordBatch) {
			node.put("count", batch.countOrNull()).put("base_timestamp", ((DefaultRecordBatch) batch).baseTimestamp());
			node.put("leader_epoch", batch.partitionLeaderEpoch());
			node.put("producer_id", batch.producerId()).put("producer_epoch", batch.producerEpoch());
			node.put("base_sequence", batch.baseSequence()).put("last_sequence", batch.lastSequence());
			node.put("transactional", batch.isTransactional()).put("control", batch.isControlBatch());
			batch.deleteHorizonMs().ifPresent(ms -> node.put("delete_horizon", ms));
		}
		ArrayNode records = node.putArray("records");
		for (Record record : batch)
			records.add(describe(mapper, record));
		return node;
	}

	private static ObjectNode describe(ObjectMapper mapper, Record record) {
		ObjectNode node = mapper.createObjectNode();
		node.put("offset", record.offset()).put("timestamp", record.timestamp()).put("sequence", record.sequence());
		put(node, "key", record.key());
		put(node, "value", record.value());
		ArrayNode headers = node.putArray("headers");
		for (Header header : record.headers())
			put(headers.addObject().put("name", header.key()), "value", header.value() == null ? null : ByteBuffer.wrap(header.value()));
		return node;
	}

	private static void put(ObjectNode node, String name, ByteBuffer buffer) {
		if (buffer == null) {
			node.putNull(name);
			return;
		}
		byte[] bytes = new byte[buffer.remaining()];
		buffer.duplicate().get(bytes);
		if (bytes.length <= VALUE_BYTES_SHOWN)
			node.put(name, bytes);
		else
			node.putObject(name).put("seed", seedOf(bytes)).put("size", bytes.length);
	}

	private static int seedOf(byte[] bytes) {
		for (int seed = 0; seed < 10; seed++)
			if (Arrays.equals(bytes, noise(seed, bytes.length)))
				return seed;
		throw new IllegalStateException("a long value that is not noise");
	}
}
