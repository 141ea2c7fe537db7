/* Rotary position embedding. One body, compiled for each level; both give the same bits, since
 * every rounding is written out. */
#include "ops.h"

#include <math.h>

/* Contraction would fuse other products than the ones written as fused. */
#pragma clang fp contract(off)

/* (first, second) turned by the angle, as (real, imaginary). */
MOE_INLINE void rotate(float *first, float *second, float cosine, float sine) {
  float a = *first, b = *second;
  *first = fmaf(a, cosine, -(b * sine));
  *second = fmaf(a, sine, b * cosine);
}

MOE_INLINE void rope_head(float *restrict x, const float *restrict cosines,
                          const float *restrict sines, size_t pairs, int halves) {
  if (halves) {
    for (size_t i = 0; i < pairs; i++) rotate(x + i, x + pairs + i, cosines[i], sines[i]);
  } else {
    for (size_t i = 0; i < pairs; i++) rotate(x + 2 * i, x + 2 * i + 1, cosines[i], sines[i]);
  }
}

MOE_INLINE void rope(const moe_rope_job *job, unsigned worker, unsigned worker_count) {
  moe_range rows = moe_share(job->tokens * job->heads, 1, worker, worker_count);
  for (size_t i = rows.begin; i < rows.end; i++) {
    size_t token = i / job->heads, head = i % job->heads;
    rope_head(job->x + token * job->token_stride + head * job->head_dimension,
              job->cosines + token * job->pairs, job->sines + token * job->pairs, job->pairs,
              job->paired_halves);
  }
}

void moe_rope_scalar(const void *job, unsigned worker, unsigned worker_count) {
  rope(job, worker, worker_count);
}

#if defined(__x86_64__)
MOE_AVX2 void moe_rope_avx2(const void *job, unsigned worker, unsigned worker_count) {
  rope(job, worker, worker_count);
}
#endif
