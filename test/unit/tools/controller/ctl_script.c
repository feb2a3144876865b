/* Dialogues as text; see ctl_script.h. */
#include "test/unit/tools/controller/ctl_script.h"

#include "common/memory.h"
#include "proto/api.h"
#include "proto/kafka/alter_partition_reassignments.gen.h"
#include "proto/kafka/elect_leaders.gen.h"
#include "proto/kafka/list_partition_reassignments.gen.h"
#include "proto/kafka_error.h"
#include "tools/controller/ctl_failure.h"
#include "tools/controller/ctl_reassign.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 64

struct words {
	char *at[WORDS_MAX];
	int n;
};

void ctl_script_init(struct ctl_script *script, FILE *out)
{
	static const struct ctl_settings settings = {
		.session_timeout_ms = 6000, .unclean_leader_election = false, .delete_topic_enable = true};

	*script = (struct ctl_script){.out = out, .now_ms = 1000};
	arena_init(&script->arena);
	ctl_init(&script->ctl, &settings);
}

void ctl_script_fini(struct ctl_script *script)
{
	ctl_fini(&script->ctl);
	arena_fini(&script->arena);
}

struct uuid ctl_script_id(int n)
{
	struct uuid id = UUID_ZERO;

	id.bytes[15] = (uint8_t)n;
	id.bytes[0] = n ? 0x40 : 0;
	return id;
}

/* ---- parsing ---- */

static struct words split(char *text, const char *at)
{
	struct words words = {.n = 0};
	char *rest = NULL;

	for (char *word = strtok_r(text, at, &rest); word && words.n < WORDS_MAX; word = strtok_r(NULL, at, &rest))
		words.at[words.n++] = word;
	return words;
}

static int32_t *parse_ids(struct arena *arena, char *text, const char *at, int32_t *ret_n)
{
	struct words words = split(text, at);
	int32_t *ids = arena_zalloc(arena, (size_t)words.n, sizeof *ids);

	for (int i = 0; i < words.n; i++)
		ids[i] = atoi(words.at[i]);
	*ret_n = words.n;
	return ids;
}

static int64_t *parse_epochs(struct arena *arena, char *text)
{
	struct words words = split(text, ".");
	int64_t *epochs = arena_zalloc(arena, (size_t)words.n, sizeof *epochs);

	for (int i = 0; i < words.n; i++)
		epochs[i] = atoll(words.at[i]);
	return epochs;
}

static void parse_brokers(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_broker_read *brokers = arena_zalloc(arena, (size_t)words->n, sizeof *brokers);

	for (int i = 0; i < words->n; i++) {
		char *rack = strchr(words->at[i], '/');
		char *mark = strchr(words->at[i], '!');
		char *before = strchr(words->at[i], '^');
		char *minimum = strchr(words->at[i], '%');
		struct ctl_endpoint *endpoint = arena_zalloc(arena, 1, sizeof *endpoint);

		brokers[i].id = atoi(words->at[i]);
		brokers[i].epoch = atoll(strchr(words->at[i], '@') + 1);
		brokers[i].foreign = mark && strcmp(mark, "!foreign") == 0;
		brokers[i].odd = mark && strcmp(mark, "!odd") == 0;
		brokers[i].durable = mark && strcmp(mark, "!durable") == 0;
		brokers[i].start = mark && (strcmp(mark, "!unclean") == 0 || brokers[i].durable) ? CTL_START_UNCLEAN
				   : mark && strcmp(mark, "!empty") == 0 ? CTL_START_EMPTY
									 : CTL_START_WHOLE;
		brokers[i].previous = before ? atoll(before + 1) : 0;
		brokers[i].min_isr = minimum ? atoi(minimum + 1) : 0;
		brokers[i].rack = rack ? slice_of_text(rack + 1) : SLICE_NULL;
		*endpoint = (struct ctl_endpoint){SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("localhost"),
						  9090 + brokers[i].id};
		brokers[i].endpoints = endpoint;
		brokers[i].n_endpoints = 1;
		brokers[i].inter_broker = -1;
	}
	event->brokers = brokers;
	event->n_brokers = words->n;
}

static void parse_names(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct slice *names = arena_zalloc(arena, (size_t)words->n, sizeof *names);

	for (int i = 0; i < words->n; i++)
		names[i] = slice_of_text(words->at[i]);
	event->names = names;
	event->n_names = words->n;
}

static void parse_assignment(struct arena *arena, char *word, struct ctl_topic_read *node, struct ctl_assignment *partitions)
{
	struct ctl_assignment *assignment = &partitions[node->n_partitions++];

	char *adding = strchr(word, '+');
	char *removing = strchr(word, '-');

	if (adding)
		*adding = 0;
	if (removing)
		*removing = 0;
	assignment->replicas = parse_ids(arena, strchr(word, ':') + 1, ",", &assignment->n_replicas);
	if (adding)
		assignment->adding = parse_ids(arena, adding + 1, ",", &assignment->n_adding);
	if (removing)
		assignment->removing = parse_ids(arena, removing + 1, ",", &assignment->n_removing);
}

