/* Functions of one vector: softmax, sigmoid, log of the sum of exponentials, index of the
 * largest. */
#include "exp.h"

/* The largest value; -infinity where every value is NaN. */
static float largest_scalar(const float *x, size_t count) {
  float largest = -INFINITY;
  for (size_t i = 0; i < count; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

float moe_softmax_scalar(float *x, size_t count) {
  float largest = largest_scalar(x, count);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += x[i] = moe_exp(x[i] - largest);
  float inverse = (float)(1 / sum);
  for (size_t i = 0; i < count; i++) x[i] *= inverse;
  return (float)(log(sum) + largest);
}

double moe_log_sum_exp_scalar(const float *x, size_t count) {
  float largest = largest_scalar(x, count);
  double sum = 0;
  for (size_t i = 0; i < count; i++) sum += moe_exp(x[i] - largest);
  return log(sum) + largest;
}

size_t moe_argmax_scalar(const float *x, size_t count) {
  size_t best = 0;
  float largest = -INFINITY;
  for (size_t i = 0; i < count; i++) {
    /* The first value that is a number wins even where it is -infinity. */
    if (x[i] > largest || (x[i] == largest && !(x[best] == largest))) {
      largest = x[i];
      best = i;
    }
  }
  return best;
}

/* One body, compiled for each level; all give the same bits. */
MOE_INLINE void sigmoid(float *x, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] = 1.0f / (1.0f + moe_exp(-x[i]));
}

void moe_sigmoid_scalar(float *x, size_t count) { sigmoid(x, count); }

/* What a vector level gives: the largest value, and the sum of exp(x - largest), whose terms are
 * also stored to out unless that is null. */
typedef float (*largest_fn)(const float *x, size_t count);
typedef double (*exponentials_fn)(const float *x, size_t count, float largest, float *out);

MOE_INLINE float softmax(float *x, size_t count, largest_fn largest_of, exponentials_fn sum_of) {
  float largest = largest_of(x, count);
  double sum = sum_of(x, count, largest, x);
  float inverse = (float)(1 / sum);
  for (size_t i = 0; i < count; i++) x[i] *= inverse;
  return (float)(log(sum) + largest);
}

MOE_INLINE double log_sum_exp(const float *x, size_t count, largest_fn largest_of,
                              exponentials_fn sum_of) {
  float largest = largest_of(x, count);
  return log(sum_of(x, count, largest, NULL)) + largest;
}

#if defined(__x86_64__)
static MOE_AVX2 float largest_avx2(const float *x, size_t count) {
  __m256 most[4];
  for (int i = 0; i < 4; i++) most[i] = _mm256_set1_ps(-INFINITY);
  size_t i = 0;
  /* max returns its second operand where the first is NaN. */
  for (; i + 32 <= count; i += 32)
    for (int j = 0; j < 4; j++) most[j] = _mm256_max_ps(_mm256_loadu_ps(x + i + 8 * j), most[j]);
  for (; i + 8 <= count; i += 8) most[0] = _mm256_max_ps(_mm256_loadu_ps(x + i), most[0]);
  most[0] = _mm256_max_ps(_mm256_max_ps(most[0], most[1]), _mm256_max_ps(most[2], most[3]));
  float lanes[8];
  _mm256_storeu_ps(lanes, most[0]);
  float lane = largest_scalar(lanes, 8), tail = largest_scalar(x + i, count - i);
  return lane > tail ? lane : tail;
}

/* Adds eight floats to eight doubles. */
MOE_INLINE MOE_AVX2 void add_widened(__m256 value, __m256d sums[2]) {
  sums[0] = _mm256_add_pd(sums[0], _mm256_cvtps_pd(_mm256_castps256_ps128(value)));
  sums[1] = _mm256_add_pd(sums[1], _mm256_cvtps_pd(_mm256_extractf128_ps(value, 1)));
}

MOE_INLINE MOE_AVX2 double sum_of_exponentials(const float *x, size_t count, float largest,
                                               float *out) {
  const __m256 subtrahend = _mm256_set1_ps(largest);
  __m256d sums[2] = {_mm256_setzero_pd(), _mm256_setzero_pd()};
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 value = moe_exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(x + i), subtrahend));
    if (out) _mm256_storeu_ps(out + i, value);
    add_widened(value, sums);
  }
  double lanes[4];
  _mm256_storeu_pd(lanes, _mm256_add_pd(sums[0], sums[1]));
  double sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
  for (; i < count; i++) {
    float value = moe_exp(x[i] - largest);
    if (out) out[i] = value;
    sum += value;
  }
  return sum;
}

