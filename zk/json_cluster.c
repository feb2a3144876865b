/* Nodes that the cluster has once; see json_cluster.h. */
#include "zk/json_cluster.h"

#include "zk/json.h"

int cluster_id_decode(struct arena *arena, const char *path, struct slice json, struct slice *ret_id, struct error *err)
{
	struct json_reader reader;
	struct slice id;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = json_need_text(&reader, reader.root, "id", &id);
	if (rc == 0 && (id.len == 0 || id.len > 100))
		rc = json_fail(&reader, "\"id\" is empty or too long");
	json_reader_close(&reader);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

struct slice cluster_id_encode(struct arena *arena, struct slice id)
{
	struct json_writer writer;

	json_writer_init(&writer, arena, 64);
	json_put_raw(&writer, "{\"version\":\"1\",\"id\":");
	json_put_text(&writer, id);
	json_put_raw(&writer, "}");
	return json_writer_end(&writer);
}

int producer_id_block_decode(struct arena *arena, const char *path, struct slice json, struct producer_id_block *ret_block,
			     struct error *err)
{
	struct producer_id_block block = {0};
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = json_need_i32(&reader, reader.root, "broker", -1, &block.broker_id);
	if (rc == 0)
		rc = json_need_i64(&reader, reader.root, "block_start", 0, INT64_MAX, &block.first);
	if (rc == 0)
		rc = json_need_i64(&reader, reader.root, "block_end", block.first, INT64_MAX, &block.last);
	json_reader_close(&reader);
	if (rc == 0)
		*ret_block = block;
	return rc;
}

struct slice producer_id_block_encode(struct arena *arena, const struct producer_id_block *block)
{
	struct json_writer writer;

	json_writer_init(&writer, arena, 128);
	json_put_raw(&writer, "{\"version\":1,\"broker\":");
	json_put_i64(&writer, block->broker_id);
	json_put_raw(&writer, ",\"block_start\":\"");
	json_put_i64(&writer, block->first);
	json_put_raw(&writer, "\",\"block_end\":\"");
	json_put_i64(&writer, block->last);
	json_put_raw(&writer, "\"}");
	return json_writer_end(&writer);
}

struct slice feature_znode_encode(struct arena *arena)
{
	return arena_copy(arena, SLICE_LITERAL("{\"features\":{},\"version\":2,\"status\":1}"));
}

int migration_decode(struct arena *arena, const char *path, struct slice json, int32_t *ret_kraft_epoch, struct error *err)
{
	struct json_reader reader;
	int rc = json_reader_open(&reader, arena, path, json, err);

	if (rc != 0)
		return rc;
	rc = json_want_i32(&reader, reader.root, "kraft_controller_epoch", -1, -1, ret_kraft_epoch);
	json_reader_close(&reader);
	return rc;
}
