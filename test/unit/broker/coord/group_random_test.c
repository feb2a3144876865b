/*
 * group_core under chance: up to eight clients, dynamic and static, that join, sync, commit, leave, crash, lose answers and ask
 * again; a log whose stores fail, come late or are told twice; coordinators that take over from the log; time that jumps. All
 * from a seed.
 *
 *     storm: everything goes wrong          calm: all members behave, and then the group has to become stable (L6)
 *
 * After every step the judge asks: are the sums those of the lists, does each state hold what it may, is everything freed once
 * (no leaks), is every request answered once, is each partition of a generation told to one owner only (G1), also by different
 * coordinators, and does only a member of the generation that was told last get anything accepted (G1)?
 *
 * A mutant is a fault of the core or its shell that the judge has to find, brought about at the seam: by telling the core a
 * lie, or by changing one thing in it. The code under test stays as it is.
 */
#include "test/unit/broker/coord/group_clients.h"

/* ---- Coordinators ---- */

static struct group_member *load_member(const struct saved_member *saved, const char *protocol)
{
	char protocols[32];

	snprintf(protocols, sizeof protocols, "%s=%s", protocol, saved->metadata);
	struct test_member *member = member_new(&(struct who){
		.id = saved->id,
		.instance = saved->instance[0] ? saved->instance : NULL,
		.protocols = protocols,
		.session_ms = saved->session_ms,
		.rebalance_ms = saved->rebalance_ms,
	});

	member->member.assignment = slice_of_text(saved->assignment);
	return &member->member;
}

static void load(const struct saved *newest)
{
	/* The assignments' bytes live in it for as long as they are the group's. */
	struct saved *saved = malloc(sizeof *saved);
	struct group_loaded loaded = {
		.protocol_type = SLICE_LITERAL("consumer"),
		.generation = newest->generation,
		.protocol = newest->protocol[0] ? slice_of_text(newest->protocol) : SLICE_NULL,
		.leader = newest->leader[0] ? slice_of_text(newest->leader) : SLICE_NULL,
		.state_wall_ms = now.wall_ms,
		.block = saved,
	};
	struct group_member **last = &loaded.members;

	*saved = *newest;
	n_blocks_alive++;
	for (int i = 0; i < saved->n_members; i++) {
		*last = load_member(&saved->members[i], saved->protocol);
		last = &(*last)->next;
	}
	bool good = group_core_install(&group, &now, &loaded, &actions);

	HOLDS(good);
	work_off();
}

/* Another coordinator has of the log what was acknowledged, and perhaps more. */
static void fail_over(void)
{
	int least = n_records;

	n_failovers++;
	group_core_unload(&group, &actions);
	settle();
	while (least > 0 && !records[least - 1].acked)
		least--;
	n_records = least + (int)chance((uint32_t)(n_records - least) + 1);
	for (int i = 0; i < n_records; i++)
		records[i].acked = true;
	n_outcomes = 0;
	for (int i = 0; i < n_ids; i++) {
		ids[i].over = false;
		if (ids[i].told_generation > ids[i].told_earlier)
			ids[i].told_earlier = ids[i].told_generation;
	}
	group_core_init(&group, &rules, &now);
	told_generation = 0;
	if (n_records > 0) {
		told_generation = records[n_records - 1].generation;
		load(&records[n_records - 1]);
	}
}

/* ---- The judge ---- */

static void judge_member(const struct group_member *member)
{
	bool parked_join =
		group.state == GROUP_PREPARING || (group.state == GROUP_STABLE && member->store_id != GROUP_STORE_NONE);

	HOLDS(!member->join || parked_join);
	HOLDS(!member->sync || group.state == GROUP_COMPLETING);
	HOLDS(!member->sync_awaited || group.state == GROUP_COMPLETING || group.state == GROUP_STABLE);
	HOLDS((member->store_id != GROUP_STORE_NONE) == (member->replaced != NULL));
	HOLDS(!member->replaced || (member->join && group.state == GROUP_STABLE));
	HOLDS(!member->is_new || group.state == GROUP_PREPARING);
	HOLDS(group_core_member(&group, member->id) == member);
}

static void judge_state(void)
{
	HOLDS((group.members == NULL) == (group.leader == NULL));
	HOLDS(group.state != GROUP_EMPTY || !group.members);
	HOLDS(group.members || group.state == GROUP_EMPTY ||
	      (group.state == GROUP_PREPARING && (group.initial_delay || group.pending)));
	HOLDS((group.join_deadline_ms != GROUP_NEVER) == (group.state == GROUP_PREPARING));
	HOLDS(group.sync_store_id == GROUP_STORE_NONE || group.state == GROUP_COMPLETING);
	HOLDS(group.due_ms <= group.join_deadline_ms && group.due_ms <= group.sync_deadline_ms);
	HOLDS(n_blocks_alive == (group.block != NULL));
}

