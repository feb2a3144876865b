/* Topics against the picture; see ctl_topic.h. */
#include "tools/controller/ctl_topic.h"

#include "tools/controller/ctl_delete.h"
#include "tools/controller/ctl_elect.h"
#include "tools/controller/ctl_partition.h"
#include "tools/controller/ctl_reassign.h"
#include "tools/controller/ctl_step.h"
#include "tools/controller/ctl_view.h"

#include <string.h>

/* ---- the list ---- */

static bool is_legal_name(struct slice name)
{
	if (name.len == 0 || name.len > LIMIT_TOPIC_NAME_BYTES || slice_is_text(name, ".") || slice_is_text(name, ".."))
		return false;
	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

static void ask_about(struct ctl *ctl, struct ctl_topic *topic)
{
	ctl_ask(ctl, CTL_READ_TOPIC, topic->name);
	ctl_ask(ctl, CTL_READ_TOPIC_CONFIG, topic->name);
}

static void wait_as_odd(struct ctl *ctl, struct ctl_topic *topic, const char *why, struct slice more)
{
	ctl_action_report(ctl->out, true, "the znode of topic %.*s is nonsense (%s%s%.*s): the topic waits until it is mended",
			  SLICE_ARGS(topic->name), why, slice_is_null(more) ? "" : ": ", SLICE_ARGS(more));
	if (topic->phase != CTL_TOPIC_LIVE)
		topic->phase = CTL_TOPIC_ODD;
	ctl_partition_let_tell(ctl, topic);
	ctl_reassign_on_node_odd(ctl, topic);
	ctl_delete_check(ctl, topic);
}

static void add(struct ctl *ctl, struct slice name)
{
	struct ctl_topic *topic = ctl_topic_add(ctl, name);

	topic->listed = ctl->listing;
	if (is_legal_name(name)) {
		ask_about(ctl, topic);
		ctl_delete_mark(ctl, topic);
	} else {
		wait_as_odd(ctl, topic, "its name is none that a topic can have", SLICE_NULL);
	}
}

/* Its node is gone, or is another one: nobody asked us, so the replicas stop serving and keep their files. */
static void forget(struct ctl *ctl, struct ctl_topic *topic)
{
	if (!uuid_is_zero(&topic->id))
		ctl_view_stop(ctl, topic);
	ctl_topic_drop(ctl, topic);
}

static void on_gone(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->deletion >= CTL_DELETION_STOPPING)
		return;
	if (!uuid_is_zero(&topic->id))
		ctl_action_report(ctl->out, true, "topic %.*s: its znode is gone without a deletion request; its replicas stop and keep their files",
				  SLICE_ARGS(topic->name));
	forget(ctl, topic);
}

void ctl_topic_on_list_read(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_topic *next;

	ctl->listing++;
	for (int i = 0; i < event->n_names; i++) {
		struct ctl_topic *topic = ctl_topic_find(ctl, event->names[i]);

		if (topic)
			topic->listed = ctl->listing;
		else
			add(ctl, event->names[i]);
	}
	for (struct ctl_topic *topic = ctl->topics; topic; topic = next) {
		next = topic->next;
		if (topic->listed != ctl->listing)
			on_gone(ctl, topic);
	}
	ctl_delete_drop_unknown(ctl);
}

/* ---- the node ---- */

static const char *find_fault_of_reassignment(const struct ctl_assignment *assignment)
{
	for (int i = 0; i < assignment->n_adding; i++)
		if (!ctl_contains(assignment->replicas, assignment->n_replicas, assignment->adding[i]) ||
		    ctl_contains(assignment->adding, i, assignment->adding[i]))
			return "a partition adds a broker twice or one that is no replica";
	for (int i = 0; i < assignment->n_removing; i++)
		if (!ctl_contains(assignment->replicas, assignment->n_replicas, assignment->removing[i]) ||
		    ctl_contains(assignment->removing, i, assignment->removing[i]))
			return "a partition removes a broker twice or one that is no replica";
	if (assignment->n_removing >= assignment->n_replicas || assignment->n_adding >= assignment->n_replicas)
		return "a partition adds or removes all of its replicas";
	return NULL;
}

