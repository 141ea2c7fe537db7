/* Activations as products want them. All levels give the same bytes.
 *
 * Q8_0 and Q8_K round as their reference implementations do, and say what those leave open. A block
 * with an infinity or a NaN gets the scale NaN, so that the fault shows in every product with it. A
 * block too small for its scale becomes zero. A Q8_0 scale too large for 16 bits stays a float. */
#include "activations.h"

#include "x86.h"
#include "format.h"
#include "half.h"
#include "neon.h"

enum { INFINITY_BITS = 0x7f800000, MAGNITUDE_BITS = 0x7fffffff };

/* To nearest, ties to even, for |x| < 2^22: at 1.5 * 2^23 the last bit of a float counts ones. */
static int32_t round_to_integer(float x) {
  return (int32_t)(moe_bits_from_float(x + 0x1.8p23f) - 0x4b400000);
}

/* Magnitudes of floats order as their bits do, with NaN above infinity. */
static uint32_t largest_magnitude_bits(const float *x, size_t count) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; i++) {
    uint32_t bits = moe_bits_from_float(x[i]) & MAGNITUDE_BITS;
    if (bits > largest) largest = bits;
  }
  return largest;
}

/* The factor that brings values to integers; 0 where the block becomes zeros. */
typedef struct {
  float to_integer, scale;
} block_scale;

static block_scale q8_0_scale(uint32_t magnitude_bits) {
  if (magnitude_bits >= INFINITY_BITS) return (block_scale){0, moe_float_from_bits(0x7fc00000)};
  float exact = moe_float_from_bits(magnitude_bits) / 127.0f;
  float rounded = moe_float_from_f16(moe_f16_from_float(exact));
  if (rounded == 0) return (block_scale){0, 0};
  int overflows = moe_bits_from_float(rounded) == INFINITY_BITS;
  return (block_scale){1.0f / exact, overflows ? exact : rounded};
}

/* largest: the value of largest magnitude, with its sign; it becomes -127. */
static block_scale q8_k_scale(float largest) {
  uint32_t magnitude_bits = moe_bits_from_float(largest) & MAGNITUDE_BITS;
  if (magnitude_bits >= INFINITY_BITS) return (block_scale){0, moe_float_from_bits(0x7fc00000)};
  float to_integer = -127.0f / largest;
  if ((moe_bits_from_float(to_integer) & MAGNITUDE_BITS) >= INFINITY_BITS) {
    return (block_scale){0, 0}; /* All zero, or below 4e-37. */
  }
  return (block_scale){to_integer, 1.0f / to_integer};
}

/* Where a row's next quants, sums and scale are written. */
typedef struct {
  int8_t *quants;
  int16_t *sums;
  float *scales;
} places;

static places places_of(moe_q8_row row) {
  return (places){(int8_t *)row.quants, (int16_t *)row.sums, (float *)row.scales};
}

/* What is known of a row in 13 bits before its integers are: their scale is written, the bytes
 * behind them are zero. Returns the factor that makes integers of values; 0: all become 0. */
static float begin_q13(uint8_t *out, size_t columns, uint32_t magnitude_bits) {
  float largest = moe_float_from_bits(magnitude_bits);
  float to_integer = MOE_Q13_MAX / largest, scale = largest / MOE_Q13_MAX;
  if (magnitude_bits >= INFINITY_BITS) {
    to_integer = 0;
    scale = moe_float_from_bits(0x7fc00000);
  } else if ((moe_bits_from_float(to_integer) & MAGNITUDE_BITS) >= INFINITY_BITS) {
    to_integer = scale = 0; /* All zero, or below 1e-35. */
  }
  memset(out, 0, MOE_Q13_SCALE_BYTES);
  memcpy(out, &scale, sizeof scale);
  size_t end = MOE_Q13_SCALE_BYTES + columns * sizeof(int16_t);
  memset(out + end, 0, moe_activation_row_bytes(MOE_ACTIVATION_Q13, columns) - end);
  return to_integer;
}

