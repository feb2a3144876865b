import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.File;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Supplier;

import kafka.log.UnifiedLog;
import kafka.server.BrokerTopicStats;
import kafka.server.RequestLocal;

import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.CorruptRecordException;
import org.apache.kafka.common.errors.RecordBatchTooLargeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.record.CompressionType;
import org.apache.kafka.common.record.MemoryRecords;
import org.apache.kafka.common.record.RecordBatch;
import org.apache.kafka.common.requests.ProduceRequest;
import org.apache.kafka.common.requests.ProduceResponse.RecordError;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.ByteUtils;
import org.apache.kafka.common.utils.Crc32C;
import org.apache.kafka.common.utils.Time;
import org.apache.kafka.common.utils.Timer;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.server.common.MetadataVersion;
import org.apache.kafka.server.util.KafkaScheduler;
import org.apache.kafka.storage.internals.log.AppendOrigin;
import org.apache.kafka.storage.internals.log.LogConfig;
import org.apache.kafka.storage.internals.log.LogDirFailureChannel;
import org.apache.kafka.storage.internals.log.LogOffsetsListener;
import org.apache.kafka.storage.internals.log.ProducerStateManagerConfig;
import org.apache.kafka.storage.internals.log.RecordValidationException;
import org.apache.kafka.storage.internals.log.VerificationGuard;

/** Gives batches, right and wrong ones, to Kafka's own log and writes down what becomes of them: see ../README.md. */
public final class Produce {
	private static final long NOW = 1700000100000L;
	private static final long TIME = 1700000000000L;
	private static final long START = 1000;
	private static final int EPOCH = 5;

	/** The rules of one case, with Kafka's defaults. */
	private static final class Rules implements Cloneable {
		int version = 11;
		boolean compacted;
		boolean appendTime;
		long before = Long.MAX_VALUE;
		long after = Long.MAX_VALUE;
		int messageMax = 1048588;
		int segmentMax = 1 << 30;
		String codec = "producer";
		int level = Integer.MIN_VALUE;

		Rules with(Consumer<Rules> change) {
			try {
				Rules copy = (Rules) clone();
				change.accept(copy);
				return copy;
			} catch (CloneNotSupportedException e) {
				throw new IllegalStateException(e);
			}
		}
	}

	private static final class Clock implements Time {
		public long milliseconds() { return NOW; }
		public long nanoseconds() { return NOW * 1000000; }
		public void sleep(long ms) { }
		public void waitObject(Object obj, Supplier<Boolean> condition, long deadlineMs) { }
		public Timer timer(long timeoutMs) { return Time.SYSTEM.timer(timeoutMs); }
	}

	private static final List<String> lines = new ArrayList<>();
	private static final KafkaScheduler scheduler = new KafkaScheduler(1);
	private static final BrokerTopicStats stats = new BrokerTopicStats(false);

	public static void main(String[] args) throws Exception {
		scheduler.startup();
		lines.add("# name version compacted append_time before_ms after_ms message_bytes segment_bytes codec level input(hex)");
		lines.add("#   -> code has_log_start n_record_errors error_message(or -) stored(hex, crc:hex of it, or -); now " + NOW + ", offset "
			  + START + ", leader epoch " + EPOCH);
		framing();
		headers();
		records();
		times();
		sizes();
		codecs();
		damage();
		Files.writeString(Path.of(args[0]), String.join("\n", lines) + "\n");
		scheduler.shutdown();
		System.exit(0);
	}

	/* ---- making bytes ---- */

	private static byte[] text(String text) {
		return text == null ? null : text.getBytes(StandardCharsets.UTF_8);
	}

	private static void bytesField(DataOutputStream out, byte[] bytes) throws Exception {
		ByteUtils.writeVarint(bytes == null ? -1 : bytes.length, out);
		if (bytes != null)
			out.write(bytes);
	}