MOE_AVX2 float moe_softmax_avx2(float *x, size_t count) {
  return softmax(x, count, largest_avx2, sum_of_exponentials);
}

MOE_AVX2 void moe_sigmoid_avx2(float *x, size_t count) { sigmoid(x, count); }

MOE_AVX2 double moe_log_sum_exp_avx2(const float *x, size_t count) {
  return log_sum_exp(x, count, largest_avx2, sum_of_exponentials);
}

MOE_AVX2 size_t moe_argmax_avx2(const float *x, size_t count) {
  __m256 wanted = _mm256_set1_ps(largest_avx2(x, count));
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    __m256 equal = _mm256_cmp_ps(_mm256_loadu_ps(x + i), wanted, _CMP_EQ_OQ);
    int mask = _mm256_movemask_ps(equal);
    if (mask) return i + (size_t)__builtin_ctz((unsigned)mask);
  }
  float value = _mm256_cvtss_f32(wanted);
  for (; i < count; i++)
    if (x[i] == value) return i;
  return 0;
}
#elif defined(__aarch64__)
#include "../quant/neon.h"

MOE_INLINE float32x4x2_t larger(float32x4x2_t a, float32x4x2_t b) {
  return (float32x4x2_t){
      {moe_larger_neon(a.val[0], b.val[0]), moe_larger_neon(a.val[1], b.val[1])}};
}

static float largest_neon(const float *x, size_t count) {
  float32x4x2_t most[4];
  for (int i = 0; i < 4; i++) most[i] = moe_broadcast_8_neon(-INFINITY);
  size_t i = 0;
  /* The second operand stays where the first is NaN. */
  for (; i + 32 <= count; i += 32)
    for (int j = 0; j < 4; j++) most[j] = larger(moe_load_8_neon(x + i + 8 * j), most[j]);
  for (; i + 8 <= count; i += 8) most[0] = larger(moe_load_8_neon(x + i), most[0]);
  float lanes[8];
  moe_store_8_neon(lanes, larger(larger(most[0], most[1]), larger(most[2], most[3])));
  float lane = largest_scalar(lanes, 8), tail = largest_scalar(x + i, count - i);
  return lane > tail ? lane : tail;
}

/* Eight floats are added to eight doubles, two to a vector. */
MOE_INLINE double sum_of_exponentials(const float *x, size_t count, float largest, float *out) {
  const float32x4_t subtrahend = vdupq_n_f32(largest);
  float64x2_t sums[4];
  for (int j = 0; j < 4; j++) sums[j] = vdupq_n_f64(0);
  size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int j = 0; j < 2; j++) {
      float32x4_t value = moe_exp_neon(vsubq_f32(vld1q_f32(x + i + 4 * j), subtrahend));
      if (out) vst1q_f32(out + i + 4 * j, value);
      sums[2 * j] = vaddq_f64(sums[2 * j], vcvt_f64_f32(vget_low_f32(value)));
      sums[2 * j + 1] = vaddq_f64(sums[2 * j + 1], vcvt_high_f64_f32(value));
    }
  }
  double sum = vpaddd_f64(vaddq_f64(sums[0], sums[2])) + vpaddd_f64(vaddq_f64(sums[1], sums[3]));
  for (; i < count; i++) {
    float value = moe_exp(x[i] - largest);
    if (out) out[i] = value;
    sum += value;
  }
  return sum;
}

float moe_softmax_neon(float *x, size_t count) {
  return softmax(x, count, largest_neon, sum_of_exponentials);
}

double moe_log_sum_exp_neon(const float *x, size_t count) {
  return log_sum_exp(x, count, largest_neon, sum_of_exponentials);
}

size_t moe_argmax_neon(const float *x, size_t count) {
  float largest = largest_neon(x, count);
  const float32x4_t wanted = vdupq_n_f32(largest);
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    uint16x4_t equal = vmovn_u32(vceqq_f32(vld1q_f32(x + i), wanted));
    uint64_t mask = vget_lane_u64(vreinterpret_u64_u16(equal), 0); /* 16 bits for each lane */
    if (mask) return i + (size_t)__builtin_ctzll(mask) / 16;
  }
  for (; i < count; i++)
    if (x[i] == largest) return i;
  return 0;
}
#endif
