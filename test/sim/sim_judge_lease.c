/*
 * S9: a broker whose lease has surely ended - no word of ZooKeeper for longer than a lease holds, or its session closed for so long - answers as
 * a leader, and moves a high watermark, only while bytes have come from every other member of its ISR within a session time-out.
 *
 * Judged where the core says yes, by what the simulated network has delivered, not by what the broker has noted.
 */
#include "broker/replica/replica_core.h"
#include "test/sim/sim.h"
#include "test/sim/sim_judge_log.h"
#include "test/sim/sim_process.h"

/* More than a lease holds of a session time-out (zk/lease.h), and what clocks may differ by. */
#define LEASE_US(session_ms) ((session_ms) * 850 + 50 * SIM_MS)
#define HEARD_US(session_ms) ((session_ms) * 1030 + 50 * SIM_MS)

static bool lease_is_over(const struct sim_machine *machine)
{
	int64_t before_us = sim.now_us - LEASE_US(sim_settings.session_ms);
	int64_t closed_us = sim_ensemble_closed_us(machine->supervised.told_id), newest_us = 0;

	for (int i = 0; i < SIM_ZOOKEEPERS; i++)
		if (sim.contact_us[SIM_FIRST_ZOOKEEPER + i][machine->id] > newest_us)
			newest_us = sim.contact_us[SIM_FIRST_ZOOKEEPER + i][machine->id];
	return newest_us < before_us || (closed_us >= 0 && closed_us < before_us);
}

void judge_serving(const struct replica_core *core)
{
	const struct sim_machine *machine = sim.process->machine;

	if (core->role != REPLICA_LEADER || !lease_is_over(machine))
		return;
	sim.counters.served_without_lease++;
	for (int32_t i = 0; i < core->n_members; i++) {
		const struct replica_member *member = &core->members[i];
		int64_t silent_us;

		if (!member->in_isr || member->id == machine->id + 1)
			continue;
		silent_us = sim.now_us - sim.contact_us[member->id - 1][machine->id];
		if (silent_us > HEARD_US(sim_settings.session_ms))
			sim_violation("S9", "broker %d serves as leader of epoch %d without a lease, and broker %d of its ISR is silent for %.3f s",
				      machine->id + 1, core->leader_epoch, member->id, (double)silent_us / 1e6);
	}
}

/* ---- wrapped calls ---- */

int16_t __real_replica_may_append(const struct replica_core *core, const struct replica_now *now, int16_t acks);
int16_t __wrap_replica_may_append(const struct replica_core *core, const struct replica_now *now, int16_t acks);
int16_t __real_replica_may_read(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch);
int16_t __wrap_replica_may_read(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch);
int16_t __real_replica_may_read_here(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch);
int16_t __wrap_replica_may_read_here(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch);

int16_t __wrap_replica_may_append(const struct replica_core *core, const struct replica_now *now, int16_t acks)
{
	int16_t error = __real_replica_may_append(core, now, acks);

	if (!error)
		judge_serving(core);
	return error;
}

int16_t __wrap_replica_may_read(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch)
{
	int16_t error = __real_replica_may_read(core, now, current_epoch);

	if (!error)
		judge_serving(core);
	return error;
}

int16_t __wrap_replica_may_read_here(const struct replica_core *core, const struct replica_now *now, int32_t current_epoch)
{
	int16_t error = __real_replica_may_read_here(core, now, current_epoch);

	if (!error)
		judge_serving(core);
	return error;
}