	/** The body of a record without its length. */
	private static byte[] body(int attributes, long time, int offset, String key, String value, String... headers) throws Exception {
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		DataOutputStream out = new DataOutputStream(bytes);
		out.write(attributes);
		ByteUtils.writeVarlong(time, out);
		ByteUtils.writeVarint(offset, out);
		bytesField(out, text(key));
		bytesField(out, text(value));
		ByteUtils.writeVarint(headers.length / 2, out);
		for (String header : headers)
			bytesField(out, text(header));
		return bytes.toByteArray();
	}

	private static byte[] sized(byte[] body) throws Exception {
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		DataOutputStream out = new DataOutputStream(bytes);
		ByteUtils.writeVarint(body.length, out);
		out.write(body);
		return bytes.toByteArray();
	}

	private static byte[] join(byte[]... parts) {
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		for (byte[] part : parts)
			bytes.writeBytes(part);
		return bytes.toByteArray();
	}

	private static byte[] pack(CompressionType type, byte[] plain) throws Exception {
		if (type == CompressionType.NONE)
			return plain;
		ByteBufferOutputStream bytes = new ByteBufferOutputStream(plain.length + 512);
		try (OutputStream out = Compression.of(type).build().wrapForOutput(bytes, RecordBatch.MAGIC_VALUE_V2)) {
			out.write(plain);
		}
		ByteBuffer buffer = bytes.buffer();
		buffer.flip();
		byte[] packed = new byte[buffer.remaining()];
		buffer.get(packed);
		return packed;
	}

	/** A batch around the (packed) records. */
	private static byte[] batch(CompressionType type, int count, byte[] payload) {
		ByteBuffer at = ByteBuffer.allocate(61 + payload.length);
		at.putLong(0).putInt(49 + payload.length).putInt(-1).put((byte) 2).putInt(0);
		at.putShort((short) type.id).putInt(count - 1).putLong(TIME).putLong(TIME + 10L * (count - 1));
		at.putLong(-1).putShort((short) -1).putInt(-1).putInt(count).put(payload);
		return crc(at.array());
	}

	private static byte[] crc(byte[] batch) {
		ByteBuffer.wrap(batch).putInt(17, (int) Crc32C.compute(batch, 21, batch.length - 21));
		return batch;
	}

	private static byte[] plainRecords(int count) throws Exception {
		byte[][] parts = new byte[count][];
		for (int i = 0; i < count; i++)
			parts[i] = sized(body(0, 10L * i, i, "key-" + i, "value-" + i + "-value-value-value", i % 3 == 1 ? new String[] {"h", "1", "i", null} : new String[0]));
		return join(parts);
	}

	private static byte[] good(CompressionType type, int count) throws Exception {
		return batch(type, count, pack(type, plainRecords(count)));
	}

	/** A copy with something changed and the checksum right again. */
	private static byte[] patch(byte[] batch, Consumer<ByteBuffer> change) {
		byte[] copy = batch.clone();
		change.accept(ByteBuffer.wrap(copy));
		return crc(copy);
	}

	private static byte[] patchRaw(byte[] batch, Consumer<ByteBuffer> change) {
		byte[] copy = batch.clone();
		change.accept(ByteBuffer.wrap(copy));
		return copy;
	}

	/** A copy with another payload and the right length. */
	private static byte[] payload(byte[] batch, byte[] payload) {
		byte[] copy = join(Arrays.copyOf(batch, 61), payload);
		ByteBuffer.wrap(copy).putInt(8, copy.length - 12);
		return crc(copy);
	}

	private static byte[] tail(byte[] batch) {
		return Arrays.copyOfRange(batch, 61, batch.length);
	}

	/* ---- judging ---- */