static void quantize_q13_scalar(const float *x, uint8_t *out, size_t columns) {
  float to_integer = begin_q13(out, columns, largest_magnitude_bits(x, columns));
  int16_t *quants = (int16_t *)(out + MOE_Q13_SCALE_BYTES);
  for (size_t c = 0; c < columns; c++) {
    quants[c] = (int16_t)(to_integer == 0 ? 0 : round_to_integer(x[c] * to_integer));
  }
}

static void quantize_f32(const float *x, uint8_t *out, size_t columns) {
  memcpy(out, x, columns * sizeof *x);
}

/* Quants and their sums of some values, times the factor and rounded. */
MOE_ALWAYS_INLINE void quantize_scalar(const float *values, size_t count, float to_integer,
                                       places *p) {
  for (size_t i = 0; i < count; i += MOE_Q8_SUM_ELEMENTS) {
    int32_t sum = 0;
    for (size_t j = i; j < i + MOE_Q8_SUM_ELEMENTS; j++) {
      int32_t q = to_integer == 0 ? 0 : round_to_integer(values[j] * to_integer);
      *p->quants++ = (int8_t)q;
      sum += q;
    }
    *p->sums++ = (int16_t)sum;
  }
}

static void quantize_q8_0_scalar(const float *x, uint8_t *out, size_t columns) {
  places p = places_of(moe_q8_0_row_at(out, columns));
  for (size_t block = 0; block < columns / MOE_Q8_0_ELEMENTS; block++) {
    const float *values = x + block * MOE_Q8_0_ELEMENTS;
    block_scale s = q8_0_scale(largest_magnitude_bits(values, MOE_Q8_0_ELEMENTS));
    *p.scales++ = s.scale;
    quantize_scalar(values, MOE_Q8_0_ELEMENTS, s.to_integer, &p);
  }
}

/* The first of the values whose magnitude is the largest. */
static float first_of_magnitude(const float *values, size_t count, uint32_t magnitude_bits) {
  for (size_t i = 0; i < count; i++) {
    if ((moe_bits_from_float(values[i]) & MAGNITUDE_BITS) == magnitude_bits) return values[i];
  }
  return 0;
}

static void quantize_q8_k_scalar(const float *x, uint8_t *out, size_t columns) {
  places p = places_of(moe_q8_k_row_at(out, columns));
  for (size_t block = 0; block < columns / MOE_Q8_K_ELEMENTS; block++) {
    const float *values = x + block * MOE_Q8_K_ELEMENTS;
    uint32_t magnitude_bits = largest_magnitude_bits(values, MOE_Q8_K_ELEMENTS);
    block_scale s = q8_k_scale(first_of_magnitude(values, MOE_Q8_K_ELEMENTS, magnitude_bits));
    *p.scales++ = s.scale;
    quantize_scalar(values, MOE_Q8_K_ELEMENTS, s.to_integer, &p);
  }
}

#if defined(__x86_64__)

static MOE_TARGET_AVX2 uint32_t largest_magnitude_bits_avx2(const float *x, size_t count) {
  __m256i mask = _mm256_set1_epi32(MAGNITUDE_BITS), largest = _mm256_setzero_si256();
  for (size_t i = 0; i < count; i += 8) {
    largest = _mm256_max_epi32(largest, _mm256_and_si256(moe_load_256_avx2(x + i), mask));
  }
  __m128i four =
      _mm_max_epi32(_mm256_castsi256_si128(largest), _mm256_extracti128_si256(largest, 1));
  __m128i two = _mm_max_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return (uint32_t)_mm_cvtsi128_si32(_mm_max_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

/* 32 values times the factor, rounded, as bytes. */
static MOE_TARGET_AVX2 __m256i quantize_32_avx2(const float *x, float to_integer) {
  if (to_integer == 0) return _mm256_setzero_si256();
  __m256 factor = _mm256_set1_ps(to_integer);
  __m256i q0 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), factor));
  __m256i q1 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), factor));
  __m256i q2 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), factor));
  __m256i q3 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), factor));
  /* Packing works within 128-bit halves; the permutation puts the groups of four in order. */
  __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(q0, q1), _mm256_packs_epi32(q2, q3));
  return _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* Quants and their sums of some values. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void quantize_avx2(const float *values, size_t count,
                                                     float to_integer, places *p) {
  for (size_t i = 0; i < count; i += 32) {
    __m256i quants = quantize_32_avx2(values + i, to_integer);
    _mm256_storeu_si256((__m256i *)p->quants, quants);
    __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), quants);
    __m256i quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    __m256i halves = _mm256_hadd_epi32(quads, quads);
    __m256i sixteens = _mm256_hadd_epi32(halves, halves);
    p->sums[0] = (int16_t)_mm256_extract_epi32(sixteens, 0);
    p->sums[1] = (int16_t)_mm256_extract_epi32(sixteens, 4);
    p->quants += 32;
    p->sums += 2;
  }
}

