/* The gated activation of a feed-forward layer. Both levels give the same bits. */
#include "exp.h"

/* Elements that a worker takes at a time: a row of one token is shared too. */
enum { GRAIN = 256 };

typedef void (*swiglu_run)(float *gate, const float *up, size_t count);

MOE_INLINE float silu(float x) { return x / (1.0f + moe_exp(-x)); }

MOE_INLINE void swiglu(const moe_swiglu_job *job, swiglu_run run, unsigned worker,
                       unsigned worker_count) {
  size_t pieces = (job->columns + GRAIN - 1) / GRAIN;
  moe_range part = moe_share(job->rows * pieces, 1, worker, worker_count);
  for (size_t i = part.begin; i < part.end; i++) {
    size_t row = i / pieces, begin = i % pieces * GRAIN;
    size_t rest = job->columns - begin, count = rest < GRAIN ? rest : GRAIN;
    run(job->gate + row * job->gate_stride + begin, job->up + row * job->up_stride + begin, count);
  }
}

static void swiglu_run_scalar(float *gate, const float *up, size_t count) {
  for (size_t i = 0; i < count; i++) gate[i] = silu(gate[i]) * up[i];
}

void moe_swiglu_scalar(const void *job, unsigned worker, unsigned worker_count) {
  swiglu(job, swiglu_run_scalar, worker, worker_count);
}

#if defined(__x86_64__)
static MOE_AVX2 void swiglu_run_avx2(float *gate, const float *up, size_t count) {
  const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 x = _mm256_loadu_ps(gate + i);
    __m256 divisor = _mm256_add_ps(one, moe_exp_avx2(_mm256_xor_ps(x, sign)));
    __m256 silu = _mm256_div_ps(x, divisor);
    _mm256_storeu_ps(gate + i, _mm256_mul_ps(silu, _mm256_loadu_ps(up + i)));
  }
  for (; i < count; i++) gate[i] = silu(gate[i]) * up[i];
}

void moe_swiglu_avx2(const void *job, unsigned worker, unsigned worker_count) {
  swiglu(job, swiglu_run_avx2, worker, worker_count);
}
#elif defined(__aarch64__)
static void swiglu_run_neon(float *gate, const float *up, size_t count) {
  const float32x4_t one = vdupq_n_f32(1.0f);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    float32x4_t x = vld1q_f32(gate + i);
    float32x4_t divisor = vaddq_f32(one, moe_exp_neon(vnegq_f32(x)));
    vst1q_f32(gate + i, vmulq_f32(vdivq_f32(x, divisor), vld1q_f32(up + i)));
  }
  for (; i < count; i++) gate[i] = silu(gate[i]) * up[i];
}

void moe_swiglu_neon(const void *job, unsigned worker, unsigned worker_count) {
  swiglu(job, swiglu_run_neon, worker, worker_count);
}
#endif
