/* The activations of a feed-forward layer, with a gate or without. All levels give the same bits:
 * every rounding is written out. */
#include "exp.h"

/* Contraction would fuse other products than the ones written as fused. */
#pragma clang fp contract(off)

/* Elements that a worker takes at a time: a row of one token is shared too. */
enum { GRAIN = 256 };

/* 2 sqrt(2 / pi), and that times 0.044715: twice the argument of GELU's hyperbolic tangent is
 * x (GELU_1 + GELU_3 x^2) (arXiv 1606.08415, section 2). */
#define GELU_1 0x1.988454p+0f
#define GELU_3 0x1.2444f2p-4f

typedef void (*activate_run)(const moe_activate_job *job, float *x, const float *up, size_t count);

MOE_INLINE void activate(const moe_activate_job *job, activate_run run, unsigned worker,
                         unsigned worker_count) {
  size_t pieces = (job->columns + GRAIN - 1) / GRAIN;
  moe_range part = moe_share(job->rows * pieces, 1, worker, worker_count);
  for (size_t i = part.begin; i < part.end; i++) {
    size_t row = i / pieces, begin = i % pieces * GRAIN;
    size_t rest = job->columns - begin, count = rest < GRAIN ? rest : GRAIN;
    const float *up = job->up ? job->up + row * job->up_stride + begin : NULL;
    run(job, job->x + row * job->x_stride + begin, up, count);
  }
}

/* x sigmoid(slope x). A slope of 1 changes no bit. */
MOE_INLINE float silu(float x, float slope) { return x / (1.0f + moe_exp(-(slope * x))); }

/* x (1 + tanh(u)) / 2 is x sigmoid(2u). */
MOE_INLINE float gelu(float x) {
  return x / (1.0f + moe_exp(-(x * fmaf(x * x, GELU_3, GELU_1))));
}

/* What is no number stays so. */
MOE_INLINE float relu(float x) { return x < 0 ? 0 : x; }

MOE_INLINE float at_most(float x, float limit) { return x > limit ? limit : x; }

MOE_INLINE float at_least(float x, float limit) { return x < limit ? limit : x; }

MOE_INLINE float curve(float x, moe_curve kind, float slope) {
  switch (kind) {
    case MOE_CURVE_SILU: return silu(x, slope);
    case MOE_CURVE_GELU: return gelu(x);
    case MOE_CURVE_RELU: return relu(x);
    case MOE_CURVE_RELU_SQUARED: return relu(x) * relu(x);
    case MOE_CURVE_SIGMOID: return 1.0f / (1.0f + moe_exp(-x));
    default: return x;
  }
}

/* One element. kind and clamp are constants wherever this is inlined. */
MOE_INLINE void activate_one(const moe_activate_job *job, float *x, const float *up,
                             moe_curve kind, moe_clamp clamp) {
  float gate = clamp == MOE_CLAMP_BEFORE ? at_most(*x, job->limit) : *x;
  float value = curve(gate, kind, clamp == MOE_CLAMP_NONE ? 1.0f : job->slope);
  if (clamp == MOE_CLAMP_NONE) {
    *x = up ? value * *up : value;
    return;
  }
  if (clamp == MOE_CLAMP_AFTER) value = at_most(value, job->limit);
  float other = at_least(at_most(*up, job->limit), -job->limit) + job->up_offset;
  *x = value * other;
}

