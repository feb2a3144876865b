/* A shard without a network; see api_fixture.h. */
#include "test/lib/api_fixture.h"

#include "broker/net/net.h"
#include "common/clock.h"
#include "common/properties.h"
#include "test/lib/unit.h"
#include "zk/path.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- life ---- */

static struct broker_config *load_config(const char *more)
{
	static const char base[] = "broker.id=1\nlisteners=PLAINTEXT://localhost:9092\nlog.dirs=/tmp/klamm-unused\n"
				   "zookeeper.connect=localhost:2181\n";
	struct properties properties;
	struct broker_config *config;
	struct error err;

	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(base), "base", &err), 0);
	if (more)
		ck_assert_int_eq(properties_parse(&properties, slice_of_text(more), "test", &err), 0);
	ck_assert_msg(broker_config_load(&properties, NULL, &config, &err) == 0, "%s", err.text);
	properties_fini(&properties);
	return config;
}

void api_fixture_init(struct api_fixture *fixture, const char *properties)
{
	*fixture = (struct api_fixture){.config = load_config(properties)};
	ck_assert_int_eq(worker_init(&fixture->hub, "hub", 0), 0);
	fixture->all[0] = &fixture->shard;
	ck_assert_int_eq(worker_init(&fixture->shard.worker, "worker-0", 0), 0);
	fixture->shard.n_shards = 1;
	fixture->shard.all = fixture->all;
	fixture->shard.config = broker_config_retain(fixture->config);
	fixture->shard.view = view_new_empty();
	fixture->admin = admin_new(&fixture->hub, API_FIXTURE_OWN_BROKER);
	fixture->shard.hub = &fixture->hub;
	fixture->shard.admin = fixture->admin;
	fixture->listener = (struct listener_info){.name = "PLAINTEXT", .protocol = SECURITY_PLAINTEXT, .inter_broker = true, .host = ""};
	fixture->client = (struct client){.fd = -1, .listener = &fixture->listener, .host = "127.0.0.1"};
	fixture->view = view_new_empty();
	api_fixture_broker(fixture, API_FIXTURE_OWN_BROKER);
}

static void free_answer(struct api_answer *answer)
{
	arena_fini(&answer->arena);
	buf_release(answer->frame);
	buf_release(answer->wire);
	free(answer);
}

void api_fixture_fini(struct api_fixture *fixture)
{
	admin_stop(fixture->admin);
	worker_drain(&fixture->hub);
	worker_drain(&fixture->shard.worker);
	admin_on_session(fixture->admin, NULL);
	if (fixture->session) {
		zk_session_free(fixture->session);
		zk_loop_glue_fini(&fixture->glue);
	}
	admin_free(fixture->admin);
	while (fixture->answers) {
		struct api_answer *next = fixture->answers->next;

		ck_assert(fixture->answers->done);
		free_answer(fixture->answers);
		fixture->answers = next;
	}
	view_release(fixture->shard.view);
	broker_config_release(fixture->shard.config);
	worker_fini(&fixture->shard.worker);
	worker_fini(&fixture->hub);
	view_release(fixture->view);
	broker_config_release(fixture->config);
}

/* ---- ZooKeeper ---- */

static void on_state(void *ctx, enum zk_state state, bool new_session)
{
	struct api_fixture *fixture = ctx;

	(void)state, (void)new_session;
	if (fixture->session)
		admin_on_session(fixture->admin, fixture->session);
}

static void on_made(void *ctx, const struct zk_result *result)
{
	ck_assert(result->code == 0 || result->code == ERR_EXISTS);
	--*(int *)ctx;
}

void api_fixture_zookeeper(struct api_fixture *fixture, const char *connect)
{
	struct zk_config config = {.connect = connect, .session_timeout_ms = 6000, .create_chroot = true};
	struct zk_listener listener = {.ctx = fixture, .on_state = on_state};
	struct zk_loop port;
	struct error err;
	int64_t until_ms = clock_ms() + API_FIXTURE_WAIT_MS;
	int n_open = 0;

	zk_loop_glue_init(&fixture->glue, &fixture->hub.loop, &port);
	ck_assert_msg(zk_loop_glue_open(&fixture->glue, &config, &listener, &fixture->session, &err) == 0, "%s", err.text);
	for (const char *const *path = zk_path_persistent; *path; path++, n_open++)
		zk_create(fixture->session, *path, SLICE_NULL, ZK_PERSISTENT, on_made, &n_open);
	while (n_open > 0) {
		ck_assert_msg(clock_ms() < until_ms, "ZooKeeper does not answer");
		worker_turn(&fixture->hub, 50);
	}
	admin_on_session(fixture->admin, fixture->session);
}

struct znode_answer {
	bool done;
	int code;
	int32_t version;
	char text[65536];
};

static void on_znode(void *ctx, const struct zk_result *result)
{
	struct znode_answer *answer = ctx;

	answer->done = true;
	answer->code = result->code;
	answer->version = result->stat.version;
	ck_assert_uint_lt(result->data.len, sizeof answer->text);
	snprintf(answer->text, sizeof answer->text, "%.*s", SLICE_ARGS(result->data));
}