static void parse_topic(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_topic_read *node = arena_zalloc(arena, 1, sizeof *node);
	struct ctl_assignment *partitions = arena_zalloc(arena, WORDS_MAX, sizeof *partitions);

	node->spare_id = ctl_script_id(99);
	node->partitions = partitions;
	event->node = node;
	for (int i = 0; i < words->n; i++) {
		char *word = words->at[i];

		if (strcmp(word, "absent") == 0)
			node->found = CTL_ABSENT;
		else if (strcmp(word, "nonsense") == 0)
			node->found = CTL_NONSENSE;
		else if (word[0] == 'c')
			node->created = atoll(word + 1);
		else if (word[0] == 'v')
			node->version = atoi(word + 1);
		else if (word[0] == 'i')
			node->id = ctl_script_id(atoi(word + 2));
		else
			parse_assignment(arena, word, node, partitions);
	}
}

static void parse_state_field(struct arena *arena, char *field, struct ctl_state_read *state)
{
	switch (field[0]) {
	case 'v':
		state->version = atoi(field + 1);
		break;
	case 'z':
		state->mzxid = atoll(field + 1);
		break;
	case 'l':
		state->leader = atoi(field + 1);
		break;
	case 'e':
		state->leader_epoch = atoi(field + 1);
		break;
	case 'c':
		state->controller_epoch = atoi(field + 1);
		break;
	case 'r':
		state->recovering = true;
		break;
	case 'I':
		state->isr_epochs = parse_epochs(arena, field + 1);
		break;
	case 'q':
		state->has_elr = true;
		state->elr = parse_ids(arena, field + 1, ".", &state->n_elr);
		break;
	case 'Q':
		state->elr_epochs = parse_epochs(arena, field + 1);
		break;
	case 'x':
		state->lost = parse_ids(arena, field + 1, ".", &state->n_lost);
		break;
	default:
		state->isr = parse_ids(arena, field + 1, ".", &state->n_isr);
	}
}

static void parse_states(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_state_read *states = arena_zalloc(arena, (size_t)words->n, sizeof *states);

	event->states = states;
	event->n_states = words->n;
	for (int i = 0; i < words->n; i++) {
		char *rest = strchr(words->at[i], ':') + 1;

		states[i].partition = atoi(words->at[i]);
		if (strcmp(rest, "absent") == 0) {
			states[i].found = CTL_ABSENT;
		} else if (strcmp(rest, "nonsense") == 0) {
			states[i].found = CTL_NONSENSE;
		} else {
			struct words fields = split(rest, ",");

			for (int k = 0; k < fields.n; k++)
				parse_state_field(arena, fields.at[k], &states[i]);
		}
	}
}

static void parse_config(struct arena *arena, const struct words *words, struct ctl_config_read *config)
{
	struct ctl_pair *pairs = arena_zalloc(arena, (size_t)words->n, sizeof *pairs);

	config->pairs = pairs;
	for (int i = 0; i < words->n; i++) {
		char *equals = strchr(words->at[i], '=');

		if (!equals) {
			config->version = atoi(words->at[i] + 1);
			continue;
		}
		pairs[config->n_pairs].name = slice_of(words->at[i], (size_t)(equals - words->at[i]));
		pairs[config->n_pairs++].value = slice_of_text(equals + 1);
	}
}

static void parse_broker_configs(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_config_read *configs = arena_zalloc(arena, (size_t)words->n, sizeof *configs);

	event->configs = configs;
	event->n_configs = words->n;
	for (int i = 0; i < words->n; i++) {
		struct words fields = split(strchr(words->at[i], ':') + 1, ",");

		configs[i].broker = words->at[i][0] == 'd' ? -1 : atoi(words->at[i]);
		parse_config(arena, &fields, &configs[i]);
	}
}

/* topic:partition[=replicas]; in requests each in a topic of its own, as a client may send it. */
static struct slice topic_of_item(char *item, int32_t *ret_partition, char **ret_rest)
{
	char *colon = strchr(item, ':');

	*ret_partition = atoi(colon + 1);
	*ret_rest = strchr(colon, '=');
	return slice_of(item, (size_t)(colon - item));
}

/* "v0 t:0=1,2 u:1" */
static void parse_legacy(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_legacy_read *read = arena_zalloc(arena, 1, sizeof *read);
	struct ctl_legacy_wish *wishes = arena_zalloc(arena, WORDS_MAX, sizeof *wishes);
	char *rest;

	read->version = -1;
	read->wishes = wishes;
	read->text = SLICE_LITERAL("why");
	event->legacy = read;
	for (int i = 0; i < words->n; i++) {
		struct ctl_legacy_wish *wish = &wishes[read->n_wishes];

		if (strcmp(words->at[i], "absent") == 0) {
			read->found = CTL_ABSENT;
		} else if (strcmp(words->at[i], "nonsense") == 0) {
			read->found = CTL_NONSENSE;
		} else if (!strchr(words->at[i], ':')) {
			read->version = atoi(words->at[i] + 1);
		} else {
			wish->topic = topic_of_item(words->at[i], &wish->partition, &rest);
			wish->replicas = rest ? parse_ids(arena, rest + 1, ",", &wish->n_replicas) : NULL;
			read->n_wishes++;
		}
	}
}

