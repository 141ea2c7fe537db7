/* The worker team.
 *
 * Handing over an operation takes no lock. The caller writes the job, sets `pending` and raises
 * `generation`; workers watch the generation. A worker that has watched in vain for a while counts
 * itself as a sleeper, looks once more and sleeps on the generation's futex. Raise then read
 * sleepers on one side, count then read generation on the other, all sequentially consistent: one
 * of the two sees the other, so no wake-up is lost. The caller awaits `pending` in the same way.
 *
 * Shares are equal, processors are not: one serves an interrupt or copies what a disk read, or its
 * host takes it away for a while. So a share may come in pieces, which its worker takes from the
 * front, one neighbouring the other as without pieces, and workers that are done from the back. */
#define _GNU_SOURCE
#include "moe_team.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
  WORKER_COUNT_MAX = 256,
  /* Operations keep their scratch within tens of KiB, but without optimisation a function has a
   * place on the stack for every vector it names: up to 0.25 MiB. Memory
   * is taken for what was touched, not for what may be. */
  STACK_BYTES = 1 << 20,
  /* Some tens of microseconds: longer than the gap between two operations of a layer. */
  SPIN_PAUSES = 1500,
  /* With more workers than processors a spinning thread holds up the one it waits for; under a
   * quota of processor time it spends what that one needs. */
  SPIN_PAUSES_BRIEF = 20,
  CACHE_LINE_BYTES = 64,
};

typedef struct {
  moe_team *team;
  pthread_t thread;
  unsigned index;
} worker_thread;

/* The pieces of a share that nobody has taken: begin in the low 32 bits, end in the high ones. */
typedef struct {
  _Alignas(CACHE_LINE_BYTES) atomic_uint_least64_t span;
} untaken_pieces;

struct moe_team {
  /* Written by the caller before it raises the generation, read by workers after they saw that. */
  _Alignas(CACHE_LINE_BYTES) atomic_uint generation;
  moe_op op;
  const void *job;
  unsigned pieces; /* of each share */
  uint64_t *times; /* null: not wanted */
  int stopping;
  /* Workers, the caller aside, that have not finished the operation. */
  _Alignas(CACHE_LINE_BYTES) atomic_uint pending;
  atomic_uint caller_sleeps;
  _Alignas(CACHE_LINE_BYTES) atomic_uint sleepers;
  unsigned worker_count, spin_pauses;
  untaken_pieces *untaken; /* (worker_count), behind the threads */
  worker_thread threads[]; /* worker_count - 1 */
};

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

/* Sleeps while *word == expected; may return early. Every error (EINTR, EAGAIN) means "look again",
 * which callers do anyway. */
static void futex_wait(atomic_uint *word, unsigned expected) {
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void await_generation_after(moe_team *team, unsigned last) {
  for (unsigned spins = 0; spins < team->spin_pauses; spins++) {
    if (atomic_load_explicit(&team->generation, memory_order_acquire) != last) return;
    pause_briefly();
  }
  atomic_fetch_add(&team->sleepers, 1);
  while (atomic_load(&team->generation) == last) futex_wait(&team->generation, last);
  atomic_fetch_sub(&team->sleepers, 1);
}

static void await_workers(moe_team *team) {
  for (unsigned spins = 0; spins < team->spin_pauses; spins++) {
    if (atomic_load_explicit(&team->pending, memory_order_acquire) == 0) return;
    pause_briefly();
  }
  atomic_store(&team->caller_sleeps, 1);
  unsigned pending;
  while ((pending = atomic_load(&team->pending)) != 0) futex_wait(&team->pending, pending);
  atomic_store_explicit(&team->caller_sleeps, 0, memory_order_relaxed);
}

static void raise_generation(moe_team *team) {
  atomic_fetch_add(&team->generation, 1);
  if (atomic_load(&team->sleepers) != 0) futex_wake(&team->generation, INT_MAX);
}

static uint64_t nanoseconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t piece_span(uint32_t begin, uint32_t end) { return (uint64_t)end << 32 | begin; }

/* Takes the first or the last piece of a share; 0 where all are taken. What a piece reads and
 * writes is ordered by the generation and by `pending`, so the span itself need order nothing. */
static int take_piece(untaken_pieces *untaken, int first, uint32_t *piece) {
  uint64_t span = atomic_load_explicit(&untaken->span, memory_order_relaxed);
  uint64_t rest;
  do {
    uint32_t begin = (uint32_t)span, end = (uint32_t)(span >> 32);
    if (begin == end) return 0;
    *piece = first ? begin : end - 1;
    rest = first ? piece_span(begin + 1, end) : piece_span(begin, end - 1);
  } while (!atomic_compare_exchange_weak_explicit(&untaken->span, &span, rest, memory_order_relaxed,
                                                  memory_order_relaxed));
  return 1;
}

/* The pieces of the worker's own share, then those left of the others', the next worker's first. */
static void run_pieces(const moe_team *team, unsigned index) {
  unsigned piece_count = team->worker_count * team->pieces;
  for (unsigned distance = 0; distance < team->worker_count; distance++) {
    unsigned owner = (index + distance) % team->worker_count;
    uint32_t piece;
    while (take_piece(&team->untaken[owner], distance == 0, &piece)) {
      team->op(team->job, owner * team->pieces + piece, piece_count);
    }
  }
}

static void run_share(const moe_team *team, unsigned index) {
  uint64_t *times = team->times;
  if (times) times[2 * index] = nanoseconds();
  if (team->pieces > 1) {
    run_pieces(team, index);
  } else {
    team->op(team->job, index, team->worker_count);
  }
  if (times) times[2 * index + 1] = nanoseconds();
}

static void *worker_main(void *argument) {
  const worker_thread *worker = argument;
  moe_team *team = worker->team;
  /* Generations rise only after all workers finished the one before, so none is ever missed; the
   * team starts at 0 and may have been raised before this thread first ran. */
  for (unsigned last = 0;; last++) {
    await_generation_after(team, last);
    if (team->stopping) return NULL;
    run_share(team, worker->index);
    if (atomic_fetch_sub(&team->pending, 1) == 1 && atomic_load(&team->caller_sleeps) != 0)
      futex_wake(&team->pending, 1);
  }
}

static void stop_and_join(moe_team *team, unsigned thread_count) {
  team->stopping = 1;
  raise_generation(team);
  for (unsigned i = 0; i < thread_count; i++) pthread_join(team->threads[i].thread, NULL);
}

/* Processors this process may run on, at least 1. */
static unsigned available_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return (unsigned)CPU_COUNT(&set);
  long online = sysconf(_SC_NPROCESSORS_ONLN); /* more processors than a cpu_set_t holds */
  return online < 1 ? 1 : (unsigned)online;
}