static void wait_znode(struct api_fixture *fixture, const struct znode_answer *answer)
{
	int64_t until_ms = clock_ms() + API_FIXTURE_WAIT_MS;

	while (!answer->done) {
		ck_assert_msg(clock_ms() < until_ms, "ZooKeeper does not answer");
		api_fixture_turn(fixture);
	}
}

const char *api_fixture_znode(struct api_fixture *fixture, const char *path, int32_t *ret_version)
{
	static struct znode_answer answer;

	answer = (struct znode_answer){.done = false};
	zk_get(fixture->session, path, NULL, on_znode, &answer);
	wait_znode(fixture, &answer);
	if (ret_version)
		*ret_version = answer.version;
	return answer.code ? NULL : answer.text;
}

void api_fixture_put(struct api_fixture *fixture, const char *path, const char *data)
{
	struct znode_answer answer = {.done = false};

	zk_create(fixture->session, path, slice_of_text(data), ZK_PERSISTENT, on_znode, &answer);
	wait_znode(fixture, &answer);
	if (answer.code == 0)
		return;
	ck_assert_int_eq(answer.code, ERR_EXISTS);
	answer.done = false;
	zk_set(fixture->session, path, slice_of_text(data), ZK_VERSION_ANY, on_znode, &answer);
	wait_znode(fixture, &answer);
	ck_assert_int_eq(answer.code, 0);
}

void api_fixture_wait_znode(struct api_fixture *fixture, const char *path)
{
	int64_t until_ms = clock_ms() + API_FIXTURE_WAIT_MS;

	while (!api_fixture_znode(fixture, path, NULL))
		ck_assert_msg(clock_ms() < until_ms, "%s does not come", path);
}

/* ---- views ---- */

void api_fixture_apply(struct api_fixture *fixture, struct view_delta *delta)
{
	struct view *next;

	delta->snapshot = fixture->view->number < 0;
	delta->controller_epoch = 1;
	delta->number = fixture->view->number + 1;
	delta->office_broker = API_FIXTURE_OWN_BROKER;
	delta->cluster_id = SLICE_LITERAL("AAAAAAAAAAAAAAAAAAAAAA");
	ck_assert_int_eq(view_apply(fixture->view, delta, &next), 0);
	view_release(fixture->view);
	fixture->view = next;
	view_release(fixture->shard.view);
	fixture->shard.view = view_retain(next);
	admin_on_view(fixture->admin, next, fixture->config);
}

void api_fixture_broker(struct api_fixture *fixture, int32_t id)
{
	struct view_broker brokers[16];
	struct view_endpoint endpoint = {SLICE_LITERAL("PLAINTEXT"), SLICE_LITERAL("PLAINTEXT"), SLICE_NULL, 9092};
	struct view_delta delta = {.has_brokers = true, .brokers = brokers, .n_brokers = fixture->view->n_brokers + 1};
	char host[16];

	snprintf(host, sizeof host, "host%d", (int)id);
	endpoint.host = slice_of_text(host);
	for (int i = 0; i < fixture->view->n_brokers; i++)
		brokers[i] = *fixture->view->brokers[i];
	brokers[fixture->view->n_brokers] = (struct view_broker){
		.id = id, .epoch = 100 + id, .rack = SLICE_NULL, .ours = true, .n_endpoints = 1, .endpoints = &endpoint};
	api_fixture_apply(fixture, &delta);
}

void api_fixture_topic_with(struct api_fixture *fixture, const char *name, const struct uuid *id, int32_t n_partitions, int32_t leader,
			    const struct config_pair *configs, int n_configs, int32_t config_version)
{
	struct view_partition *partitions = calloc((size_t)n_partitions, sizeof *partitions);
	struct view_topic_delta topic = {.name = slice_of_text(name),
					 .id = *id,
					 .has_config = true,
					 .config_version = config_version,
					 .config = configs,
					 .n_config = n_configs,
					 .n_partitions = n_partitions,
					 .partitions = partitions};
	struct view_delta delta = {.topics = &topic, .n_topics = 1};

	for (int32_t i = 0; i < n_partitions; i++)
		partitions[i] = (struct view_partition){
			.index = i, .leader = leader, .n_replicas = 1, .n_isr = 1, .replicas = &leader, .isr = &leader};
	api_fixture_apply(fixture, &delta);
	free(partitions);
}

void api_fixture_topic(struct api_fixture *fixture, const char *name, int32_t n_partitions, int32_t leader)
{
	struct uuid id = uuid_random();

	api_fixture_topic_with(fixture, name, &id, n_partitions, leader, NULL, 0, 0);
}

void api_fixture_remove_topic(struct api_fixture *fixture, const char *name)
{
	struct slice removed = slice_of_text(name);
	struct view_delta delta = {.removed_topics = &removed, .n_removed_topics = 1};

	api_fixture_apply(fixture, &delta);
}

