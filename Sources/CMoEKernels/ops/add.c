/* Sums of rows. One body, compiled for each level; both give the same bits. */
#include "ops.h"

#include <math.h>

/* Elements per cache line, so that no two workers write to the same one. */
enum { GRAIN = 16 };

MOE_INLINE void add(const moe_add_job *job, unsigned worker, unsigned worker_count) {
  moe_range part = moe_share(job->count, GRAIN, worker, worker_count);
  float *restrict x = job->x;
  const float *restrict y = job->y;
  for (size_t i = part.begin; i < part.end; i++) x[i] += y[i];
}

/* Workers share the columns, not the rows: several rows may go to one token, and their order is
 * part of the result. */
MOE_INLINE void scatter_add(const moe_scatter_add_job *job, unsigned worker,
                            unsigned worker_count) {
  moe_range part = moe_share(job->columns, GRAIN, worker, worker_count);
  for (size_t i = 0; i < job->rows; i++) {
    float *restrict out = job->out + job->tokens[i] * job->out_stride;
    const float *restrict y = job->y + i * job->y_stride;
    float weight = job->weights[i];
    for (size_t c = part.begin; c < part.end; c++) out[c] = fmaf(weight, y[c], out[c]);
  }
}

void moe_add_scalar(const void *job, unsigned worker, unsigned worker_count) {
  add(job, worker, worker_count);
}

void moe_scatter_add_scalar(const void *job, unsigned worker, unsigned worker_count) {
  scatter_add(job, worker, worker_count);
}

#if defined(__x86_64__)
MOE_AVX2 void moe_add_avx2(const void *job, unsigned worker, unsigned worker_count) {
  add(job, worker, worker_count);
}

MOE_AVX2 void moe_scatter_add_avx2(const void *job, unsigned worker, unsigned worker_count) {
  scatter_add(job, worker, worker_count);
}
#endif