	private static UnifiedLog open(File dir, Rules rules) {
		Map<String, Object> config = new HashMap<>();
		config.put("cleanup.policy", rules.compacted ? "compact" : "delete");
		config.put("message.timestamp.type", rules.appendTime ? "LogAppendTime" : "CreateTime");
		config.put("message.timestamp.before.max.ms", rules.before);
		config.put("message.timestamp.after.max.ms", rules.after);
		config.put("max.message.bytes", rules.messageMax);
		config.put("segment.bytes", rules.segmentMax);
		config.put("segment.index.bytes", 1024);
		config.put("compression.type", rules.codec);
		if (rules.level != Integer.MIN_VALUE)
			config.put("compression." + rules.codec + ".level", rules.level);
		return UnifiedLog.apply(dir, new LogConfig(config), START, START, scheduler, stats, new Clock(), 900000,
			new ProducerStateManagerConfig(86400000, false), 600000, new LogDirFailureChannel(1), true, scala.Option.empty(), true,
			new ConcurrentHashMap<>(), false, LogOffsetsListener.NO_OP_OFFSETS_LISTENER);
	}

	/** What ReplicaManager answers: code, whether the log start offset is told, record errors, message. */
	private static String answer(Throwable e) {
		if (e instanceof RecordValidationException) {
			RecordValidationException refused = (RecordValidationException) e;
			List<RecordError> errors = refused.recordErrors();
			return Errors.forException(refused.invalidException()).code() + " 1 " + errors.size() + " "
				+ refused.invalidException().getMessage().replace(' ', '_');
		}
		boolean early = e instanceof RecordTooLargeException || e instanceof RecordBatchTooLargeException
			|| e instanceof CorruptRecordException;
		return Errors.forException(e).code() + (early ? " 0 0 -" : " 1 0 -");
	}

	private static String judge(Rules rules, byte[] input, boolean brief) throws Exception {
		MemoryRecords records = MemoryRecords.readableRecords(ByteBuffer.wrap(input.clone()));
		File dir = new File(Files.createTempDirectory("produce").toFile(), "t-0");
		dir.mkdirs();
		try {
			ProduceRequest.validateRecords((short) rules.version, records);
		} catch (ApiException e) {
			return Errors.forException(e).code() + " 0 0 - -";
		} catch (Throwable e) {
			return "-1 1 0 - -";
		}
		UnifiedLog log = open(dir, rules);
		try {
			log.appendAsLeader(records, EPOCH, AppendOrigin.CLIENT, MetadataVersion.IBP_3_9_IV0, RequestLocal.NoCaching(),
				VerificationGuard.SENTINEL);
			log.flush(true);
			byte[] stored = Files.readAllBytes(log.activeSegment().log().file().toPath());
			if (stored.length == 0)
				return "0 1 0 - -";
			return "0 1 0 - " + (brief ? "crc:" + String.format("%08x", Crc32C.compute(stored, 0, stored.length)) : hex(stored));
		} catch (Throwable e) {
			return answer(e) + " -";
		} finally {
			log.close();
			Utils.delete(dir.getParentFile());
		}
	}

	private static String hex(byte[] bytes) {
		StringBuilder hex = new StringBuilder(bytes.length == 0 ? "=" : "");
		for (byte b : bytes)
			hex.append(String.format("%02x", b));
		return hex.toString();
	}

	private static void test(String name, Rules rules, byte[] input, boolean brief) throws Exception {
		String level = rules.level == Integer.MIN_VALUE ? "-" : String.valueOf(rules.level);
		lines.add(String.join(" ", name, "" + rules.version, rules.compacted ? "1" : "0", rules.appendTime ? "1" : "0", "" + rules.before,
			"" + rules.after, "" + rules.messageMax, "" + rules.segmentMax, rules.codec, level, hex(input)) + " -> "
			+ judge(rules, input, brief));
	}

	private static void test(String name, Rules rules, byte[] input) throws Exception {
		test(name, rules, input, false);
	}

	private static void test(String name, byte[] input) throws Exception {
		test(name, new Rules(), input);
	}

	/* ---- cases ---- */

