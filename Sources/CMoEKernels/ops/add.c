/* Sums of rows. One body, compiled for each level; both give the same bits. */
#include "exp.h"

/* Elements per cache line, so that no two workers write to the same one. */
enum { GRAIN = 16 };

/* Elements of a row that a worker takes at a time. */
enum { ROW_GRAIN = 1024 };

MOE_INLINE void add(const moe_add_job *job, unsigned worker, unsigned worker_count) {
  moe_range part = moe_share(job->count, GRAIN, worker, worker_count);
  float *restrict x = job->x;
  const float *restrict y = job->y;
  for (size_t i = part.begin; i < part.end; i++) x[i] += y[i];
}

/* Workers share the elements, cut at whole grains of a row. */
MOE_INLINE void add_rows(const moe_add_rows_job *job, unsigned worker, unsigned worker_count) {
  size_t pieces = (job->columns + ROW_GRAIN - 1) / ROW_GRAIN;
  moe_range part = moe_share(job->rows * pieces, 1, worker, worker_count);
  for (size_t i = part.begin; i < part.end; i++) {
    size_t row = i / pieces, begin = i % pieces * ROW_GRAIN;
    size_t rest = job->columns - begin, count = rest < ROW_GRAIN ? rest : ROW_GRAIN;
    float *restrict x = job->x + row * job->x_stride + begin;
    const float *restrict y = job->y + row * job->y_stride + begin;
    float scale = job->scale;
    if (job->gates) scale *= 1.0f / (1.0f + moe_exp(-job->gates[row * job->gate_stride]));
    for (size_t c = 0; c < count; c++) x[c] = fmaf(scale, y[c], x[c]);
  }
}

/* Workers share the columns, not the rows: several rows may go to one token, and their order is
 * part of the result. */
MOE_INLINE void scatter_add(const moe_scatter_add_job *job, unsigned worker,
                            unsigned worker_count) {
  moe_range part = moe_share(job->columns, GRAIN, worker, worker_count);
  for (size_t i = 0; i < job->rows; i++) {
    float *restrict out = job->out + job->tokens[i] * job->out_stride;
    const float *restrict y = job->y + i * job->y_stride;
    float weight = job->weights ? job->weights[i] : 1.0f;
    for (size_t c = part.begin; c < part.end; c++) out[c] = fmaf(weight, y[c], out[c]);
  }
}

void moe_add_scalar(const void *job, unsigned worker, unsigned worker_count) {
  add(job, worker, worker_count);
}

void moe_add_rows_scalar(const void *job, unsigned worker, unsigned worker_count) {
  add_rows(job, worker, worker_count);
}

void moe_scatter_add_scalar(const void *job, unsigned worker, unsigned worker_count) {
  scatter_add(job, worker, worker_count);
}

#if defined(__x86_64__)
MOE_AVX2 void moe_add_avx2(const void *job, unsigned worker, unsigned worker_count) {
  add(job, worker, worker_count);
}

MOE_AVX2 void moe_add_rows_avx2(const void *job, unsigned worker, unsigned worker_count) {
  add_rows(job, worker, worker_count);
}

MOE_AVX2 void moe_scatter_add_avx2(const void *job, unsigned worker, unsigned worker_count) {
  scatter_add(job, worker, worker_count);
}
#endif
