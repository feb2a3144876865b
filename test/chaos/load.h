/*
 * What the threads of the load share: the options, the history, the topics.
 *
 *     main --- producers (N threads) ---+
 *          --- consumers (N threads) ---+--> history
 *          --- the asker of ends -------+
 *     main --- members of a group -----+
 *          --- their witness -----------+
 */
#ifndef KLAMM_TEST_CHAOS_LOAD_H
#define KLAMM_TEST_CHAOS_LOAD_H

#include "test/chaos/history.h"
#include "test/chaos/value.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TOPICS_MAX 8
#define PARTITIONS_MAX 64
#define SETTINGS_MAX 16
/* So long a client waits for an answer before it asks again. */
#define LOAD_SOCKET_MS 3000

struct load_topic {
	char *name;
	int n_partitions;
};

struct load {
	const char *bootstrap, *acks;
	struct load_topic topics[TOPICS_MAX];
	int n_topics;
	int n_producers, n_consumers;
	int rate;	     /* records a second of all producers together */
	int value_bytes_max;
	int outstanding_max; /* of one producer for one partition */
	int flush_ms;	     /* so long unanswered records are waited for in the end */
	uint32_t run;
	const char *group;
	int n_members, n_static; /* the first ones of the members are static */
	int cooperative;	 /* 1: partitions are given up one by one, else all at once */
	int session_ms, rebalance_ms;
	int life_ms; /* a member's lives take half to one and a half of this */
	const char *producer_settings[SETTINGS_MAX], *consumer_settings[SETTINGS_MAX];
	struct history history;
	atomic_bool stop_producers, stop_all;
	atomic_long n_acked, n_unknown, n_failed, n_polled;
	atomic_long n_owned; /* partitions that living members have now */
};

/* Ends the program. */
void die(const char *what, const char *why) __attribute__((noreturn));

/* A configuration with what producers and consumers have in common, and the given settings (KEY=VALUE) on top. */
rd_kafka_conf_t *load_conf(const struct load *load);
void load_set(rd_kafka_conf_t *conf, const char *key, const char *value);
void load_set_all(rd_kafka_conf_t *conf, const char *const *settings);
rd_kafka_t *load_open(rd_kafka_type_t type, rd_kafka_conf_t *conf);
void load_open_topics(const struct load *load, rd_kafka_t *client, rd_kafka_topic_t **ret_topics);
void load_close(const struct load *load, rd_kafka_t *client, rd_kafka_topic_t **topics);

/* The topic of this name, or -1. */
int load_topic_of(const struct load *load, const char *name);

/* A record that process `index` was given: into the history as an event of this kind, with what is wrong with its value. Any thread. */
void load_note_record(struct load *load, enum history_kind kind, int index, int topic, const rd_kafka_message_t *message);

/* Threads: each runs until the load says stop. */
pthread_t producer_start(struct load *load, int index);
pthread_t consumer_start(struct load *load, int index);
pthread_t asker_start(struct load *load);
/* Members come and go until stop_producers. */
pthread_t member_start(struct load *load, int index);
pthread_t witness_start(struct load *load);

/* Reads every partition from its start to its end once; false when that does not end within the time. */
bool consumer_read_all(struct load *load, int seconds);

/* What is committed for all partitions, as a client that was not there before is told; false when it is not told. */
bool group_read_committed(struct load *load);

#endif
