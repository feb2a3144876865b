/* The configuration of klamm-controller. */
#include "test/lib/unit.h"

#include "tools/controller/controller_config.h"

#include <stdlib.h>
#include <string.h>

static int load(const char *text, struct controller_config *ret_config, struct error *err)
{
	struct properties properties;
	int code;

	properties_init(&properties);
	ck_assert_int_eq(properties_parse(&properties, slice_of_text(text), "c.properties", err), 0);
	code = controller_config_load(ret_config, &properties, err);
	properties_fini(&properties);
	return code;
}

START_TEST(two_keys_are_enough_and_the_rest_has_defaults)
{
	struct controller_config config;
	struct error err;

	ck_assert_int_eq(load("controller.id=7\nzookeeper.connect=a:1,b:2/kafka\nsome.thing=1\n", &config, &err), 0);
	ck_assert_int_eq(config.id, 7);
	ck_assert_str_eq(config.zookeeper_connect, "a:1,b:2/kafka");
	ck_assert_int_eq(config.zookeeper_session_timeout_ms, 6000);
	ck_assert(config.delete_topic_enable);
	ck_assert(!config.unclean_leader_election_enable);
	ck_assert_ptr_null(config.inter_broker_listener_name);
	controller_config_fini(&config);
}
END_TEST

static void check_refused(const char *text, const char *want)
{
	struct controller_config config;
	struct error err;

	ck_assert_int_eq(load(text, &config, &err), ERR_CONFIG);
	ck_assert_msg(strstr(err.text, want), "%s", err.text);
	controller_config_fini(&config);
}

START_TEST(errors_name_file_line_key_and_what_is_allowed)
{
	check_refused("zookeeper.connect=a:1\n", "controller.id is missing");
	check_refused("controller.id=1\n", "zookeeper.connect is missing");
	check_refused("\ncontroller.id=x\n", "c.properties:2: controller.id = x");
	check_refused("controller.id=-1\n", "c.properties:1: controller.id = -1");
	check_refused("controller.id=1\ndelete.topic.enable=maybe\n", "c.properties:2: delete.topic.enable = maybe");
	check_refused("controller.id=1\nzookeeper.session.timeout.ms=1\n", "allowed");
	check_refused("controller.id=1\nzookeeper.connect=a:1\nklamm.metrics.listener=9405\n", "klamm.metrics.listener = 9405: expected one host:port");
}
END_TEST

START_TEST(every_key_is_described)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	controller_config_describe(out);
	fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "controller.id"));
	ck_assert_ptr_nonnull(strstr(text, "zookeeper.set.acl"));
	free(text);
}
END_TEST

UNIT_MAIN("tools/controller/controller_config", two_keys_are_enough_and_the_rest_has_defaults,
	  errors_name_file_line_key_and_what_is_allowed, every_key_is_described)