/* Starts the threads and returns how many did start. */
static unsigned start_threads(moe_team *team) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return 0;
  pthread_attr_setstacksize(&attributes, STACK_BYTES);
  unsigned count = 0;
  for (; count < team->worker_count - 1; count++) {
    worker_thread *worker = &team->threads[count];
    worker->team = team;
    worker->index = count + 1;
    if (pthread_create(&worker->thread, &attributes, worker_main, worker) != 0) break;
    char name[16];
    snprintf(name, sizeof name, "moe-worker-%u", worker->index % 1000);
    pthread_setname_np(worker->thread, name);
  }
  pthread_attr_destroy(&attributes);
  return count;
}

moe_team *moe_team_create(unsigned worker_count, int spins_briefly) {
  if (worker_count < 1 || worker_count > WORKER_COUNT_MAX) return NULL;
  size_t bytes = sizeof(moe_team) + (worker_count - 1) * sizeof(worker_thread);
  bytes = (bytes + CACHE_LINE_BYTES - 1) / CACHE_LINE_BYTES * CACHE_LINE_BYTES;
  size_t untaken_bytes = worker_count * sizeof(untaken_pieces);
  moe_team *team = aligned_alloc(CACHE_LINE_BYTES, bytes + untaken_bytes);
  if (!team) return NULL;
  team->untaken = (untaken_pieces *)((uint8_t *)team + bytes);
  for (unsigned i = 0; i < worker_count; i++) atomic_init(&team->untaken[i].span, 0);
  atomic_init(&team->generation, 0);
  atomic_init(&team->pending, 0);
  atomic_init(&team->caller_sleeps, 0);
  atomic_init(&team->sleepers, 0);
  team->op = NULL;
  team->job = NULL;
  team->pieces = 1;
  team->times = NULL;
  team->stopping = 0;
  team->worker_count = worker_count;
  team->spin_pauses = spins_briefly || worker_count > available_processors() ? SPIN_PAUSES_BRIEF
                                                                              : SPIN_PAUSES;

  /* Threads inherit the mask: signals are for the threads of the program, never for workers. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  unsigned started = start_threads(team);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (started == worker_count - 1) return team;
  stop_and_join(team, started);
  free(team);
  return NULL;
}

void moe_team_destroy(moe_team *team) {
  if (!team) return;
  stop_and_join(team, team->worker_count - 1);
  free(team);
}

unsigned moe_team_worker_count(const moe_team *team) { return team->worker_count; }

void moe_team_run(moe_team *team, moe_op op, const void *job, unsigned pieces, uint64_t *times) {
  team->op = op;
  team->job = job;
  team->pieces = pieces;
  team->times = times;
  if (pieces > 1) {
    for (unsigned i = 0; i < team->worker_count; i++) {
      atomic_store_explicit(&team->untaken[i].span, piece_span(0, pieces), memory_order_relaxed);
    }
  }
  if (team->worker_count > 1) {
    atomic_store_explicit(&team->pending, team->worker_count - 1, memory_order_relaxed);
    raise_generation(team);
  }
  run_share(team, 0);
  if (team->worker_count > 1) await_workers(team);
}