static bool parse_incarnation(const char *word, struct ctl_event *event)
{
	const char *at = word ? strchr(word, '@') : NULL;

	if (!at)
		return false;
	event->broker = atoi(word);
	event->broker_epoch = atoll(at + 1);
	return true;
}

static void parse_results(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_replica_error *errors = arena_zalloc(arena, (size_t)words->n, sizeof *errors);
	struct ctl_replica_end *ends = arena_zalloc(arena, (size_t)words->n, sizeof *ends);

	event->request = atoll(words->at[1]);
	event->errors = errors;
	event->ends = ends;
	for (int i = 2; i < words->n; i++) {
		int id;
		int partition;
		int error;
		int last_epoch;
		int end;
		char sign = 0;

		if (strcmp(words->at[i], "error") == 0)
			event->error = atoi(words->at[++i]);
		else if (sscanf(words->at[i], "id%d/%d=%d%c", &id, &partition, &error, &sign) >= 3)
			errors[event->n_errors++] = (struct ctl_replica_error){ctl_script_id(id), partition, error, sign == '+'};
		else if (sscanf(words->at[i], "id%d/%d:e%d,%d,%d", &id, &partition, &error, &last_epoch, &end) == 5)
			ends[event->n_ends++] = (struct ctl_replica_end){ctl_script_id(id), partition, error, last_epoch, end};
	}
}

/* "id7/0 number epoch/version 1 2@110": a member without epoch was in before. */
static void parse_proposal(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_isr_proposal *proposal = arena_zalloc(arena, 1, sizeof *proposal);
	struct ctl_isr_member *isr = arena_zalloc(arena, WORDS_MAX, sizeof *isr);
	int id = 0;

	sscanf(words->at[2], "id%d/%d", &id, &proposal->partition);
	proposal->topic_id = ctl_script_id(id);
	proposal->number = atoll(words->at[3]);
	sscanf(words->at[4], "%d/%d", &proposal->leader_epoch, &proposal->partition_epoch);
	for (int i = 5; i < words->n; i++) {
		const char *at = strchr(words->at[i], '@');

		isr[proposal->n_isr++] = (struct ctl_isr_member){atoi(words->at[i]), at ? atoll(at + 1) : -1};
	}
	proposal->isr = isr;
	event->proposals = proposal;
	event->n_proposals = 1;
}

static void *parse_alter(struct arena *arena, const struct words *words)
{
	struct alter_partition_reassignments_request *request = message_array(arena, &alter_partition_reassignments_request_struct, 1);

	request->timeout_ms = atoi(words->at[4]);
	request->topics = message_array(arena, &alter_partition_reassignments_request_topic_struct, WORDS_MAX);
	for (int i = 5; i < words->n; i++) {
		struct alter_partition_reassignments_request_topic *topic = &request->topics[request->n_topics++];
		char *rest;

		topic->partitions = message_array(arena, &alter_partition_reassignments_request_partition_struct, 1);
		topic->n_partitions = 1;
		topic->name = topic_of_item(words->at[i], &topic->partitions[0].partition_index, &rest);
		topic->partitions[0].replicas = rest ? parse_ids(arena, rest + 1, ",", &topic->partitions[0].n_replicas) : NULL;
		if (!rest)
			topic->partitions[0].n_replicas = -1;
	}
	return request;
}

static void *parse_elect(struct arena *arena, const struct words *words)
{
	struct elect_leaders_request *request = message_array(arena, &elect_leaders_request_struct, 1);

	request->timeout_ms = atoi(words->at[4]);
	request->election_type = (int8_t)(strcmp(words->at[5], "unclean") == 0);
	request->n_topic_partitions = words->n == 6 ? -1 : 0;
	request->topic_partitions = message_array(arena, &elect_leaders_request_topic_struct, WORDS_MAX);
	for (int i = 6; i < words->n; i++) {
		struct elect_leaders_request_topic *topic = &request->topic_partitions[request->n_topic_partitions++];
		char *rest;

		topic->partitions = arena_zalloc(arena, 1, sizeof *topic->partitions);
		topic->n_partitions = 1;
		topic->topic = topic_of_item(words->at[i], &topic->partitions[0], &rest);
	}
	return request;
}

static void *parse_list(struct arena *arena, const struct words *words)
{
	struct list_partition_reassignments_request *request = message_array(arena, &list_partition_reassignments_request_struct, 1);

	request->n_topics = words->n == 4 ? -1 : 0;
	request->topics = message_array(arena, &list_partition_reassignments_request_topic_struct, WORDS_MAX);
	for (int i = 4; i < words->n; i++) {
		struct list_partition_reassignments_request_topic *topic = &request->topics[request->n_topics++];
		char *rest;

		topic->partition_indexes = arena_zalloc(arena, 1, sizeof *topic->partition_indexes);
		topic->n_partition_indexes = 1;
		topic->name = topic_of_item(words->at[i], &topic->partition_indexes[0], &rest);
	}
	return request;
}