static MOE_TARGET_AVX2 void quantize_q8_0_avx2(const float *x, uint8_t *out, size_t columns) {
  places p = places_of(moe_q8_0_row_at(out, columns));
  for (size_t block = 0; block < columns / MOE_Q8_0_ELEMENTS; block++) {
    const float *values = x + block * MOE_Q8_0_ELEMENTS;
    block_scale s = q8_0_scale(largest_magnitude_bits_avx2(values, MOE_Q8_0_ELEMENTS));
    *p.scales++ = s.scale;
    quantize_avx2(values, MOE_Q8_0_ELEMENTS, s.to_integer, &p);
  }
}

static MOE_TARGET_AVX2 void quantize_q8_k_avx2(const float *x, uint8_t *out, size_t columns) {
  places p = places_of(moe_q8_k_row_at(out, columns));
  for (size_t block = 0; block < columns / MOE_Q8_K_ELEMENTS; block++) {
    const float *values = x + block * MOE_Q8_K_ELEMENTS;
    uint32_t magnitude_bits = largest_magnitude_bits_avx2(values, MOE_Q8_K_ELEMENTS);
    block_scale s = q8_k_scale(first_of_magnitude(values, MOE_Q8_K_ELEMENTS, magnitude_bits));
    *p.scales++ = s.scale;
    quantize_avx2(values, MOE_Q8_K_ELEMENTS, s.to_integer, &p);
  }
}

static MOE_TARGET_AVX2 void quantize_q13_avx2(const float *x, uint8_t *out, size_t columns) {
  size_t whole = columns / 16 * 16;
  uint32_t first = largest_magnitude_bits_avx2(x, whole);
  uint32_t rest = largest_magnitude_bits(x + whole, columns - whole);
  float to_integer = begin_q13(out, columns, first > rest ? first : rest);
  int16_t *quants = (int16_t *)(out + MOE_Q13_SCALE_BYTES);
  __m256 factor = _mm256_set1_ps(to_integer);
  for (size_t c = 0; c < whole; c += 16) {
    __m256i q0 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + c), factor));
    __m256i q1 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + c + 8), factor));
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(q0, q1), 0xd8);
    if (to_integer == 0) words = _mm256_setzero_si256(); /* What is no number stays none. */
    _mm256_storeu_si256((__m256i *)(quants + c), words);
  }
  for (size_t c = whole; c < columns; c++) {
    quants[c] = (int16_t)(to_integer == 0 ? 0 : round_to_integer(x[c] * to_integer));
  }
}

#elif defined(__aarch64__)

static uint32_t largest_magnitude_bits_neon(const float *x, size_t count) {
  uint32x4_t mask = vdupq_n_u32(MAGNITUDE_BITS), largest = vdupq_n_u32(0);
  for (size_t i = 0; i < count; i += 4) {
    largest = vmaxq_u32(largest, vandq_u32(vreinterpretq_u32_f32(vld1q_f32(x + i)), mask));
  }
  return vmaxvq_u32(largest);
}