static const char *find_fault_of_partition(const struct ctl_assignment *assignment)
{
	if (assignment->n_replicas < 1)
		return "a partition has no replica";
	if (assignment->n_replicas > LIMIT_REPLICAS || assignment->n_adding > LIMIT_REPLICAS || assignment->n_removing > LIMIT_REPLICAS)
		return "a partition has too many replicas";
	for (int i = 0; i < assignment->n_replicas; i++)
		if (assignment->replicas[i] < 0 || ctl_contains(assignment->replicas, i, assignment->replicas[i]))
			return "a partition names a broker twice or a negative number";
	return find_fault_of_reassignment(assignment);
}

static const char *find_fault(const struct ctl_topic_read *node)
{
	const char *fault = NULL;

	if (node->found == CTL_NONSENSE)
		return "it cannot be read";
	if (node->n_partitions < 1)
		return "it has no partitions";
	if (node->n_partitions > LIMIT_TOPIC_PARTITIONS)
		return "it has too many partitions";
	for (int32_t i = 0; i < node->n_partitions && !fault; i++)
		fault = find_fault_of_partition(&node->partitions[i]);
	return fault;
}

static void ask_states(struct ctl *ctl, struct ctl_topic *topic, int32_t first)
{
	struct ctl_action *action = ctl_ask(ctl, CTL_READ_STATES, topic->name);

	action->first_partition = first;
	action->n_partitions = topic->n_partitions - first;
	action->likely_absent = !ctl->loading;
}

static bool same_replicas(const struct ctl_partition *p, const struct ctl_assignment *assignment)
{
	return p->n_replicas == assignment->n_replicas &&
	       memcmp(p->replicas, assignment->replicas, (size_t)p->n_replicas * sizeof *p->replicas) == 0;
}

/* Partitions that are known already keep their replicas: only the controller moves them. */
static void report_moved(struct ctl *ctl, const struct ctl_topic *topic, const struct ctl_topic_read *node)
{
	for (int32_t i = 0; i < topic->n_partitions && i < node->n_partitions; i++)
		if (!same_replicas(&topic->partitions[i], &node->partitions[i])) {
			ctl_action_report(ctl->out, true,
					  "topic %.*s: somebody wrote other replicas of partition %d into its znode; that is not obeyed, "
					  "use a reassignment",
					  SLICE_ARGS(topic->name), i);
			return;
		}
	if (node->n_partitions < topic->n_partitions)
		ctl_action_report(ctl->out, true, "topic %.*s: somebody took partitions out of its znode; that is not obeyed",
				  SLICE_ARGS(topic->name));
}

static void take_partitions(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_topic_read *node)
{
	int32_t first = topic->n_partitions;

	report_moved(ctl, topic, node);
	if (node->n_partitions <= first)
		return;
	ctl_topic_grow(ctl, topic, node->n_partitions);
	for (int32_t i = first; i < topic->n_partitions; i++)
		ctl_partition_set_replicas(ctl, &topic->partitions[i], &node->partitions[i]);
	ask_states(ctl, topic, first);
}

static void write_id(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_topic_read *node)
{
	if (uuid_is_zero(&topic->id)) {
		ctl_topic_set_id(ctl, topic, &node->spare_id);
		ctl_action_report(ctl->out, false, "topic %.*s gets a topic id", SLICE_ARGS(topic->name));
	} else {
		ctl_action_report(ctl->out, true, "topic %.*s: somebody wrote its znode without the topic id; it is written back",
				  SLICE_ARGS(topic->name));
	}
	topic->ticket = ctl_next_ticket(ctl);
	ctl_action_add(ctl->out, CTL_DO_WRITE)->write = (struct ctl_write){
		.kind = CTL_WRITE_TOPIC,
		.ticket = topic->ticket,
		.epoch_version = ctl->epoch_version,
		.topic_name = topic->name,
		.topic = topic,
		.partition = -1,
		.version = node->version,
	};
}