static struct slice encode_body(struct arena *arena, const struct message_schema *schema, int version, const void *request)
{
	struct wire_writer out;
	struct slice body;

	wire_writer_init(&out, buf_new(256));
	message_encode(schema, version, request, &out, NULL);
	body = arena_copy(arena, buf_slice(out.buf));
	buf_release(out.buf);
	return body;
}

static void parse_forwarded(struct arena *arena, const struct words *words, struct ctl_event *event)
{
	struct ctl_forwarded *forwarded = arena_zalloc(arena, 1, sizeof *forwarded);
	const struct message_schema *schema = NULL;
	const void *request = NULL;

	forwarded->number = atoll(words->at[2]);
	forwarded->api_key = atoi(words->at[3]);
	if (strcmp(words->at[3], "alter") == 0) {
		forwarded->api_key = API_ALTER_PARTITION_REASSIGNMENTS;
		schema = &alter_partition_reassignments_request_schema;
		request = parse_alter(arena, words);
	} else if (strcmp(words->at[3], "elect") == 0) {
		forwarded->api_key = API_ELECT_LEADERS;
		schema = &elect_leaders_request_schema;
		request = parse_elect(arena, words);
	} else if (strcmp(words->at[3], "list") == 0) {
		forwarded->api_key = API_LIST_PARTITION_REASSIGNMENTS;
		schema = &list_partition_reassignments_request_schema;
		request = parse_list(arena, words);
	}
	if (schema) {
		forwarded->api_version = schema->until;
		forwarded->body = encode_body(arena, schema, schema->until, request);
	}
	event->forwarded = forwarded;
}

/* ---- printing ---- */

static void print_id(FILE *out, const struct uuid *id)
{
	fprintf(out, "id%d", id->bytes[15]);
}

static void print_ids(FILE *out, const int32_t *ids, int n, const char *between)
{
	for (int i = 0; i < n; i++)
		fprintf(out, "%s%d", i ? between : "", ids[i]);
}

static void print_members(FILE *out, const char *what, const int32_t *ids, const int64_t *epochs, int n)
{
	fprintf(out, " %s [", what);
	for (int i = 0; i < n; i++) {
		fprintf(out, "%s%d", i ? "," : "", ids[i]);
		if (epochs)
			fprintf(out, "@%lld", (long long)epochs[i]);
	}
	fprintf(out, "]");
}

/* What is written says which incarnations are meant. */
static void print_lead(FILE *out, const struct ctl_lead *lead, bool with_epochs)
{
	fprintf(out, "leader %d epoch %d", lead->leader, lead->leader_epoch);
	print_members(out, "isr", lead->isr, with_epochs ? lead->isr_epochs : NULL, lead->n_isr);
	if (with_epochs && lead->n_elr > 0)
		print_members(out, "elr", lead->elr, lead->elr_epochs, lead->n_elr);
	if (with_epochs && lead->n_lost > 0)
		print_members(out, "lost", lead->lost, NULL, lead->n_lost);
	fprintf(out, "%s", lead->recovering ? " recovering" : "");
}

static void print_pairs(FILE *out, const struct ctl_configs *configs)
{
	fprintf(out, " configs v%d {", configs->version);
	for (int i = 0; i < configs->n_pairs; i++)
		fprintf(out, "%s%.*s=%.*s", i ? " " : "", SLICE_ARGS(configs->pairs[i].name), SLICE_ARGS(configs->pairs[i].value));
	fprintf(out, "}");
}

static bool is_fresh(const struct ctl_part *part, int32_t partition)
{
	for (int32_t i = 0; i < part->n_fresh; i++)
		if (part->fresh[i] == partition)
			return true;
	return false;
}

/* The assignment, then +adding and -removing if there are any. */
static void print_replicas(FILE *out, const int32_t *ids, int n_replicas, int n_adding, int n_removing)
{
	print_ids(out, ids, n_replicas, ",");
	if (n_adding > 0)
		fprintf(out, " +");
	print_ids(out, ids + n_replicas, n_adding, ",");
	if (n_removing > 0)
		fprintf(out, " -");
	print_ids(out, ids + n_replicas + n_adding, n_removing, ",");
}

static void print_part(FILE *out, const struct ctl_part *part)
{
	fprintf(out, "\n        %.*s ", SLICE_ARGS(part->topic->name));
	print_id(out, &part->topic->id);
	if (part->has_configs)
		print_pairs(out, &part->topic->configs);
	for (int32_t i = 0; i < part->n_partitions; i++) {
		const struct ctl_partition *p = &part->topic->partitions[part->partitions[i]];

		fprintf(out, "\n        %.*s-%d replicas [", SLICE_ARGS(part->topic->name), part->partitions[i]);
		print_replicas(out, p->replicas, p->n_replicas, p->n_adding, p->n_removing);
		fprintf(out, "] ");
		print_lead(out, &p->now, false);
		fprintf(out, " partition epoch %d%s", p->version, is_fresh(part, part->partitions[i]) ? " fresh" : "");
		for (int k = 0; k < p->n_replicas; k++)
			if (ctl_failure_of(p, p->replicas[k]))
				fprintf(out, " offline %d", p->replicas[k]);
	}
}

