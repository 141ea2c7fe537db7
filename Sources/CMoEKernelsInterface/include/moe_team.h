/* A fixed team of threads that run one operation at a time, each on its share of the work.
 *
 * The caller is worker 0 and takes part. Between operations the others spin briefly, then sleep.
 * Nothing here allocates after creation, and no result depends on the number of workers. */
#ifndef MOE_TEAM_H
#define MOE_TEAM_H

#include <stdint.h>

typedef struct moe_team moe_team;

/* One worker's share of an operation: worker in [0, worker_count). Must not block or throw. An
 * operation that is run in pieces sees as many workers as there are pieces of all shares. */
typedef void (*moe_op)(const void *job, unsigned worker, unsigned worker_count);

/* Starts worker_count - 1 threads (1 to 256 workers); a null pointer where threads cannot start.
 * spins_briefly: waiting threads sleep soon, for processes whose processor time is limited. */
moe_team *moe_team_create(unsigned worker_count, int spins_briefly);
/* Ends and joins the threads. No operation may be running. */
void moe_team_destroy(moe_team *team);
unsigned moe_team_worker_count(const moe_team *team);
/* Runs op on every worker and returns when all have finished. One caller at a time. Each share is
 * cut into `pieces`, at least 1; workers that are done with their own take what is left of others'.
 * Where times is not null, it receives for each worker the monotonic clock's nanoseconds at the
 * begin and end of its work: (worker, 2). */
void moe_team_run(moe_team *team, moe_op op, const void *job, unsigned pieces, uint64_t *times);

#endif
