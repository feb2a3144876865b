/* The controller's nodes; see json_controller.h. {"version":2,"brokerid":1,"timestamp":"ms","kraftControllerEpoch":-1} */
#include "zk/json_controller.h"

#include "zk/json.h"

#include <string.h>

int controller_znode_decode(struct arena *arena, const char *path, struct slice json, struct controller_znode *ret_controller,
			    struct error *err)
{
	struct controller_znode controller = {0};
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = json_need_i32(&reader, reader.root, "brokerid", -1, &controller.broker_id);
	if (rc == 0)
		rc = json_want_i64(&reader, reader.root, "timestamp", -1, INT64_MAX, -1, &controller.timestamp_ms);
	if (rc == 0)
		rc = json_want_i32(&reader, reader.root, "kraftControllerEpoch", -1, -1, &controller.kraft_epoch);
	if (rc == 0)
		rc = json_want_text(&reader, reader.root, "nonce", &controller.nonce);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_controller = controller;
	return rc;
}

struct slice controller_znode_encode(struct arena *arena, const struct controller_znode *controller)
{
	struct json_writer writer;

	json_writer_init(&writer, arena, 160);
	json_put_raw(&writer, "{\"version\":2,\"brokerid\":");
	json_put_i64(&writer, controller->broker_id);
	json_put_raw(&writer, ",\"timestamp\":\"");
	json_put_i64(&writer, controller->timestamp_ms);
	json_put_raw(&writer, "\",\"kraftControllerEpoch\":");
	json_put_i64(&writer, controller->kraft_epoch);
	if (controller->nonce.data) {
		json_put_raw(&writer, ",\"nonce\":");
		json_put_text(&writer, controller->nonce);
	}
	json_put_raw(&writer, "}");
	return json_writer_end(&writer);
}

int controller_epoch_decode(const char *path, struct slice text, int32_t *ret_epoch, struct error *err)
{
	int64_t epoch = 0;

	if (text.len == 0 || text.len > 10)
		return error_set(err, ERR_CORRUPT, "znode %s: is no number", path);
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return error_set(err, ERR_CORRUPT, "znode %s: is no number", path);
		epoch = epoch * 10 + (text.data[i] - '0');
	}
	if (epoch > INT32_MAX)
		return error_set(err, ERR_CORRUPT, "znode %s: %lld is too large", path, (long long)epoch);
	*ret_epoch = (int32_t)epoch;
	return 0;
}

struct slice controller_epoch_encode(struct arena *arena, int32_t epoch)
{
	return slice_of_text(arena_printf(arena, "%d", epoch));
}

int controller_rule_decode(struct arena *arena, const char *path, struct slice json, struct controller_rule *ret_rule, struct error *err)
{
	struct controller_rule rule;
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = json_need_i32(&reader, reader.root, "epoch", 0, &rule.epoch);
	if (rc == 0)
		rc = json_need_i32(&reader, reader.root, "since", 0, &rule.since);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_rule = rule;
	return rc;
}

struct slice controller_rule_encode(struct arena *arena, const struct controller_rule *rule)
{
	return slice_of_text(arena_printf(arena, "{\"epoch\":%d,\"since\":%d}", rule->epoch, rule->since));
}