static void print_view(FILE *out, const struct ctl_view *view)
{
	fprintf(out, "view %d/%lld%s office %d", view->controller_epoch, (long long)view->number, view->snapshot ? " snapshot" : "",
		view->office);
	if (view->has_brokers) {
		fprintf(out, " brokers [");
		for (int i = 0; i < view->n_brokers; i++)
			fprintf(out, "%s%d@%lld", i ? "," : "", view->brokers[i].id, (long long)view->brokers[i].epoch);
		fprintf(out, "]");
	}
	for (int i = 0; i < view->n_removed; i++) {
		fprintf(out, " removed ");
		print_id(out, &view->removed[i]);
	}
	for (int i = 0; i < view->n_broker_configs; i++) {
		fprintf(out, "\n        broker %d", view->broker_configs[i]->broker);
		print_pairs(out, &view->broker_configs[i]->configs);
	}
	for (int32_t i = 0; i < view->n_topics; i++)
		print_part(out, &view->topics[i]);
}

static void print_stops(FILE *out, const struct ctl_stops *stops)
{
	for (int32_t i = 0; i < stops->n_topics; i++) {
		const struct ctl_stop_topic *topic = &stops->topics[i];

		fprintf(out, "%s%s %.*s ", i ? ", " : "", topic->erase ? "erase" : "stop", SLICE_ARGS(topic->name));
		print_id(out, &topic->id);
		fprintf(out, " [");
		print_ids(out, topic->partitions, topic->n_partitions, ",");
		fprintf(out, "]");
	}
}

static void print_moves(FILE *out, const struct ctl_write *write)
{
	for (int32_t i = 0; i < write->n_moves; i++) {
		const struct ctl_write_move *move = &write->moves[i];

		fprintf(out, "\n        %.*s-%d replicas [", SLICE_ARGS(write->topic_name), move->partition);
		print_replicas(out, move->assignment.replicas, move->assignment.n_replicas, move->assignment.n_adding,
			       move->assignment.n_removing);
		fprintf(out, "]");
		if (!move->lead)
			continue;
		fprintf(out, " at v%d ", move->version);
		print_lead(out, move->lead, true);
		fprintf(out, " ce %d", write->controller_epoch);
	}
}

static void print_write(FILE *out, const struct ctl_write *write)
{
	static const char *const names[] = {"first-state", "state", "topic", "moves", "erase-topic", "erase-request", "office", "elections",
					    "reassignments"};
	bool legacy = write->kind == CTL_WRITE_ELECTIONS || write->kind == CTL_WRITE_REASSIGNMENTS;

	fprintf(out, "write %s", names[write->kind]);
	if (write->topic_name.len > 0)
		fprintf(out, " %.*s", SLICE_ARGS(write->topic_name));
	if (write->partition >= 0)
		fprintf(out, "-%d", write->partition);
	if (write->kind == CTL_WRITE_OFFICE)
		fprintf(out, " %d", write->broker);
	if (write->kind == CTL_WRITE_STATE || write->kind == CTL_WRITE_TOPIC || write->kind == CTL_WRITE_MOVES || legacy)
		fprintf(out, " at v%d", write->version);
	if (write->kind == CTL_WRITE_TOPIC) {
		fprintf(out, " ");
		print_id(out, &write->topic->id);
	}
	if (legacy && write->n_wishes == 0)
		fprintf(out, " deleted");
	for (int32_t i = 0; i < write->n_wishes; i++) {
		fprintf(out, " %.*s-%d [", SLICE_ARGS(write->wishes[i].topic), write->wishes[i].partition);
		print_ids(out, write->wishes[i].replicas, write->wishes[i].n_replicas, ",");
		fprintf(out, "]");
	}
	if (write->lead) {
		fprintf(out, " ");
		print_lead(out, write->lead, true);
		fprintf(out, " ce %d", write->controller_epoch);
	}
	fprintf(out, "%s fence v%d", write->with_parent ? " with parent" : "", write->epoch_version);
	print_moves(out, write);
}

static void print_read(FILE *out, const struct ctl_action *action)
{
	static const char *const names[] = {"brokers", "topics", "topic", "states", "deletions", "config", "broker-configs", "elections", "reassignments"};

	fprintf(out, "read %s", names[action->read]);
	if (action->topic.len > 0)
		fprintf(out, " %.*s", SLICE_ARGS(action->topic));
	if (action->read == CTL_READ_STATES)
		fprintf(out, " %d..%d%s", action->first_partition, action->first_partition + action->n_partitions - 1,
			action->likely_absent ? " likely absent" : "");
}

static void print_answers(FILE *out, const struct ctl_isr_answers *answers)
{
	fprintf(out, "isr answers");
	for (int i = 0; i < answers->n_items; i++) {
		const struct ctl_isr_answer *item = &answers->items[i];

		fprintf(out, "\n        ");
		print_id(out, &item->topic_id);
		fprintf(out, "/%d number %lld", item->partition, (long long)item->number);
		if (item->error != 0) {
			fprintf(out, " %s", kafka_error_name(item->error));
			for (int32_t k = 0; k < item->n_ineligible; k++)
				fprintf(out, "%c%d", k == 0 ? ' ' : ',', item->ineligible[k]);
			continue;
		}
		fprintf(out, " ");
		print_lead(out, &item->state->now, false);
		fprintf(out, " partition epoch %d", item->state->version);
	}
}