/* The same node, read again or for the first time. */
static void take_node(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_topic_read *node)
{
	const char *fault = find_fault(node);

	if (fault) {
		wait_as_odd(ctl, topic, fault, node->text);
		return;
	}
	topic->created = node->created;
	topic->version = node->version;
	if (!uuid_is_zero(&node->id) && uuid_is_zero(&topic->id)) {
		if (ctl_topic_find_id(ctl, &node->id)) {
			wait_as_odd(ctl, topic, "another topic has the same topic id", SLICE_NULL);
			return;
		}
		ctl_topic_set_id(ctl, topic, &node->id);
	} else if (!uuid_is_zero(&node->id) && !uuid_equal(&node->id, &topic->id)) {
		wait_as_odd(ctl, topic, "its topic id was changed", SLICE_NULL);
		return;
	}
	ctl_reassign_on_node_read(ctl, topic, node);
	take_partitions(ctl, topic, node);
	if (topic->phase != CTL_TOPIC_LIVE)
		topic->phase = CTL_TOPIC_LOADING;
	if (uuid_is_zero(&node->id))
		write_id(ctl, topic, node);
}

/* States that were nonsense are read again when somebody touches the topic's node. */
static void read_odd_again(struct ctl *ctl, struct ctl_topic *topic)
{
	for (int32_t i = 0; i < topic->n_partitions; i++) {
		struct ctl_action *action;

		if (!topic->partitions[i].odd)
			continue;
		action = ctl_ask(ctl, CTL_READ_STATES, topic->name);
		action->first_partition = i;
		action->n_partitions = 1;
	}
}

void ctl_topic_on_node_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_topic_read *node)
{
	if (topic->deletion >= CTL_DELETION_STOPPING)
		return;
	if (topic->ticket != 0) {
		topic->reread = true;
		return;
	}
	if (node->found == CTL_ABSENT) {
		on_gone(ctl, topic);
		return;
	}
	if (node->found == CTL_FOUND && topic->created != 0 && topic->created != node->created) {
		struct slice name = arena_copy(ctl->out->arena, topic->name);

		ctl_action_report(ctl->out, true, "topic %.*s was deleted and created again behind the controller's back", SLICE_ARGS(name));
		forget(ctl, topic);
		add(ctl, name);
		return;
	}
	if (topic->phase == CTL_TOPIC_LIVE)
		read_odd_again(ctl, topic);
	take_node(ctl, topic, node);
	ctl_topic_may_go_live(ctl, topic);
}

void ctl_topic_on_written(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_written *written)
{
	if (topic->ticket == 0 || topic->ticket != written->ticket)
		return;
	if (topic->moves_written) {
		ctl_reassign_on_written(ctl, topic, written);
		return;
	}
	topic->ticket = 0;
	/* An id that nobody was told of and that is not there is none. */
	if (written->outcome != CTL_DONE && topic->phase != CTL_TOPIC_LIVE)
		ctl_topic_set_id(ctl, topic, &UUID_ZERO);
	if (written->outcome == CTL_FAILED) {
		wait_as_odd(ctl, topic, "its topic id cannot be written", SLICE_NULL);
		return;
	}
	/* What stands there now is read, whoever wrote it. */
	if (written->outcome == CTL_DONE)
		topic->version = written->version;
	if (written->outcome != CTL_DONE || topic->reread)
		ctl_ask(ctl, CTL_READ_TOPIC, topic->name);
	topic->reread = false;
	ctl_topic_may_go_live(ctl, topic);
}

/* ---- states ---- */

void ctl_topic_may_go_live(struct ctl *ctl, struct ctl_topic *topic)
{
	if (topic->phase != CTL_TOPIC_LOADING || !topic->configs_known || topic->ticket != 0 || uuid_is_zero(&topic->id))
		return;
	for (int32_t i = 0; i < topic->n_partitions; i++)
		if (topic->partitions[i].state == CTL_NON_EXISTENT)
			return;
	topic->phase = CTL_TOPIC_LIVE;
	ctl_topic_touch(ctl, topic);
	ctl_partition_check_topic(ctl, topic);
	ctl_delete_check(ctl, topic);
}

void ctl_topic_on_states_read(struct ctl *ctl, struct ctl_topic *topic, const struct ctl_event *event)
{
	topic->has_parents |= event->has_parents;
	for (int32_t i = 0; i < event->n_states; i++)
		ctl_partition_on_read(ctl, topic, &event->states[i]);
	ctl_topic_may_go_live(ctl, topic);
}

void ctl_topic_on_states_changed(struct ctl *ctl, const struct ctl_event *event)
{
	struct ctl_topic *topic = ctl_topic_find(ctl, event->topic);

	if (!topic || topic->phase != CTL_TOPIC_LIVE || topic->deletion >= CTL_DELETION_STOPPING)
		return;
	ask_states(ctl, topic, 0);
}