/* 16 values times the factor, rounded, as bytes. */
static int8x16_t quantize_16_neon(const float *x, float to_integer) {
  if (to_integer == 0) return vdupq_n_s8(0);
  int32x4_t q0 = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x), to_integer));
  int32x4_t q1 = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4), to_integer));
  int32x4_t q2 = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 8), to_integer));
  int32x4_t q3 = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 12), to_integer));
  int16x8_t low = vqmovn_high_s32(vqmovn_s32(q0), q1);
  int16x8_t high = vqmovn_high_s32(vqmovn_s32(q2), q3);
  return vqmovn_high_s16(vqmovn_s16(low), high);
}

/* Quants and their sums of some values. */
MOE_ALWAYS_INLINE void quantize_neon(const float *values, size_t count, float to_integer,
                                     places *p) {
  for (size_t i = 0; i < count; i += MOE_Q8_SUM_ELEMENTS) {
    int8x16_t bytes = quantize_16_neon(values + i, to_integer);
    vst1q_s8(p->quants, bytes);
    *p->sums++ = vaddlvq_s8(bytes);
    p->quants += MOE_Q8_SUM_ELEMENTS;
  }
}

static void quantize_q8_0_neon(const float *x, uint8_t *out, size_t columns) {
  places p = places_of(moe_q8_0_row_at(out, columns));
  for (size_t block = 0; block < columns / MOE_Q8_0_ELEMENTS; block++) {
    const float *values = x + block * MOE_Q8_0_ELEMENTS;
    block_scale s = q8_0_scale(largest_magnitude_bits_neon(values, MOE_Q8_0_ELEMENTS));
    *p.scales++ = s.scale;
    quantize_neon(values, MOE_Q8_0_ELEMENTS, s.to_integer, &p);
  }
}

static void quantize_q8_k_neon(const float *x, uint8_t *out, size_t columns) {
  places p = places_of(moe_q8_k_row_at(out, columns));
  for (size_t block = 0; block < columns / MOE_Q8_K_ELEMENTS; block++) {
    const float *values = x + block * MOE_Q8_K_ELEMENTS;
    uint32_t magnitude_bits = largest_magnitude_bits_neon(values, MOE_Q8_K_ELEMENTS);
    block_scale s = q8_k_scale(first_of_magnitude(values, MOE_Q8_K_ELEMENTS, magnitude_bits));
    *p.scales++ = s.scale;
    quantize_neon(values, MOE_Q8_K_ELEMENTS, s.to_integer, &p);
  }
}

#endif

moe_quantize_fn moe_activation_variant(moe_activation activation, moe_isa isa) {
  if (activation == MOE_ACTIVATION_F32) return isa == MOE_ISA_SCALAR ? quantize_f32 : NULL;
  if (activation == MOE_ACTIVATION_Q13) {
#if defined(__x86_64__)
    if (isa == MOE_ISA_AVX2) return quantize_q13_avx2;
#endif
    return isa == MOE_ISA_SCALAR ? quantize_q13_scalar : NULL;
  }
  int is_q8_k = activation == MOE_ACTIVATION_Q8_K;
  if (isa == MOE_ISA_SCALAR) return is_q8_k ? quantize_q8_k_scalar : quantize_q8_0_scalar;
#if defined(__x86_64__)
  if (isa == MOE_ISA_AVX2) return is_q8_k ? quantize_q8_k_avx2 : quantize_q8_0_avx2;
#elif defined(__aarch64__)
  if (isa == MOE_ISA_NEON) return is_q8_k ? quantize_q8_k_neon : quantize_q8_0_neon;
#endif
  return NULL;
}

size_t moe_activation_row_bytes(moe_activation activation, size_t columns) {
  size_t bytes = columns * sizeof(float);
  if (activation == MOE_ACTIVATION_Q13) {
    /* A step of columns reads up to 31 too many. */
    bytes = MOE_Q13_SCALE_BYTES + columns * sizeof(int16_t) + 64;
  } else if (activation != MOE_ACTIVATION_F32) {
    size_t elements = activation == MOE_ACTIVATION_Q8_0 ? MOE_Q8_0_ELEMENTS : MOE_Q8_K_ELEMENTS;
    bytes = columns + columns / MOE_Q8_SUM_ELEMENTS * sizeof(int16_t) +
            columns / elements * sizeof(float);
  }
  return (bytes + 63) / 64 * 64;
}