static void print_send(FILE *out, const struct ctl_action *action)
{
	fprintf(out, "send %d@%lld ", action->broker, (long long)action->broker_epoch);
	switch (action->message) {
	case CTL_SEND_VIEW:
		print_view(out, action->view);
		break;
	case CTL_SEND_STATES:
		fprintf(out, "states request %lld ce %d", (long long)action->request, action->states->controller_epoch);
		for (int32_t i = 0; i < action->states->n_parts; i++)
			print_part(out, &action->states->parts[i]);
		break;
	case CTL_SEND_STOP:
		fprintf(out, "request %lld ce %d ", (long long)action->request, action->stops->controller_epoch);
		print_stops(out, action->stops);
		break;
	case CTL_SEND_ISR_ANSWERS:
		print_answers(out, action->answers);
		break;
	case CTL_SEND_SHUTDOWN_ANSWER:
		fprintf(out, "shutdown answer remaining %d", action->remaining);
		break;
	case CTL_SEND_FORWARD_ANSWER:
		fprintf(out, "forward answer number %lld %s", (long long)action->forward->number, kafka_error_name(action->forward->error));
		if (action->forward->message)
			fprintf(out, ": %s", action->forward->message);
		if (action->forward->schema) {
			fprintf(out, " ");
			message_dump_json(action->forward->schema, action->forward->version, action->forward->response, out);
		}
		break;
	}
}

void ctl_script_print(FILE *out, const struct ctl *ctl, const struct ctl_action *action)
{
	(void)ctl;
	fprintf(out, "    ");
	switch (action->kind) {
	case CTL_DO_READ:
		print_read(out, action);
		break;
	case CTL_DO_WRITE:
		print_write(out, &action->write);
		break;
	case CTL_DO_CONNECT:
	case CTL_DO_DISCONNECT:
		fprintf(out, "%s %d@%lld", action->kind == CTL_DO_CONNECT ? "connect" : "disconnect", action->broker,
			(long long)action->broker_epoch);
		break;
	case CTL_DO_SEND:
		print_send(out, action);
		break;
	case CTL_DO_RAISE_EPOCH:
		fprintf(out, "stand again with epoch %d", action->epoch);
		break;
	case CTL_DO_TIMER:
		fprintf(out, "timer at %lld", (long long)action->at_ms);
		break;
	case CTL_DO_REPORT:
		fprintf(out, "%s: %s", action->warning ? "warn" : "info", action->text);
		break;
	}
	fprintf(out, "\n");
}

/* ---- running ---- */

static void remember_one(struct ctl_script *script, const struct ctl_write *write, int32_t partition, int32_t version)
{
	int at = script->n_writes;

	if (write->ticket == 0 || at == CTL_SCRIPT_WRITES)
		return;
	script->writes[at].ticket = write->ticket;
	snprintf(script->writes[at].topic, sizeof script->writes[at].topic, "%.*s", SLICE_ARGS(write->topic_name));
	script->writes[at].partition = partition;
	script->writes[at].version = version;
	script->n_writes++;
}

static void remember_write(struct ctl_script *script, const struct ctl_write *write)
{
	if (write->kind == CTL_WRITE_ELECTIONS || write->kind == CTL_WRITE_REASSIGNMENTS)
		return;
	remember_one(script, write, write->partition, write->kind == CTL_WRITE_FIRST_STATE ? 0 : write->version + 1);
	for (int32_t i = 0; i < write->n_moves; i++)
		if (write->moves[i].lead)
			remember_one(script, write, write->moves[i].partition, write->moves[i].version + 1);
}

static void run(struct ctl_script *script, const struct ctl_event *event)
{
	struct ctl_actions actions;

	ctl_actions_init(&actions, &script->arena);
	ctl_step(&script->ctl, event, script->now_ms, &actions);
	ctl_flush(&script->ctl, script->now_ms, &actions);
	for (int32_t i = 0; i < actions.n_items; i++) {
		ctl_script_print(script->out, &script->ctl, &actions.items[i]);
		if (actions.items[i].kind == CTL_DO_WRITE)
			remember_write(script, &actions.items[i].write);
		if (actions.items[i].kind == CTL_DO_TIMER)
			script->timer_ms = actions.items[i].at_ms;
	}
}

static void forget_write(struct ctl_script *script, int at)
{
	script->n_writes--;
	memmove(&script->writes[at], &script->writes[at + 1], (size_t)(script->n_writes - at) * sizeof script->writes[0]);
}