static int64_t bytes_of(const struct group_member *member)
{
	int64_t bytes = 0;

	for (int32_t i = 0; i < member->n_protocols; i++)
		bytes += (int64_t)(member->protocols[i].name.len + member->protocols[i].metadata.len);
	return bytes;
}

static void judge(void)
{
	const struct group_member *member;
	int64_t metadata_bytes = 0;
	int n_members = 0, n_joined = 0, n_awaited = 0, n_alive = group.n_pending;

	DL_FOREACH (group.members, member) {
		n_members++;
		n_joined += member->join != NULL;
		n_awaited += member->sync_awaited;
		n_alive += 1 + (member->replaced != NULL);
		metadata_bytes += bytes_of(member);
		judge_member(member);
	}
	DL_FOREACH (group.pending, member)
		metadata_bytes += bytes_of(member);
	HOLDS(metadata_bytes == group.metadata_bytes);
	HOLDS(n_members == group.n_members);
	HOLDS(n_joined == group.n_joined);
	HOLDS(n_awaited == group.n_sync_awaited);
	HOLDS(n_alive == n_members_alive);
	judge_state();
}

/* ---- Time ---- */

/* The earliest of what is due goes first. */
static void advance(int64_t ms)
{
	int64_t end = now.ms + ms;

	while (!fault) {
		int64_t at = group_core_next_ms(&group);
		int next = -1;

		for (int i = 0; i < n_outcomes; i++) {
			if (outcomes[i].at_ms < at) {
				at = outcomes[i].at_ms;
				next = i;
			}
		}
		if (at > end || (mutant == MUTANT_TICKS_LOST && next < 0))
			break;
		now.ms = at > now.ms ? at : now.ms;
		if (next >= 0) {
			struct outcome outcome = outcomes[next];

			outcomes[next] = outcomes[--n_outcomes];
			tell_outcome(&outcome);
		} else {
			give_tick();
		}
		judge();
	}
	now.ms = end;
}

static void step(void)
{
	if (goes_wrong(400)) {
		/* A process that was stopped: all deadlines are past at once. */
		now.ms += chance(60000);
		if (mutant != MUTANT_TICKS_LOST)
			give_tick();
	}
	if (goes_wrong(300))
		fail_over();
	advance(chance(2 * STEP_MS));
	for (int i = 0; i < N_CLIENTS && !fault; i++) {
		turn(&clients[i]);
		judge();
	}
}

/* ---- Calm ---- */

/* One client for each instance; appends are waited for no longer than offsets.commit.timeout.ms (and what is told again comes
 * second). */
static void calm_down(void)
{
	calm = true;
	for (int i = 0; i < n_outcomes; i++) {
		if (outcomes[i].at_ms > now.ms + 5000)
			outcomes[i].at_ms = now.ms + 5000 + (outcomes[i].record < 0);
	}
	for (int i = 0; i < N_CLIENTS; i++) {
		struct client *client = &clients[i];

		client->next_ms = now.ms;
		if (client->phase == GONE)
			client->phase = OUT;
		for (int k = 0; k < i; k++) {
			if (client->instance[0] && strcmp(client->instance, clients[k].instance) == 0 &&
			    clients[k].phase != GONE)
				client->phase = GONE;
		}
		if (client->phase == GONE)
			client->request = NULL;
	}
}

static bool is_clients(struct slice id)
{
	for (int i = 0; i < N_CLIENTS; i++) {
		const struct client *client = &clients[i];

		if (client->phase != GONE && ((client->id >= 0 && slice_is_text(id, ID(client->id))) ||
					      (client->phase == JOINING && slice_is_text(id, ID(client->asked_id)))))
			return true;
	}
	return false;
}

/* Nobody is in the group that no client stands behind. */
static bool all_behave(void)
{
	const struct group_member *member;

	DL_FOREACH (group.members, member) {
		if (!is_clients(member->id))
			return false;
	}
	DL_FOREACH (group.pending, member) {
		if (!is_clients(member->id))
			return false;
	}
	return true;
}

