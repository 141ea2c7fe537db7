/* Layer normalisation (arXiv 1607.06450). One body, compiled for each level; all give the same
 * bits, since the order of every sum is written out. */
#include "ops.h"

#include <math.h>

/* Contraction would fuse other products than the ones written as fused. */
#pragma clang fp contract(off)

/* Partial sums: a lane of a row of 8192 adds 256 terms. */
enum { LANES = 32 };

MOE_INLINE float sum_lanes(float *lanes) {
  for (size_t width = LANES / 2; width > 0; width /= 2) {
    for (size_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
  }
  return lanes[0];
}

MOE_INLINE float mean(const float *x, size_t columns) {
  float lanes[LANES] = {0};
  size_t c = 0;
  for (; c + LANES <= columns; c += LANES) {
    for (size_t i = 0; i < LANES; i++) lanes[i] += x[c + i];
  }
  for (size_t i = 0; c + i < columns; i++) lanes[i] += x[c + i];
  return sum_lanes(lanes) / (float)columns;
}

/* The mean square of the distances from the mean. */
MOE_INLINE float variance(const float *x, size_t columns, float mean) {
  float lanes[LANES] = {0};
  size_t c = 0;
  for (; c + LANES <= columns; c += LANES) {
    for (size_t i = 0; i < LANES; i++) {
      float distance = x[c + i] - mean;
      lanes[i] = fmaf(distance, distance, lanes[i]);
    }
  }
  for (size_t i = 0; c + i < columns; i++) {
    float distance = x[c + i] - mean;
    lanes[i] = fmaf(distance, distance, lanes[i]);
  }
  return sum_lanes(lanes) / (float)columns;
}

MOE_INLINE void layer_norm(const moe_layer_norm_job *job, unsigned worker, unsigned worker_count) {
  moe_range rows = moe_share(job->rows, 1, worker, worker_count);
  for (size_t r = rows.begin; r < rows.end; r++) {
    const float *x = job->x + r * job->x_stride;
    float *y = job->y + r * job->y_stride;
    float center = mean(x, job->columns);
    float scale = 1.0f / sqrtf(variance(x, job->columns, center) + job->epsilon);
    for (size_t c = 0; c < job->columns; c++) {
      float normed = (x[c] - center) * scale;
      y[c] = fmaf(normed, job->weight ? job->weight[c] : 1.0f, job->bias ? job->bias[c] : 0.0f);
    }
  }
}

void moe_layer_norm_scalar(const void *job, unsigned worker, unsigned worker_count) {
  layer_norm(job, worker, worker_count);
}

#if defined(__x86_64__)
MOE_AVX2 void moe_layer_norm_avx2(const void *job, unsigned worker, unsigned worker_count) {
  layer_norm(job, worker, worker_count);
}
#endif
