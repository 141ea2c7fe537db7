/* Root mean square normalisation (arXiv 1910.07467). */
#include "ops.h"

#include <math.h>

typedef void (*norm_row)(const float *x, const float *weight, float *y, size_t columns,
                         float epsilon);

MOE_INLINE float inverse_norm(float sum, size_t columns, float epsilon) {
  return 1.0f / sqrtf(sum / (float)columns + epsilon);
}

MOE_INLINE void norm_rows(const moe_rms_norm_job *job, norm_row norm, unsigned worker,
                          unsigned worker_count) {
  moe_range rows = moe_share(job->groups * job->rows_per_group, 1, worker, worker_count);
  for (size_t i = rows.begin; i < rows.end; i++) {
    size_t group = i / job->rows_per_group, row = i % job->rows_per_group;
    float *x = job->x + group * job->group_stride + row * job->row_stride;
    float *y = job->y + group * job->y_group_stride + row * job->y_row_stride;
    norm(x, job->weight, y, job->columns, job->epsilon);
  }
}

/* The reference sums in double, so that it can judge the others. */
static void norm_row_scalar(const float *x, const float *weight, float *y, size_t columns,
                            float epsilon) {
  double sum = 0;
  for (size_t c = 0; c < columns; c++) sum += (double)x[c] * x[c];
  float scale = inverse_norm((float)sum, columns, epsilon);
  for (size_t c = 0; c < columns; c++) y[c] = x[c] * scale * (weight ? weight[c] : 1.0f);
}

void moe_rms_norm_scalar(const void *job, unsigned worker, unsigned worker_count) {
  norm_rows(job, norm_row_scalar, worker, worker_count);
}

#if defined(__x86_64__)
#include <immintrin.h>

/* 32 partial sums: four registers hide the latency of the addition, and a lane of a row of 8192
 * adds only 256 terms, which keeps the rounding error near that of one operation. */
static MOE_AVX2 void norm_row_avx2(const float *x, const float *weight, float *y, size_t columns,
                                   float epsilon) {
  __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                    _mm256_setzero_ps()};
  size_t c = 0;
  for (; c + 32 <= columns; c += 32) {
    for (int i = 0; i < 4; i++) {
      __m256 value = _mm256_loadu_ps(x + c + 8 * i);
      sums[i] = _mm256_fmadd_ps(value, value, sums[i]);
    }
  }
  for (; c + 8 <= columns; c += 8) {
    __m256 value = _mm256_loadu_ps(x + c);
    sums[0] = _mm256_fmadd_ps(value, value, sums[0]);
  }
  __m256 all = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
  float lanes[8];
  _mm256_storeu_ps(lanes, all);
  float sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
              ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  for (; c < columns; c++) sum = fmaf(x[c], x[c], sum);

  float scale = inverse_norm(sum, columns, epsilon);
  __m256 scales = _mm256_set1_ps(scale);
  for (c = 0; c + 8 <= columns; c += 8) {
    __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + c), scales);
    if (weight) scaled = _mm256_mul_ps(scaled, _mm256_loadu_ps(weight + c));
    _mm256_storeu_ps(y + c, scaled);
  }
  for (; c < columns; c++) y[c] = x[c] * scale * (weight ? weight[c] : 1.0f);
}

void moe_rms_norm_avx2(const void *job, unsigned worker, unsigned worker_count) {
  norm_rows(job, norm_row_avx2, worker, worker_count);
}
#elif defined(__aarch64__)
#include "../quant/neon.h"

/* The same 32 partial sums. */
static void norm_row_neon(const float *x, const float *weight, float *y, size_t columns,
                          float epsilon) {
  float32x4x2_t sums[4];
  for (int i = 0; i < 4; i++) sums[i] = moe_broadcast_8_neon(0);
  size_t c = 0;
  for (; c + 32 <= columns; c += 32) {
    for (int i = 0; i < 4; i++) {
      float32x4x2_t values = moe_load_8_neon(x + c + 8 * i);
      sums[i] = moe_fma_8_neon(sums[i], values, values);
    }
  }
  for (; c + 8 <= columns; c += 8) {
    float32x4x2_t values = moe_load_8_neon(x + c);
    sums[0] = moe_fma_8_neon(sums[0], values, values);
  }
  float32x4x2_t all =
      moe_add_8_neon(moe_add_8_neon(sums[0], sums[1]), moe_add_8_neon(sums[2], sums[3]));
  float sum = moe_sum_pairs_neon(all);
  for (; c < columns; c++) sum = fmaf(x[c], x[c], sum);

  float scale = inverse_norm(sum, columns, epsilon);
  for (c = 0; c + 4 <= columns; c += 4) {
    float32x4_t scaled = vmulq_n_f32(vld1q_f32(x + c), scale);
    if (weight) scaled = vmulq_f32(scaled, vld1q_f32(weight + c));
    vst1q_f32(y + c, scaled);
  }
  for (; c < columns; c++) y[c] = x[c] * scale * (weight ? weight[c] : 1.0f);
}

void moe_rms_norm_neon(const void *job, unsigned worker, unsigned worker_count) {
  norm_rows(job, norm_row_neon, worker, worker_count);
}
#endif
