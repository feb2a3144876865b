/*
 * Every bound of the house on what outsiders can make large, each with its worst-case arithmetic. A bound that a config key
 * sets stands in that key's row; the values here are those that no key changes.
 */
#ifndef KLAMM_COMMON_LIMITS_H
#define KLAMM_COMMON_LIMITS_H

/* A topic name; with "-" and a partition number it must fit a directory name of 255 bytes (Kafka's bound). */
#define LIMIT_TOPIC_NAME_BYTES 249

/* Decoding may make the arena at most this much larger than the frame: 8 bytes of struct for each byte of wire, and a base. */
#define LIMIT_DECODE_FACTOR 8
#define LIMIT_DECODE_BASE_BYTES 65536

/* Requests of one connection that are decoded and not yet answered. The order of answers is kept, so this bounds what waits. */
#define LIMIT_CONN_REQUESTS 64

/*
 * What a message between brokers may become in memory (proto/cluster/unpack.h). The most that ours need is about twenty times their bytes, for
 * partitions with one replica in a view, and thirty times for the marks of empty partitions, which the base is for: 8,192 are in a frame. The
 * largest order, of a million partitions, takes about 250 MB.
 */
#define LIMIT_UNPACK_FACTOR 24
#define LIMIT_UNPACK_BASE_BYTES (1 << 20)
#define LIMIT_UNPACK_BYTES (512 << 20)

/*
 * The protobuf header of a frame between brokers; what grows with the cluster travels as payload. And Hello and the answer to it, which are read
 * before anything is known of the other end and are some hundred bytes long: up to a hundred times their bytes while they are.
 */
#define LIMIT_PEER_HEADER_BYTES 32768
#define LIMIT_PEER_HELLO_BYTES 4096

/*
 * A frame of a follower (Follow, Ack), and of a leader without batches (Following, Advance): 25 MB while it is read; whoever has more to say says it
 * in several. And Follows that one worker holds until it hears of their epoch, about 200 bytes each.
 */
#define LIMIT_REPLICATION_FRAME_BYTES (1 << 20)
#define LIMIT_PARKED_FOLLOWS 100000

/* Workers of a broker; its followers dial a connection to each of them. */
#define LIMIT_WORKERS 1024

/* Hellos of controllers that wait for ZooKeeper; whoever comes then is told to come again. */
#define LIMIT_HELLOS 64

/* Decompressed size of one batch: the larger of ten times max.message.bytes and this; ratio at most 100 beyond 1 MiB. */
#define LIMIT_DECOMPRESS_BYTES (64 << 20)

/* Members of an ISR or assignment; the most that a client may ask for. Kafka has no bound; ZooKeeper's 1 MiB a node has. */
#define LIMIT_REPLICAS 64

/*
 * Requests that brokers handed on to the controller and that it works on at a time; and the bytes of one, or of the answer to it, which is half of what
 * a frame between them may hold: a larger frame ends the connection.
 */
#define LIMIT_FORWARDED_REQUESTS 256
#define LIMIT_FORWARD_BYTES (32 << 20)

/* Partitions of one topic: its znode must stay below ZooKeeper's 1 MiB (about 20 bytes a partition with three replicas). */
#define LIMIT_TOPIC_PARTITIONS 20000

/* One request to ZooKeeper, data and paths together: jute.maxbuffer is 1 MiB less one byte on its servers. */
#define LIMIT_ZNODE_BYTES 1000000

/* Operations a ZooKeeper session holds, waiting and under way: a takeover of 400,000 partitions asks for each state at once. */
#define LIMIT_ZK_CALLS 500000
#define LIMIT_ZK_CALL_BYTES (256 << 20)

/* Partitions that one CreateTopics or CreatePartitions request may make; their assignments are held at once (4 bytes a replica). */
#define LIMIT_REQUEST_PARTITIONS 200000

/*
 * Topics and partitions (groups, members) that one Produce, Fetch, ListOffsets, OffsetForLeaderEpoch, DeleteRecords or request about
 * groups may name, repeated ones counted: 100,000 partitions even if each stands under a topic of its own. A partition is about 1 KB
 * while it is under way, 200 MB for the largest. Whoever names more is cut off.
 */
#define LIMIT_REQUEST_PARTS 200000

/*
 * Partitions of one order of a controller, which sends thousands at a time: about 200 bytes each while it is carried out. And topics, whose
 * names and ids are there also without partitions.
 */
#define LIMIT_ORDER_PARTITIONS 1000000

/* Partitions that all fetch sessions of a broker remember, about 250 bytes each: 125 MB. Beyond it clients fetch without a session. */
#define LIMIT_FETCH_SESSION_PARTS 500000

/* Topics and partitions whose offsets in ZooKeeper one request may name: each is a write or a read there, among LIMIT_ZK_CALLS. */
#define LIMIT_ZOOKEEPER_OFFSETS 10000

/* Offsets that one ListOffsets of version 0 may be answered with, all partitions together: 1 MB. */
#define LIMIT_OLD_OFFSETS 131072

/* Topics that a scrape tells apart; about 350 bytes each while it is gathered and as much in the answer. And that answer. */
#define LIMIT_METRICS_TOPICS 1000
#define LIMIT_METRICS_BYTES (1 << 20)

/* Scrapes that wait for figures at a time; they all get the same ones. */
#define LIMIT_METRICS_SCRAPES 4

/*
 * Room that a log dir keeps for a start on a full disk, at most: klamm.run or a checkpoint of 100,000 partitions (4 MB) beside the one that it
 * replaces, and 8 KB of indexes, epochs and a snapshot for each of the 1,500 logs that were written to last.
 */
#define LIMIT_LOG_DIR_RESERVE_BYTES (16 << 20)

/* Configuration keys that one resource may have; each change is compared with them. */
#define LIMIT_CONFIG_KEYS 1000

/*
 * A consumer group (broker/coord/group_core.h): members, and pending ids, about 1 KB each beside their metadata; names of protocols and their
 * types; protocols of a member; and the metadata of all, which its record of at most max.message.bytes has to hold for one protocol. Who would
 * exceed them does not get in.
 */
#define LIMIT_GROUP_MEMBERS 4000
#define LIMIT_GROUP_PENDING 1000
#define LIMIT_GROUP_NAME_BYTES 255
#define LIMIT_GROUP_PROTOCOLS 32
#define LIMIT_GROUP_METADATA_BYTES (32 << 20)

/*
 * What clients may add to the coordinator of one worker; what a log holds already is loaded all the same. Groups, about 1.5 KB each beside members and
 * offsets: 150 MB. Offsets of one group. And the bytes of all offsets, about 80 each and their metadata: three million without metadata.
 */
#define LIMIT_SHARD_GROUPS 100000
#define LIMIT_GROUP_OFFSETS 200000
#define LIMIT_SHARD_OFFSET_BYTES (INT64_C(256) << 20)

/* Likewise, the ids of all groups, and members and pending ids with all their text and metadata. */
#define LIMIT_SHARD_GROUP_BYTES (INT64_C(256) << 20)

/* Batches that a worker's coordinator has under way: those stay whose time is up, while replicas that lag are in the ISR. */
#define LIMIT_SHARD_WRITE_BYTES (INT64_C(64) << 20)

/*
 * What one worker gathers for the answer to one DescribeGroups or OffsetFetch, which may name the same group many times; one group more may
 * stand in it.
 */
#define LIMIT_GROUP_ANSWER_BYTES ((size_t)64 << 20)

#endif