/* A loop over the elements of a run, which each level has one of, with its constants. */
#define ACTIVATE_RUN(loop)                                              \
  switch (job->clamp) {                                                 \
    case MOE_CLAMP_BEFORE: loop(MOE_CURVE_SILU, MOE_CLAMP_BEFORE); break; \
    case MOE_CLAMP_AFTER: loop(MOE_CURVE_SILU, MOE_CLAMP_AFTER); break;   \
    default:                                                            \
      switch (job->curve) {                                             \
        case MOE_CURVE_SILU: loop(MOE_CURVE_SILU, MOE_CLAMP_NONE); break; \
        case MOE_CURVE_GELU: loop(MOE_CURVE_GELU, MOE_CLAMP_NONE); break; \
        case MOE_CURVE_RELU: loop(MOE_CURVE_RELU, MOE_CLAMP_NONE); break; \
        case MOE_CURVE_RELU_SQUARED:                                    \
          loop(MOE_CURVE_RELU_SQUARED, MOE_CLAMP_NONE);                 \
          break;                                                        \
        case MOE_CURVE_SIGMOID: loop(MOE_CURVE_SIGMOID, MOE_CLAMP_NONE); break; \
        default: loop(MOE_CURVE_IDENTITY, MOE_CLAMP_NONE);              \
      }                                                                 \
  }

MOE_INLINE void rest(const moe_activate_job *job, float *x, const float *up, size_t count,
                     moe_curve kind, moe_clamp clamp) {
  for (size_t i = 0; i < count; i++) activate_one(job, x + i, up ? up + i : NULL, kind, clamp);
}

static void activate_run_scalar(const moe_activate_job *job, float *x, const float *up,
                                size_t count) {
#define LOOP(kind, clamp) rest(job, x, up, count, kind, clamp)
  ACTIVATE_RUN(LOOP)
#undef LOOP
}

void moe_activate_scalar(const void *job, unsigned worker, unsigned worker_count) {
  activate(job, activate_run_scalar, worker, worker_count);
}

#if defined(__x86_64__)
MOE_INLINE MOE_AVX2 __m256 sigmoid_product_avx2(__m256 x, __m256 exponent) {
  __m256 minus = _mm256_xor_ps(exponent, _mm256_set1_ps(-0.0f));
  return _mm256_div_ps(x, _mm256_add_ps(_mm256_set1_ps(1.0f), moe_exp_avx2(minus)));
}

MOE_INLINE MOE_AVX2 __m256 curve_avx2(__m256 x, moe_curve kind, __m256 slope) {
  if (kind == MOE_CURVE_SILU) return sigmoid_product_avx2(x, _mm256_mul_ps(slope, x));
  if (kind == MOE_CURVE_GELU) {
    __m256 factor = _mm256_fmadd_ps(_mm256_mul_ps(x, x), _mm256_set1_ps(GELU_3),
                                    _mm256_set1_ps(GELU_1));
    return sigmoid_product_avx2(x, _mm256_mul_ps(x, factor));
  }
  if (kind == MOE_CURVE_SIGMOID) return sigmoid_product_avx2(_mm256_set1_ps(1.0f), x);
  if (kind == MOE_CURVE_IDENTITY) return x;
  /* max and min return their second operand where one is NaN. */
  __m256 positive = _mm256_max_ps(_mm256_setzero_ps(), x);
  return kind == MOE_CURVE_RELU ? positive : _mm256_mul_ps(positive, positive);
}

MOE_INLINE MOE_AVX2 void loop_avx2(const moe_activate_job *job, float *x, const float *up,
                                   size_t count, moe_curve kind, moe_clamp clamp) {
  const __m256 limit = _mm256_set1_ps(job->limit), least = _mm256_set1_ps(-job->limit);
  const __m256 offset = _mm256_set1_ps(job->up_offset);
  const __m256 slope = _mm256_set1_ps(clamp == MOE_CLAMP_NONE ? 1.0f : job->slope);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 gate = _mm256_loadu_ps(x + i);
    if (clamp == MOE_CLAMP_BEFORE) gate = _mm256_min_ps(limit, gate);
    __m256 value = curve_avx2(gate, kind, slope);
    if (clamp == MOE_CLAMP_AFTER) value = _mm256_min_ps(limit, value);
    if (up) {
      __m256 other = _mm256_loadu_ps(up + i);
      if (clamp != MOE_CLAMP_NONE) {
        other = _mm256_max_ps(least, _mm256_min_ps(limit, other));
        other = _mm256_add_ps(other, offset);
      }
      value = _mm256_mul_ps(value, other);
    }
    _mm256_storeu_ps(x + i, value);
  }
  rest(job, x + i, up ? up + i : NULL, count - i, kind, clamp);
}