/* Where all clients were fenced by ones that are gone, nobody is left. */
static bool is_stable(void)
{
	int n = 0;

	for (int i = 0; i < N_CLIENTS; i++) {
		const struct client *client = &clients[i];

		if (client->phase == GONE)
			continue;
		n++;
		if (client->phase != IN || client->generation != group.generation)
			return false;
	}
	return group.state == (n ? GROUP_STABLE : GROUP_EMPTY) && group.n_members == n;
}

/* Sessions of who is not there end; then L6. */
static void judge_calm(void)
{
	int64_t behave_by_ms = now.ms + SESSION_MS_MAX + 2 * REBALANCE_MS_MAX + 2000, stable_by_ms = INT64_MAX;

	calm_down();
	while (!fault && !is_stable()) {
		step();
		bool behave = all_behave();

		HOLDS(behave || now.ms <= behave_by_ms);
		if (!behave)
			stable_by_ms = INT64_MAX;
		else if (stable_by_ms == INT64_MAX)
			stable_by_ms = now.ms + REBALANCE_MS_MAX + 2000;
		HOLDS(now.ms <= stable_by_ms);
	}
	n_stable += !fault;
	calm = false;
}

/* ---- Runs ---- */

static void begin(uint64_t seed)
{
	setup();
	fault = NULL;
	chance_state = seed * 0x9E3779B97F4A7C15u + 1;
	rules.initial_delay_ms = (int32_t)chance(2) * 3000;
	rules.members_max = chance(4) ? INT32_MAX : 2 * N_CLIENTS;
	memset(owners, 0, sizeof owners);
	n_ids = n_records = n_outcomes = told_generation = 0;
	for (int i = 0; i < N_CLIENTS; i++) {
		static const int versions[] = {0, 3, 4, 5, 8, 9};

		clients[i] = (struct client){
			.phase = chance(4) ? OUT : GONE,
			.id = -1,
			.version = versions[chance(6)],
			.metadata = (int)chance(1000),
			.session_ms = 6000 + (int32_t)chance(SESSION_MS_MAX - 6000),
			.rebalance_ms = 1000 + (int32_t)chance(REBALANCE_MS_MAX - 1000),
			.next_ms = now.ms + chance(4000),
		};
		if (chance(2))
			snprintf(clients[i].instance, sizeof clients[i].instance, "i%d", (int)chance(N_CLIENTS / 2));
	}
}

static void end(void)
{
	group_core_unload(&group, &actions);
	settle();
	HOLDS(n_unanswered == 0);
	HOLDS(n_members_alive == 0);
	HOLDS(n_blocks_alive == 0);
	while (requests) {
		struct request *next = requests->next;

		free(requests);
		requests = next;
	}
}

/* What the judge found; NULL: nothing. */
static const char *run(uint64_t seed)
{
	begin(seed);
	for (int round = 0; round < 3 && !fault; round++) {
		int n_steps = 200 + (int)chance(600);

		for (int i = 0; i < n_steps && !fault; i++)
			step();
		if (!fault)
			judge_calm();
	}
	end();
	return fault;
}

START_TEST(no_seed_breaks_a_rule)
{
	const char *first = getenv("GROUP_SEED"), *n = getenv("GROUP_SEEDS");
	uint64_t from = first ? strtoull(first, NULL, 10) : 1;
	uint64_t to = n ? from + strtoull(n, NULL, 10) - 1 : first ? from : N_SEEDS;

	records = calloc(N_RECORDS, sizeof *records);
	for (uint64_t seed = from; seed <= to; seed++) {
		if (run(seed))
			ck_abort_msg("GROUP_SEED=%llu: %s", (unsigned long long)seed, fault);
	}
	printf("%d seeds: stable %lld times, %lld coordinators, %lld answers to joins\n", (int)(to - from + 1),
	       (long long)n_stable, (long long)n_failovers, (long long)n_told);
	free(records);
}
END_TEST

START_TEST(every_mutant_is_found)
{
	records = calloc(N_RECORDS, sizeof *records);
	for (int i = MUTANT_NONE + 1; i < N_MUTANTS; i++) {
		uint64_t seed = 1;

		mutant = (enum mutant)i;
		while (seed <= N_MUTANT_SEEDS && !run(seed))
			seed++;
		if (seed > N_MUTANT_SEEDS)
			ck_abort_msg("not found: %s", mutant_texts[i]);
		printf("seed %llu finds: %s (%s)\n", (unsigned long long)seed, mutant_texts[i], fault);
	}
	free(records);
}
END_TEST

UNIT_MAIN("broker/coord/group_random", no_seed_breaks_a_rule, every_mutant_is_found)