/* ---- requests ---- */

static struct api_answer *answer_of(struct request *request)
{
	return CONTAINER_OF(request, struct api_answer, request);
}

static void begin(struct message *message)
{
	struct api_answer *answer = CONTAINER_OF(message, struct api_answer, begin);

	answer->begun_ns = clock_ns();
	answer->handle(&answer->request);
}

struct api_answer *api_fixture_send(struct api_fixture *fixture, int16_t key, int version, void (*handle)(struct request *request),
				    const void *request)
{
	const struct api *api = api_find(key);
	struct api_answer *answer = calloc(1, sizeof *answer);
	struct wire_writer out;
	struct wire_reader in;
	struct error err;

	ck_assert(api && api_has_version(api, version) && answer);
	answer->next = fixture->answers;
	fixture->answers = answer;
	arena_init(&answer->arena);
	answer->frame = buf_new(4096);
	wire_writer_init(&out, answer->frame);
	ck_assert_int_eq(message_encode(api->request, version, request, &out, NULL), 0);
	answer->request = (struct request){.worker = &fixture->shard.worker,
					   .client = &fixture->client,
					   .header = {.api_key = key, .api_version = (int16_t)version},
					   .arrived_ns = clock_ns()};
	arena_init(&answer->request.arena);
	answer->request.body = arena_zalloc(&answer->request.arena, 1, api->request->root->size);
	wire_reader_init(&in, buf_slice(answer->frame));
	ck_assert_msg(message_decode(api->request, version, &in, &answer->request.arena, answer->request.body, &err) == 0, "%s", err.text);
	answer->handle = handle;
	answer->begin.run = begin;
	worker_post(&fixture->shard.worker, &answer->begin);
	worker_turn(&fixture->shard.worker, 0);
	return answer;
}

void api_fixture_turn(struct api_fixture *fixture)
{
	worker_turn(&fixture->hub, 1);
	worker_turn(&fixture->shard.worker, 0);
}

void api_fixture_wait(struct api_fixture *fixture, struct api_answer *answer)
{
	int64_t until_ms = clock_ms() + API_FIXTURE_WAIT_MS;

	while (!answer->done) {
		ck_assert_msg(clock_ms() < until_ms, "no answer");
		api_fixture_turn(fixture);
	}
}

struct api_answer *api_fixture_call(struct api_fixture *fixture, int16_t key, int version, void (*handle)(struct request *request),
				    const void *request)
{
	struct api_answer *answer = api_fixture_send(fixture, key, version, handle, request);

	api_fixture_wait(fixture, answer);
	return answer;
}

/* ---- what stands in for broker/net ---- */

static void end(struct api_answer *answer)
{
	ck_assert_msg(!answer->done, "a request is ended twice");
	ck_assert(worker_is_current(answer->request.worker));
	answer->done = true;
	arena_fini(&answer->request.arena);
}

void request_answer_version(struct request *request, int version, const void *response)
{
	struct api_answer *answer = answer_of(request);
	const struct api *api = api_find(request->header.api_key);
	struct wire_writer out;
	struct wire_reader in;
	struct error err;

	answer->wire = buf_new(4096);
	wire_writer_init(&out, answer->wire);
	ck_assert_int_eq(message_encode(api->response, version, response, &out, NULL), 0);
	answer->handled_ns = clock_ns() - answer->begun_ns;
	answer->version = version;
	answer->wire_bytes = answer->wire->len;
	answer->body = arena_zalloc(&answer->arena, 1, api->response->root->size);
	wire_reader_init(&in, buf_slice(answer->wire));
	ck_assert_msg(message_decode(api->response, version, &in, &answer->arena, answer->body, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(wire_left(&in), 0);
	end(answer);
}

bool request_is_gone(const struct request *request)
{
	return CONTAINER_OF(request, struct api_answer, request)->gone;
}

void request_answer(struct request *request, const void *response)
{
	request_answer_version(request, request->header.api_version, response);
}

void request_answer_raw(struct request *request, struct slice body)
{
	answer_of(request)->wire_bytes = body.len;
	end(answer_of(request));
}

void request_answer_none(struct request *request)
{
	answer_of(request)->none = true;
	end(answer_of(request));
}

void request_close(struct request *request, const char *reason)
{
	answer_of(request)->closed = true;
	answer_of(request)->reason = reason;
	end(answer_of(request));
}

void request_release_frame(struct request *request)
{
	(void)request;
}

void request_count_arena(struct request *request)
{
	(void)request;
}

void request_throttle(struct request *request, int64_t until_ms)
{
	(void)request, (void)until_ms;
}

void request_detach(struct request *request, struct slice answer, void (*on_detached)(void *ctx, const struct detached *detached),
		    void *ctx)
{
	(void)answer, (void)on_detached, (void)ctx;
	end(answer_of(request));
}

void detached_close(const struct detached *detached)
{
	(void)detached;
}

void net_deal(struct net *net, struct client *client)
{
	(void)net, (void)client;
}