/* The write of that partition (-1: of the topic's node), and what went in one multi with it. */
static int take_writes(struct ctl_script *script, const char *topic, int32_t partition, struct ctl_written *ret_written)
{
	uint32_t ticket = 0;
	int n = 0;

	for (int i = 0; i < script->n_writes && ticket == 0; i++)
		if (strcmp(script->writes[i].topic, topic) == 0 && script->writes[i].partition == partition)
			ticket = script->writes[i].ticket;
	for (int i = 0; i < script->n_writes && ticket != 0;) {
		if (script->writes[i].ticket != ticket) {
			i++;
			continue;
		}
		ret_written[n++] = (struct ctl_written){.ticket = ticket,
							.topic = slice_of_text(topic),
							.partition = script->writes[i].partition,
							.version = script->writes[i].version};
		forget_write(script, i);
	}
	return n;
}

/* Of a node below /admin; a ticket that it does not know is one of the other's. */
static bool run_legacy_written(struct ctl_script *script, const struct words *words)
{
	const struct ctl_legacy *legacy = &script->ctl.legacy;
	struct ctl_written written = {.topic = SLICE_LITERAL(""), .partition = -1};
	struct ctl_event event = {.kind = CTL_WRITE_DONE, .written = &written, .n_written = 1};

	written.ticket = words->at[1][0] == 'e' ? legacy->elections_ticket : legacy->moves_ticket;
	written.outcome = words->at[2][0] == 'd' ? CTL_DONE : words->at[2][0] == 'm' ? CTL_MISSED : CTL_FAILED;
	written.version = words->n > 3 ? atoi(words->at[3]) : 0;
	run(script, &event);
	return written.ticket != 0;
}

static bool run_written(struct ctl_script *script, const struct words *words)
{
	struct ctl_written *written = arena_zalloc(&script->arena, CTL_SCRIPT_WRITES, sizeof *written);
	struct ctl_event event = {.kind = CTL_WRITE_DONE, .written = written};

	event.n_written = take_writes(script, words->at[1], atoi(words->at[2]), written);
	if (event.n_written == 0) {
		written[0] = (struct ctl_written){.topic = slice_of_text(words->at[1]), .partition = atoi(words->at[2])};
		event.n_written = 1;
	}
	for (int i = 0; i < event.n_written; i++) {
		written[i].outcome = words->at[3][0] == 'd' ? CTL_DONE : words->at[3][0] == 'm' ? CTL_MISSED : CTL_FAILED;
		if (words->n > 4 && event.n_written == 1)
			written[i].version = atoi(words->at[4]);
	}
	run(script, &event);
	return true;
}

static bool run_all_written(struct ctl_script *script)
{
	struct ctl_written *written = arena_zalloc(&script->arena, (size_t)script->n_writes, sizeof *written);
	struct ctl_event event = {.kind = CTL_WRITE_DONE, .written = written, .n_written = script->n_writes};

	for (int i = 0; i < script->n_writes; i++)
		written[i] = (struct ctl_written){.ticket = script->writes[i].ticket,
						  .outcome = CTL_DONE,
						  .topic = arena_copy(&script->arena, slice_of_text(script->writes[i].topic)),
						  .partition = script->writes[i].partition,
						  .version = script->writes[i].version};
	script->n_writes = 0;
	run(script, &event);
	return true;
}

static bool run_wait(struct ctl_script *script, const struct words *words)
{
	struct ctl_event event = {.kind = CTL_TIMER};

	script->now_ms += atoll(words->at[1]);
	if (script->timer_ms != 0 && script->timer_ms <= script->now_ms) {
		script->timer_ms = 0;
		run(script, &event);
	}
	return true;
}

static bool run_reading(struct ctl_script *script, enum ctl_read read, bool asked, struct words words)
{
	struct ctl_event event = {.kind = CTL_READ_DONE, .read = read, .asked = asked};
	struct ctl_config_read config = {.version = -1};

	memmove(words.at, words.at + 1, sizeof words.at - sizeof words.at[0]);
	words.n--;
	if (read == CTL_READ_TOPIC || read == CTL_READ_STATES || read == CTL_READ_TOPIC_CONFIG) {
		event.topic = slice_of_text(words.at[0]);
		memmove(words.at, words.at + 1, sizeof words.at - sizeof words.at[0]);
		words.n--;
	}
	switch (read) {
	case CTL_READ_BROKERS:
		parse_brokers(&script->arena, &words, &event);
		break;
	case CTL_READ_TOPIC:
		parse_topic(&script->arena, &words, &event);
		break;
	case CTL_READ_STATES:
		parse_states(&script->arena, &words, &event);
		break;
	case CTL_READ_TOPIC_CONFIG:
		parse_config(&script->arena, &words, &config);
		event.configs = &config;
		event.n_configs = 1;
		break;
	case CTL_READ_BROKER_CONFIGS:
		parse_broker_configs(&script->arena, &words, &event);
		break;
	case CTL_READ_ELECTIONS:
	case CTL_READ_REASSIGNMENTS:
		parse_legacy(&script->arena, &words, &event);
		break;
	default:
		parse_names(&script->arena, &words, &event);
	}
	run(script, &event);
	return true;
}

