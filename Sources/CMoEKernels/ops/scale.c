/* Factors on whole rows, and the soft cap. All levels give the same bits: every rounding is written
 * out. */
#include "tanh.h"

/* Contraction would fuse products with sums that are not written as fused. */
#pragma clang fp contract(off)

/* Elements that a worker takes at a time: the logits of one token are shared too. */
enum { GRAIN = 1024 };

typedef void (*cap_run)(float *x, size_t count, float cap);

MOE_INLINE void scale_rows(const moe_scale_job *job, cap_run cap, unsigned worker,
                           unsigned worker_count) {
  size_t pieces = (job->columns + GRAIN - 1) / GRAIN;
  moe_range part = moe_share(job->rows * pieces, 1, worker, worker_count);
  for (size_t i = part.begin; i < part.end; i++) {
    size_t row = i / pieces, begin = i % pieces * GRAIN;
    size_t rest = job->columns - begin, count = rest < GRAIN ? rest : GRAIN;
    float *x = job->x + row * job->x_stride + begin;
    float factor = job->factors ? job->scale * job->factors[row] : job->scale;
    if (factor != 1.0f) {
      for (size_t c = 0; c < count; c++) x[c] *= factor;
    }
    if (job->soft_cap > 0) cap(x, count, job->soft_cap);
  }
}

static void cap_scalar(float *x, size_t count, float cap) {
  for (size_t c = 0; c < count; c++) x[c] = cap * moe_tanh(x[c] / cap);
}

void moe_scale_scalar(const void *job, unsigned worker, unsigned worker_count) {
  scale_rows(job, cap_scalar, worker, worker_count);
}

#if defined(__x86_64__)
static MOE_AVX2 void cap_avx2(float *x, size_t count, float cap) {
  const __m256 caps = _mm256_set1_ps(cap);
  size_t c = 0;
  for (; c + 8 <= count; c += 8) {
    __m256 value = _mm256_div_ps(_mm256_loadu_ps(x + c), caps);
    _mm256_storeu_ps(x + c, _mm256_mul_ps(caps, moe_tanh_avx2(value)));
  }
  for (; c < count; c++) x[c] = cap * moe_tanh(x[c] / cap);
}

MOE_AVX2 void moe_scale_avx2(const void *job, unsigned worker, unsigned worker_count) {
  scale_rows(job, cap_avx2, worker, worker_count);
}
#elif defined(__aarch64__)
static void cap_neon(float *x, size_t count, float cap) {
  const float32x4_t caps = vdupq_n_f32(cap);
  size_t c = 0;
  for (; c + 4 <= count; c += 4) {
    float32x4_t value = vdivq_f32(vld1q_f32(x + c), caps);
    vst1q_f32(x + c, vmulq_f32(caps, moe_tanh_neon(value)));
  }
  for (; c < count; c++) x[c] = cap * moe_tanh(x[c] / cap);
}

void moe_scale_neon(const void *job, unsigned worker, unsigned worker_count) {
  scale_rows(job, cap_neon, worker, worker_count);
}
#endif
