/* view_message: frames of a controller become views; what does not fit leaves the old one in place. */
#include "test/lib/unit.h"

#include "broker/view_message.h"
#include "common/error.h"
#include "proto/cluster/cluster.pb-c.h"

static struct view_messages messages;
static struct view *view;

static void begin(void)
{
	view_messages_init(&messages);
	view = view_new_empty();
}

static void end(void)
{
	view_messages_fini(&messages);
	view_release(view);
}

static int take(Klamm__View *frame)
{
	uint8_t bytes[4096];
	struct view *next;
	int r = view_message_take(&messages, view, SLICE_LITERAL("cluster"), slice_of(bytes, klamm__view__pack(frame, bytes)), &next);

	if (r == 0 && next) {
		view_release(view);
		view = next;
	}
	return r;
}

/* A frame with one topic of one partition led by broker 1. */
struct topic_frame {
	Klamm__View frame;
	Klamm__Topic topic, *topics[1];
	Klamm__Partition partition, *partitions[1];
	Klamm__ConfigEntry config, *configs[1];
	int32_t replicas[1];
	uint8_t id[16];
};

static void fill(struct topic_frame *f, int64_t number, bool snapshot, uint8_t id, int32_t index)
{
	klamm__view__init(&f->frame);
	klamm__topic__init(&f->topic);
	klamm__partition__init(&f->partition);
	klamm__config_entry__init(&f->config);
	memset(f->id, id, sizeof f->id);
	f->replicas[0] = 1;
	f->partition.index = index;
	f->partition.leader = 1;
	f->partition.leader_epoch = 4;
	f->partition.replicas = f->partition.isr = f->replicas;
	f->partition.n_replicas = f->partition.n_isr = 1;
	f->partitions[0] = &f->partition;
	f->config.name = "retention.ms";
	f->config.value = "1000";
	f->configs[0] = &f->config;
	f->topic.name = "orders";
	f->topic.id = (ProtobufCBinaryData){16, f->id};
	f->topic.partitions = f->partitions;
	f->topic.n_partitions = 1;
	f->topic.has_partitions = true;
	f->topic.configs = f->configs;
	f->topic.n_configs = 1;
	f->topic.has_configs = true;
	f->topics[0] = &f->topic;
	f->frame.controller_epoch = 7;
	f->frame.number = number;
	f->frame.snapshot = snapshot;
	f->frame.topics = f->topics;
	f->frame.n_topics = 1;
	f->frame.office_broker = 1;
}

START_TEST(a_snapshot_in_two_frames_is_taken_when_the_last_is_there)
{
	struct topic_frame f;

	begin();
	fill(&f, 1, true, 9, 0);
	f.frame.more = true;
	ck_assert_int_eq(take(&f.frame), 0);
	ck_assert_int_eq(view->n_topics, 0);
	fill(&f, 1, true, 9, 1);
	ck_assert_int_eq(take(&f.frame), 0);
	ck_assert_int_eq(view->n_topics, 1);
	ck_assert_int_eq(view->topics[0]->n_partitions, 2);
	ck_assert_int_eq(view->topics[0]->partitions[1].leader_epoch, 4);
	ck_assert(slice_is_text(config_pairs_get(view->topics[0]->config, SLICE_LITERAL("retention.ms")), "1000"));
	ck_assert_int_eq(view->office_broker, 1);
	ck_assert(slice_is_text(view->cluster_id, "cluster"));
	end();
}
END_TEST

START_TEST(a_delta_must_follow_and_removes_by_id)
{
	struct topic_frame f;
	ProtobufCBinaryData removed[1];

	begin();
	fill(&f, 1, true, 9, 0);
	ck_assert_int_eq(take(&f.frame), 0);
	fill(&f, 3, false, 9, 0);
	ck_assert_int_eq(take(&f.frame), ERR_VERSION);
	fill(&f, 2, false, 9, 0);
	removed[0] = f.topic.id;
	f.frame.n_topics = 0;
	f.frame.removed_topics = removed;
	f.frame.n_removed_topics = 1;
	ck_assert_int_eq(take(&f.frame), 0);
	ck_assert_int_eq(view->n_topics, 0);
	ck_assert_int_eq(view->number, 2);
	end();
}
END_TEST

START_TEST(a_topic_made_anew_under_its_name_takes_the_place_of_the_removed_one)
{
	struct topic_frame f, old;
	ProtobufCBinaryData removed[1];
	int32_t offline[] = {1}, told[1];

	begin();
	fill(&f, 1, true, 9, 0);
	ck_assert_int_eq(take(&f.frame), 0);
	fill(&old, 1, true, 9, 0);
	/* Both in one delta, in whatever order the message has them: the old one goes first. */
	fill(&f, 2, false, 5, 0);
	removed[0] = old.topic.id;
	f.frame.removed_topics = removed;
	f.frame.n_removed_topics = 1;
	f.partition.offline = offline;
	f.partition.n_offline = 1;
	ck_assert_int_eq(take(&f.frame), 0);
	ck_assert_int_eq(view->n_topics, 1);
	ck_assert_int_eq(view->topics[0]->id.bytes[0], 5);
	ck_assert_int_eq(view->topics[0]->partitions[0].n_offline, 1);
	ck_assert_int_eq(view_offline_replicas(view, &view->topics[0]->partitions[0], told), 1);
	/* A removal of the one that is gone already does not touch its follower. */
	fill(&f, 3, false, 9, 0);
	f.frame.n_topics = 0;
	f.frame.removed_topics = removed;
	f.frame.n_removed_topics = 1;
	ck_assert_int_eq(take(&f.frame), 0);
	ck_assert_int_eq(view->n_topics, 1);
	end();
}
END_TEST

START_TEST(damage_is_refused_and_leaves_the_view)
{
	struct topic_frame f;
	struct view *next;

	begin();
	fill(&f, 1, true, 9, 0);
	ck_assert_int_eq(take(&f.frame), 0);
	ck_assert_int_eq(view_message_take(&messages, view, SLICE_LITERAL("cluster"), SLICE_LITERAL("\xff\xff\xff"), &next), ERR_CORRUPT);
	fill(&f, 2, false, 9, 0);
	f.topic.id.len = 7;
	ck_assert_int_eq(take(&f.frame), ERR_INVALID);
	/* A new topic whose first partition is missing. */
	fill(&f, 2, false, 3, 1);
	f.topic.name = "payments";
	ck_assert_int_eq(take(&f.frame), ERR_INVALID);
	ck_assert_int_eq(view->number, 1);
	ck_assert_int_eq(messages.n, 0);
	end();
}
END_TEST

UNIT_MAIN("broker/view_message", a_snapshot_in_two_frames_is_taken_when_the_last_is_there, a_delta_must_follow_and_removes_by_id,
	  a_topic_made_anew_under_its_name_takes_the_place_of_the_removed_one,
	  damage_is_refused_and_leaves_the_view)