	private static void framing() throws Exception {
		byte[] one = good(CompressionType.NONE, 2);
		Rules old = new Rules().with(r -> r.version = 2);
		for (CompressionType type : CompressionType.values())
			test("good-" + type.name, good(type, 3));
		for (int version = 0; version <= 11; version++) {
			int v = version;
			test("version-" + v, new Rules().with(r -> r.version = v), one);
			test("version-zstd-" + v, new Rules().with(r -> r.version = v), good(CompressionType.ZSTD, 2));
		}
		test("empty-v3", new byte[0]);
		test("empty-v2", old, new byte[0]);
		test("two-batches", join(one, one));
		test("two-batches-v2", old, join(one, one));
		for (int n : new int[] {1, 11, 12, 13, 16, 17, 20, 40, 60, 61, one.length - 1})
			test("second-cut-" + n, join(one, Arrays.copyOf(one, n)));
		for (int n : new int[] {1, 11, 12, 16, 17, 22, 60, 61, one.length - 1})
			test("cut-" + n, Arrays.copyOf(one, n));
		test("tail-zeros-11", join(one, new byte[11]));
		test("tail-zeros-12", join(one, new byte[12]));
		for (int magic : new int[] {0, 1, 3, 127, 128, 255})
			test("magic-" + magic, patchRaw(one, b -> b.put(16, (byte) magic)));
		test("second-magic-3", join(one, patchRaw(one, b -> b.put(16, (byte) 3))));
		test("second-magic-1", join(one, patchRaw(one, b -> b.put(16, (byte) 1))));
		for (int length : new int[] {-1, 0, 13, 14, 20, 33, 48, Integer.MAX_VALUE, one.length - 13, one.length - 11})
			test("length-" + length, patchRaw(one, b -> b.putInt(8, length)));
		for (int size : new int[] {33, 40, 60, 61}) {
			byte[] small = Arrays.copyOf(one, size);
			test("size-" + size, crc(patchRaw(small, b -> b.putInt(8, size - 12))));
		}
	}

