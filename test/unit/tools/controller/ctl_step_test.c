/*
 * The controller's decisions: recorded dialogues of test/golden/controller (rewritten when KLAMM_GOLDEN_REWRITE is set: read the
 * difference before committing it).
 */
#include "test/lib/unit.h"
#include "test/unit/tools/controller/ctl_script.h"

#include <stdlib.h>
#include <string.h>

static char *golden_path(const char *name)
{
	static char path[512];

	snprintf(path, sizeof path, "%s/test/golden/controller/%s.txt", unit_source_dir(), name);
	return path;
}

static char *read_all(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t len = 0;

	ck_assert_msg(file, "%s", path);
	if (getdelim(&text, &len, 0, file) < 0)
		text[0] = 0;
	fclose(file);
	return text;
}

static char *run_dialogue(const char *recorded)
{
	char *copy = strdup(recorded);
	char *rest = copy;
	char *made = NULL;
	size_t len = 0;
	struct ctl_script script;

	ctl_script_init(&script, open_memstream(&made, &len));
	for (char *line = strsep(&rest, "\n"); line && (rest || line[0]); line = strsep(&rest, "\n"))
		if (strncmp(line, "    ", 4) != 0)
			ctl_script_line(&script, line);
	fclose(script.out);
	ctl_script_fini(&script);
	free(copy);
	return made;
}

static void check_dialogue(const char *name)
{
	char *recorded = read_all(golden_path(name));
	char *made = run_dialogue(recorded);

	if (getenv("KLAMM_GOLDEN_REWRITE")) {
		FILE *file = fopen(golden_path(name), "w");

		ck_assert_ptr_nonnull(file);
		fputs(made, file);
		fclose(file);
	} else {
		ck_assert_str_eq(made, recorded);
	}
	free(made);
	free(recorded);
}

#define DIALOGUE(name, file)          \
	START_TEST(name)              \
	{                             \
		check_dialogue(file); \
	}                             \
	END_TEST

DIALOGUE(an_empty_cluster_is_taken_and_a_topic_made, "create")
DIALOGUE(a_cluster_is_taken_over, "takeover")
DIALOGUE(leaders_move_when_brokers_die_and_come_back, "failover")
DIALOGUE(a_broker_that_bounced_leads_under_a_new_epoch_only, "bounce")
DIALOGUE(topics_are_deleted_with_a_broker_down_and_back, "delete")
DIALOGUE(what_is_being_deleted_holds_nobody_up, "delete-held")
DIALOGUE(a_broker_that_cannot_be_reached_counts_as_down, "unreachable")
DIALOGUE(nonsense_in_znodes_makes_its_owner_wait, "nonsense")
DIALOGUE(writes_that_miss_are_read_again, "missed")
DIALOGUE(a_controller_epoch_above_ours_is_overtaken_first, "epoch")
DIALOGUE(configs_reach_the_view, "configs")
DIALOGUE(a_failed_log_dir_moves_leaders, "logdir")
DIALOGUE(a_replica_that_finds_the_disk_full_is_tried_again, "full")
DIALOGUE(what_zookeeper_refuses_is_told_and_what_nobody_knows_is_read_again, "refused")
DIALOGUE(leaders_propose_and_are_answered_in_kafkas_order, "isr")
DIALOGUE(the_last_ones_standing_stay_eligible, "elr")
DIALOGUE(brokers_without_their_tails_are_struck_out_first, "unclean")
DIALOGUE(a_new_controller_strikes_out_whom_its_predecessor_did_not, "unclean_takeover")
DIALOGUE(a_smaller_minimum_is_told_when_nobody_is_eligible, "min_isr")
DIALOGUE(what_brokers_files_say_counts_where_nothing_else_does, "min_isr_files")
DIALOGUE(what_is_stale_since_others_ruled_elects_nobody, "foreign")
DIALOGUE(brokers_that_stop_hand_over_first, "shutdown")
DIALOGUE(leaderships_go_back_to_preferred_replicas, "balance")
DIALOGUE(replicas_move_to_other_brokers, "reassign")
DIALOGUE(reassignments_are_cancelled_replaced_and_refused, "reassign-cancel")
DIALOGUE(reassignments_outlive_controllers_and_failed_writes, "reassign-takeover")
DIALOGUE(a_replica_that_comes_back_before_there_is_a_state_is_not_erased, "reassign-unborn")
DIALOGUE(requests_of_clients_are_answered_as_kafka_does, "admin")
DIALOGUE(a_brokers_file_says_whether_an_unclean_stop_cost_anything, "unclean_files")
DIALOGUE(the_longest_log_leads_where_records_may_be_lost, "longest")
DIALOGUE(nodes_below_admin_ask_for_elections_and_moves, "legacy")
DIALOGUE(a_deletion_older_than_the_list_of_topics_is_not_dropped, "delete-takeover")

UNIT_MAIN("tools/controller/ctl_step", an_empty_cluster_is_taken_and_a_topic_made, a_cluster_is_taken_over,
	  leaders_move_when_brokers_die_and_come_back, a_broker_that_bounced_leads_under_a_new_epoch_only,
	  topics_are_deleted_with_a_broker_down_and_back, what_is_being_deleted_holds_nobody_up, a_broker_that_cannot_be_reached_counts_as_down,
	  nonsense_in_znodes_makes_its_owner_wait, writes_that_miss_are_read_again,
	  a_controller_epoch_above_ours_is_overtaken_first, configs_reach_the_view, a_failed_log_dir_moves_leaders,
	  a_replica_that_finds_the_disk_full_is_tried_again, what_zookeeper_refuses_is_told_and_what_nobody_knows_is_read_again,
	  leaders_propose_and_are_answered_in_kafkas_order, the_last_ones_standing_stay_eligible,
	  brokers_without_their_tails_are_struck_out_first, a_new_controller_strikes_out_whom_its_predecessor_did_not,
	  a_smaller_minimum_is_told_when_nobody_is_eligible, what_brokers_files_say_counts_where_nothing_else_does,
	  what_is_stale_since_others_ruled_elects_nobody,
	  brokers_that_stop_hand_over_first, leaderships_go_back_to_preferred_replicas,
	  replicas_move_to_other_brokers, reassignments_are_cancelled_replaced_and_refused,
	  reassignments_outlive_controllers_and_failed_writes, requests_of_clients_are_answered_as_kafka_does,
	  a_replica_that_comes_back_before_there_is_a_state_is_not_erased, a_brokers_file_says_whether_an_unclean_stop_cost_anything, the_longest_log_leads_where_records_may_be_lost, nodes_below_admin_ask_for_elections_and_moves, a_deletion_older_than_the_list_of_topics_is_not_dropped)