static bool run_simple(struct ctl_script *script, const char *verb, const struct words *words)
{
	static const struct {
		const char *verb;
		enum ctl_event_kind kind;
	} kinds[] = {
		{"elected", CTL_ELECTED}, {"reached", CTL_REACHED}, {"lost", CTL_LOST},
		{"gap", CTL_GAP}, {"results", CTL_RESULTS}, {"log-dir-failed", CTL_LOG_DIR_FAILED}, {"states-changed", CTL_STATES_CHANGED},
		{"propose", CTL_ISR_PROPOSED}, {"shutdown", CTL_SHUTDOWN_ASKED}, {"forward", CTL_FORWARDED},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct ctl_event event = {.kind = kinds[i].kind};

		if (strcmp(verb, kinds[i].verb) != 0 || words->n < 2)
			continue;
		if (event.kind == CTL_ELECTED) {
			event.epoch = atoi(words->at[1]);
			event.epoch_version = words->n > 2 ? atoi(words->at[2]) : 0;
			event.ruled_since = words->n > 3 ? atoi(words->at[3]) : 0;
		} else if (event.kind == CTL_LOG_DIR_FAILED) {
			event.broker = atoi(words->at[1]);
		} else if (event.kind == CTL_STATES_CHANGED) {
			event.topic = slice_of_text(words->at[1]);
		} else if (!parse_incarnation(words->at[1], &event)) {
			return false;
		}
		if (event.kind == CTL_RESULTS) {
			struct words rest = *words;

			memmove(rest.at, rest.at + 1, sizeof rest.at - sizeof rest.at[0]);
			rest.n--;
			parse_results(&script->arena, &rest, &event);
		}
		if (event.kind == CTL_ISR_PROPOSED)
			parse_proposal(&script->arena, words, &event);
		if (event.kind == CTL_FORWARDED)
			parse_forwarded(&script->arena, words, &event);
		run(script, &event);
		return true;
	}
	return false;
}

/* ask t 0 1,2 | ask t 0 cancel | outcome t 0 */
static bool run_asking(struct ctl_script *script, const struct words *words)
{
	struct ctl_event nothing = {.kind = CTL_TIMER};
	struct ctl_topic *topic = ctl_topic_find(&script->ctl, slice_of_text(words->at[1]));
	int32_t partition = atoi(words->at[2]);
	struct ctl_actions actions;
	struct slice message;
	int16_t error;
	int32_t *target;
	int32_t n;

	if (!topic || partition >= topic->n_partitions || partition >= CTL_SCRIPT_WRITES)
		return false;
	if (strcmp(words->at[0], "ask") == 0) {
		bool cancel = strcmp(words->at[3], "cancel") == 0;

		target = parse_ids(&script->arena, words->at[3], ",", &n);
		script->serials[partition] = ctl_reassign_ask(&script->ctl, topic, partition, target, cancel ? CTL_REASSIGN_CANCEL : n);
		run(script, &nothing);
		return true;
	}
	ctl_actions_init(&actions, &script->arena);
	script->ctl.out = &actions;
	if (!ctl_reassign_outcome(&script->ctl, topic, partition, script->serials[partition], &error, &message))
		fprintf(script->out, "    open\n");
	else
		fprintf(script->out, "    %s%s%.*s\n", kafka_error_name(error), slice_is_null(message) ? "" : ": ", SLICE_ARGS(message));
	return true;
}

static bool run_words(struct ctl_script *script, const struct words *words)
{
	static const char *const readings[] = {"brokers", "topics", "topic", "states", "deletions", "config", "broker-configs", "elections", "reassignments"};
	char *verb = words->at[0];
	size_t len = strlen(verb);
	bool asked = verb[len - 1] == '*';

	if (asked)
		verb[len - 1] = 0;
	for (size_t i = 0; i < ARRAY_LEN(readings); i++)
		if (strcmp(verb, readings[i]) == 0)
			return run_reading(script, (enum ctl_read)i, asked, *words);
	if (strcmp(verb, "written") == 0 && (strcmp(words->at[1], "elections") == 0 || strcmp(words->at[1], "reassignments") == 0))
		return run_legacy_written(script, words);
	if (strcmp(verb, "written") == 0 && words->n >= 4)
		return run_written(script, words);
	if ((strcmp(verb, "ask") == 0 && words->n == 4) || (strcmp(verb, "outcome") == 0 && words->n == 3))
		return run_asking(script, words);
	if (strcmp(verb, "all-written") == 0)
		return run_all_written(script);
	if (strcmp(verb, "balance") == 0) {
		script->ctl.settings.auto_leader_rebalance = true;
		script->ctl.settings.imbalance_check_s = 300;
		script->ctl.settings.imbalance_percent = 10;
		return true;
	}
	if (strcmp(verb, "wait") == 0 && words->n == 2)
		return run_wait(script, words);
	return run_simple(script, verb, words);
}

void ctl_script_line(struct ctl_script *script, const char *line)
{
	char *text = arena_printf(&script->arena, "%s", line);
	struct words words;

	fprintf(script->out, "%s\n", line);
	if (line[0] == 0 || line[0] == '#')
		return;
	words = split(text, " ");
	if (words.n == 0 || !run_words(script, &words))
		fprintf(script->out, "    ???\n");
	arena_fini(&script->arena);
}