static MOE_AVX2 void activate_run_avx2(const moe_activate_job *job, float *x, const float *up,
                                       size_t count) {
#define LOOP(kind, clamp) loop_avx2(job, x, up, count, kind, clamp)
  ACTIVATE_RUN(LOOP)
#undef LOOP
}

void moe_activate_avx2(const void *job, unsigned worker, unsigned worker_count) {
  activate(job, activate_run_avx2, worker, worker_count);
}
#elif defined(__aarch64__)
MOE_INLINE float32x4_t sigmoid_product_neon(float32x4_t x, float32x4_t exponent) {
  return vdivq_f32(x, vaddq_f32(vdupq_n_f32(1.0f), moe_exp_neon(vnegq_f32(exponent))));
}

/* Comparisons, not minima: what is no number stays so, and zeros keep their sign. */
MOE_INLINE float32x4_t at_most_neon(float32x4_t x, float32x4_t limit) {
  return vbslq_f32(vcgtq_f32(x, limit), limit, x);
}

MOE_INLINE float32x4_t at_least_neon(float32x4_t x, float32x4_t limit) {
  return vbslq_f32(vcltq_f32(x, limit), limit, x);
}

MOE_INLINE float32x4_t curve_neon(float32x4_t x, moe_curve kind, float slope) {
  if (kind == MOE_CURVE_SILU) return sigmoid_product_neon(x, vmulq_n_f32(x, slope));
  if (kind == MOE_CURVE_GELU) {
    float32x4_t factor = vfmaq_f32(vdupq_n_f32(GELU_1), vmulq_f32(x, x), vdupq_n_f32(GELU_3));
    return sigmoid_product_neon(x, vmulq_f32(x, factor));
  }
  if (kind == MOE_CURVE_SIGMOID) return sigmoid_product_neon(vdupq_n_f32(1.0f), x);
  if (kind == MOE_CURVE_IDENTITY) return x;
  float32x4_t positive = at_least_neon(x, vdupq_n_f32(0));
  return kind == MOE_CURVE_RELU ? positive : vmulq_f32(positive, positive);
}

MOE_INLINE void loop_neon(const moe_activate_job *job, float *x, const float *up, size_t count,
                          moe_curve kind, moe_clamp clamp) {
  const float32x4_t limit = vdupq_n_f32(job->limit), least = vdupq_n_f32(-job->limit);
  const float32x4_t offset = vdupq_n_f32(job->up_offset);
  float slope = clamp == MOE_CLAMP_NONE ? 1.0f : job->slope;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    float32x4_t gate = vld1q_f32(x + i);
    if (clamp == MOE_CLAMP_BEFORE) gate = at_most_neon(gate, limit);
    float32x4_t value = curve_neon(gate, kind, slope);
    if (clamp == MOE_CLAMP_AFTER) value = at_most_neon(value, limit);
    if (up) {
      float32x4_t other = vld1q_f32(up + i);
      if (clamp != MOE_CLAMP_NONE) {
        other = at_least_neon(at_most_neon(other, limit), least);
        other = vaddq_f32(other, offset);
      }
      value = vmulq_f32(value, other);
    }
    vst1q_f32(x + i, value);
  }
  rest(job, x + i, up ? up + i : NULL, count - i, kind, clamp);
}

static void activate_run_neon(const moe_activate_job *job, float *x, const float *up,
                              size_t count) {
#define LOOP(kind, clamp) loop_neon(job, x, up, count, kind, clamp)
  ACTIVATE_RUN(LOOP)
#undef LOOP
}

void moe_activate_neon(const void *job, unsigned worker, unsigned worker_count) {
  activate(job, activate_run_neon, worker, worker_count);
}
#endif