	private static void headers() throws Exception {
		byte[] one = good(CompressionType.NONE, 2);
		test("base-offset-1", patch(one, b -> b.putLong(0, 1)));
		test("base-offset-min", patch(one, b -> b.putLong(0, Long.MIN_VALUE)));
		test("base-offset-and-crc", patchRaw(one, b -> b.putLong(0, 1).putInt(17, 0)));
		test("base-offset-and-size", new Rules().with(r -> r.messageMax = 20), patch(one, b -> b.putLong(0, 1)));
		test("crc", patchRaw(one, b -> b.putInt(17, 0)));
		test("crc-and-size", new Rules().with(r -> r.messageMax = 20), patchRaw(one, b -> b.putInt(17, 0)));
		test("leader-epoch-7", patch(one, b -> b.putInt(12, 7)));
		for (int codec = 5; codec <= 7; codec++) {
			int c = codec;
			test("codec-" + c, patch(one, b -> b.putShort(21, (short) c)));
			test("codec-v4-" + c, new Rules().with(r -> r.version = 4), patch(one, b -> b.putShort(21, (short) c)));
		}
		test("codec-5-control", patch(one, b -> b.putShort(21, (short) 0x25)));
		for (int bit = 3; bit < 16; bit++) {
			int attributes = 1 << bit;
			test("attribute-" + bit, patch(one, b -> b.putShort(21, (short) attributes)));
		}
		test("attribute-3-append-time", new Rules().with(r -> r.appendTime = true), patch(one, b -> b.putShort(21, (short) 8)));
		test("attribute-9-append-time", new Rules().with(r -> r.appendTime = true), patch(one, b -> b.putShort(21, (short) 512)));
		for (int delta : new int[] {0, 2, -1, Integer.MAX_VALUE, Integer.MIN_VALUE})
			test("last-offset-delta-" + delta, patch(one, b -> b.putInt(23, delta)));
		for (int count : new int[] {0, 1, 3, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
			test("count-" + count, patch(one, b -> b.putInt(57, count)));
			test("count-and-delta-" + count, patch(one, b -> b.putInt(57, count).putInt(23, count - 1)));
			test("gzip-count-and-delta-" + count, patch(good(CompressionType.GZIP, 2), b -> b.putInt(57, count).putInt(23, count - 1)));
		}
		test("no-sequence", patch(one, b -> b.putLong(43, 9).putShort(51, (short) 0)));
		test("no-sequence-gzip", patch(good(CompressionType.GZIP, 2), b -> b.putLong(43, 9).putShort(51, (short) 0)));
		test("producer", patch(one, b -> b.putLong(43, 9).putShort(51, (short) 0).putInt(53, 0)));
		test("producer-negative", patch(one, b -> b.putLong(43, -2).putShort(51, (short) 0).putInt(53, 0)));
		test("control", patch(one, b -> b.putShort(21, (short) 0x30)));
		test("transactional", patch(one, b -> b.putShort(21, (short) 0x10).putLong(43, 9).putShort(51, (short) 0).putInt(53, 0)));
	}

	private static void records() throws Exception {
		byte[] frame = good(CompressionType.NONE, 1);
		byte[] rec = body(0, 0, 0, "k", "v");
		Rules compacted = new Rules().with(r -> r.compacted = true);
		for (CompressionType type : CompressionType.values()) {
			byte[] base = good(type, 1), two = good(type, 2);
			test("surplus-plain-" + type.name, payload(base, pack(type, join(sized(rec), new byte[1]))));
			test("surplus-record-" + type.name, payload(base, pack(type, join(sized(rec), sized(rec)))));
			test("surplus-packed-" + type.name, payload(base, join(tail(base), new byte[3])));
			test("surplus-packed-long-" + type.name, payload(base, join(tail(base), new byte[40])));
			test("surplus-noise-" + type.name, payload(base, join(tail(base), text("a text that is no frame of any codec at all, no"))));
			test("twice-" + type.name, payload(two, join(tail(base), pack(type, sized(body(0, 0, 1, "k", "v"))))));
			test("no-payload-" + type.name, payload(base, new byte[0]));
			test("empty-payload-" + type.name, payload(base, pack(type, new byte[0])));
			test("offsets-0-0-" + type.name, payload(two, pack(type, join(sized(rec), sized(rec)))));
			test("offsets-negative-" + type.name, payload(base, pack(type, sized(body(0, 0, -7, "k", "v")))));
			test("offsets-1-0-" + type.name, payload(two, pack(type, join(sized(body(0, 0, 1, "a", "b")), sized(rec)))));
			test("record-attributes-" + type.name, payload(base, pack(type, sized(body(0xff, 0, 0, "k", "v")))));
			test("no-key-" + type.name, payload(base, pack(type, sized(body(0, 0, 0, null, "v")))));
			test("no-key-compacted-" + type.name, compacted, payload(two, pack(type, join(sized(body(0, 0, 0, null, "v")),
				sized(body(0, 0, 1, "k", "v"))))));
			test("empty-key-compacted-" + type.name, compacted, payload(base, pack(type, sized(body(0, 0, 0, "", "v")))));
			test("tombstone-compacted-" + type.name, compacted, payload(base, pack(type, sized(body(0, 0, 0, "k", null)))));
			test("key-minus-2-" + type.name, payload(base, pack(type, sized(new byte[] {0, 0, 0, 3, 3, 0}))));
			test("nested-" + type.name, payload(base, pack(type, pack(CompressionType.GZIP, sized(rec)))));
		}
		byte[][] four = new byte[4][];
		for (int i = 0; i < 4; i++)
			four[i] = sized(body(0, 0, i, null, "v"));
		test("no-key-compacted-four", compacted, payload(good(CompressionType.NONE, 4), join(four)));
		test("no-key-compacted-and-surplus", compacted, payload(frame, join(four)));
		test("headers-minus-1", payload(frame, sized(new byte[] {0, 0, 0, 1, 1, 1})));
		test("headers-too-many", payload(frame, sized(new byte[] {0, 0, 0, 1, 1, 100})));
		test("headers-too-few", payload(frame, sized(new byte[] {0, 0, 0, 1, 1, 0, 2, 'h', 1})));
		test("header-key-null", payload(frame, sized(new byte[] {0, 0, 0, 1, 1, 2, 1, 1})));
		test("header-value-null", payload(frame, sized(new byte[] {0, 0, 0, 1, 1, 2, 2, 'h', 1})));
		test("record-length-minus", payload(frame, new byte[] {1, 0, 0, 0, 1, 1, 0}));
		test("record-length-0", payload(frame, new byte[] {0}));
		test("record-length-long", payload(frame, new byte[] {(byte) 0xff, (byte) 0xff, (byte) 0xff, (byte) 0xff, 0x7f, 0}));
		test("record-length-overlong", payload(frame, new byte[] {(byte) 0x8c, (byte) 0x80, (byte) 0x80, (byte) 0x80, (byte) 0x80, 0, 0, 0, 0, 1, 1, 0}));
		test("record-length-five", payload(frame, join(new byte[] {(byte) 0x8c, (byte) 0x80, (byte) 0x80, (byte) 0x80, 0x70}, new byte[] {0, 0, 0, 1, 1, 0})));
	}

	private static void times() throws Exception {
		byte[] three = good(CompressionType.NONE, 3), packed = good(CompressionType.LZ4, 3);
		Rules append = new Rules().with(r -> r.appendTime = true);
		Rules narrow = new Rules().with(r -> { r.before = 100000; r.after = 1000; });
		test("append-time", append, three);
		test("append-time-lz4", append, packed);
		test("append-time-before", append.with(r -> r.before = 1), three);
		test("max-timestamp-low", patch(three, b -> b.putLong(35, 1)));
		test("max-timestamp-high", patch(three, b -> b.putLong(35, Long.MAX_VALUE)));
		test("max-timestamp-low-lz4", patch(packed, b -> b.putLong(35, 1)));
		test("max-timestamp-now-append-time", append, patch(three, b -> b.putLong(35, NOW)));
		test("narrow-inside", narrow, three);
		for (long time : new long[] {-1, -2, 0, 99999, NOW - 100001, NOW - 100000, NOW + 1000, NOW + 1001, Long.MAX_VALUE, Long.MIN_VALUE, Long.MIN_VALUE + 1}) {
			byte[] one = payload(good(CompressionType.NONE, 1), sized(body(0, 0, 0, "k", "v")));
			byte[] at = patch(one, b -> b.putLong(27, time).putLong(35, time));
			test("time-" + time, at);
			test("time-narrow-" + time, narrow, at);
			test("time-append-" + time, append, at);
		}
		test("time-narrow-two-bad", narrow, patch(three, b -> b.putLong(27, NOW - 100015)));
		test("time-narrow-and-key", narrow.with(r -> r.compacted = true), patch(payload(good(CompressionType.NONE, 2),
			join(sized(body(0, 0, 0, null, "v")), sized(body(0, -9999999, 1, "k", "v")))), b -> { }));
		test("time-delta-wraps", payload(good(CompressionType.NONE, 1), sized(body(0, Long.MAX_VALUE, 0, "k", "v"))));
		test("client-append-time-max", patch(three, b -> b.putShort(21, (short) 8).putLong(35, 5)));
		test("client-append-time-narrow", narrow, patch(three, b -> b.putShort(21, (short) 8).putLong(35, 5)));
		test("client-append-time-none", patch(three, b -> b.putShort(21, (short) 8).putLong(35, -1)));
		test("client-append-time-lz4", patch(packed, b -> b.putShort(21, (short) 0x0b).putLong(35, 5)));
		test("client-append-time-lz4-append-time", append, patch(packed, b -> b.putShort(21, (short) 0x0b).putLong(35, 5)));
	}

	private static void sizes() throws Exception {
		byte[] one = good(CompressionType.NONE, 3);
		test("size-exact", new Rules().with(r -> r.messageMax = one.length), one);
		test("size-over", new Rules().with(r -> r.messageMax = one.length - 1), one);
		test("segment-exact", new Rules().with(r -> r.segmentMax = one.length), one);
		test("segment-over", new Rules().with(r -> r.segmentMax = one.length - 1), one);
		test("segment-over-and-key", new Rules().with(r -> { r.segmentMax = one.length - 1; r.compacted = true; }),
			payload(good(CompressionType.NONE, 1), sized(body(0, 0, 0, null, "a value that is long enough to be over the segment's size, as it is"))));
		byte[] packed = good(CompressionType.GZIP, 100);
		test("grows-over-message", new Rules().with(r -> { r.codec = "uncompressed"; r.messageMax = 2000; }), packed);
		test("grows-over-segment", new Rules().with(r -> { r.codec = "uncompressed"; r.segmentMax = 2000; }), packed);
		test("shrinks-under-segment", new Rules().with(r -> { r.codec = "gzip"; r.segmentMax = 3000; }), good(CompressionType.NONE, 100));
	}

	private static void codecs() throws Exception {
		for (String to : new String[] {"uncompressed", "gzip", "snappy", "lz4", "zstd"})
			for (CompressionType from : CompressionType.values()) {
				Rules rules = new Rules().with(r -> r.codec = to);
				test("repack-" + from.name + "-" + to, rules, good(from, 5));
				test("repack-append-time-" + from.name + "-" + to, rules.with(r -> r.appendTime = true), good(from, 2));
				test("repack-producer-" + from.name + "-" + to, rules, patch(good(from, 2),
					b -> b.putShort(21, (short) (from.id | 0x10)).putLong(43, 9).putShort(51, (short) 3).putInt(53, 77)));
				test("repack-offsets-" + from.name + "-" + to, rules, payload(good(from, 2), pack(from, join(sized(body(0, 5, 7, "a", "b")),
					sized(body(0, 0, 3, "c", "d"))))));
				test("repack-attributes-" + from.name + "-" + to, rules, patch(good(from, 2), b -> b.putShort(21, (short) (from.id | 0x280))));
				test("repack-max-" + from.name + "-" + to, rules, patch(good(from, 2), b -> b.putLong(35, 3)));
			}
		test("repack-gzip-level", new Rules().with(r -> { r.codec = "gzip"; r.level = 1; }), good(CompressionType.NONE, 50));
		test("repack-lz4-level", new Rules().with(r -> { r.codec = "lz4"; r.level = 17; }), good(CompressionType.NONE, 50));
		test("repack-zstd-level", new Rules().with(r -> { r.codec = "zstd"; r.level = 22; }), good(CompressionType.NONE, 50));
	}

	/** Every byte of small batches changed, and every length cut, with the checksum right. */
	private static void damage() throws Exception {
		Random random = new Random(1);
		for (CompressionType type : CompressionType.values()) {
			byte[] batch = good(type, 2);
			for (int pos = 0; pos < batch.length; pos++) {
				int at = pos, flip = 1 << random.nextInt(8);
				if (pos >= 8 && pos < 12 || pos >= 17 && pos < 21)
					continue;
				test("flip-" + type.name + "-" + pos + "-" + flip, new Rules(), patch(batch, b -> b.put(at, (byte) (b.get(at) ^ flip))), true);
			}
			for (int len = 0; len < batch.length - 61; len++)
				test("short-" + type.name + "-" + len, new Rules(), payload(batch, Arrays.copyOfRange(batch, 61, 61 + len)), true);
		}
	}
}
