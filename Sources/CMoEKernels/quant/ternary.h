/* Rows of ternary weights, and the sums that their products are made of.
 *
 * A weight is zero, low or high; low and high are a row's own. With activations that are integers
 * by one scale, a product is scale * (low * sum of the activations where the weight is low + high *
 * sum of those where it is high), and both sums are exact: how a row is stored, in which order it
 * is read and at which level changes no bit. */
#ifndef MOE_QUANT_TERNARY_H
#define MOE_QUANT_TERNARY_H

#include "moe_qmoe.h"
#include "products.h"

/* A packed row: low and high as bfloat16, then groups of 32 columns: a word whose bit i says
 * whether column i is low, and one that says whether it is high. */
enum { MOE_TERNARY_ROW_BYTES = 4 };

typedef struct {
  float low, high;
} moe_ternary_levels;

MOE_ALWAYS_INLINE moe_ternary_levels moe_ternary_levels_at(const uint8_t *bytes) {
  return (moe_ternary_levels){moe_float_from_bf16(moe_load_u16(bytes)),
                              moe_float_from_bf16(moe_load_u16(bytes + 2))};
}

MOE_ALWAYS_INLINE const int16_t *moe_q13_quants(const uint8_t *row) {
  return (const int16_t *)(row + MOE_Q13_SCALE_BYTES);
}

MOE_ALWAYS_INLINE float moe_q13_scale(const uint8_t *row) {
  float scale;
  memcpy(&scale, row, sizeof scale);
  return scale;
}

MOE_ALWAYS_INLINE float moe_ternary_value(moe_ternary_levels levels, int32_t low, int32_t high,
                                          float scale) {
  double sum = (double)levels.low * low + (double)levels.high * high;
  return (float)(sum * (double)scale);
}

MOE_ALWAYS_INLINE size_t moe_ternary_groups(size_t columns) {
  return (columns + MOE_TERNARY_GROUP - 1) / MOE_TERNARY_GROUP;
}

/* The product of one packed row with one token. */
MOE_ALWAYS_INLINE float moe_ternary_value_scalar(const uint8_t *w, const uint8_t *x_row,
                                                 size_t columns) {
  const int16_t *x = moe_q13_quants(x_row);
  const uint8_t *groups = w + MOE_TERNARY_ROW_BYTES;
  int32_t low = 0, high = 0;
  for (size_t i = 0; i < moe_ternary_groups(columns); i++, x += MOE_TERNARY_GROUP) {
    uint32_t lows = moe_load_u32(groups + i * MOE_TERNARY_GROUP_BYTES);
    uint32_t highs = moe_load_u32(groups + i * MOE_TERNARY_GROUP_BYTES + 4);
    for (int j = 0; j < MOE_TERNARY_GROUP; j++) {
      low += (int32_t)(lows >> j & 1) * x[j];
      high += (int32_t)(highs >> j & 1) * x[j];
    }
  }
  return moe_ternary_value(moe_ternary_levels_at(w), low, high, moe_q13_scale(x_row));
}

#if defined(__x86_64__)

/* Sums of one row with some tokens: of up to MOE_Q13_ADDENDS_MAX steps in 16-bit lanes, and of all
 * steps before them in 32-bit lanes. */
typedef struct {
  __m256i steps[2][MOE_TILE_TOKENS_MAX], all[2][MOE_TILE_TOKENS_MAX]; /* of low, of high */
} moe_ternary_sums_avx2;

typedef struct {
  __m512i steps[2][MOE_TILE_TOKENS_MAX], all[2][MOE_TILE_TOKENS_MAX];
} moe_ternary_sums_avx512;

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_ternary_begin_avx2(moe_ternary_sums_avx2 *sums,
                                                             int tokens) {
  for (int i = 0; i < 2; i++) {
    for (int t = 0; t < tokens; t++) {
      sums->steps[i][t] = sums->all[i][t] = _mm256_setzero_si256();
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_ternary_begin_avx512(moe_ternary_sums_avx512 *sums,
                                                                 int tokens) {
  for (int i = 0; i < 2; i++) {
    for (int t = 0; t < tokens; t++) {
      sums->steps[i][t] = sums->all[i][t] = _mm512_setzero_si512();
    }
  }
}

/* 16 lanes of -1 where a bit of two bytes is set. From memory: in a register the compiler would
 * move the bits about. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i moe_ternary_lanes_avx2(const uint8_t *bytes) {
  const __m256i own = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                        8192, 16384, -32768);
  __m256i all = _mm256_set1_epi16((short)moe_load_u16(bytes));
  return _mm256_cmpeq_epi16(_mm256_and_si256(all, own), own);
}

/* Adds up to 32 columns of each token, from x on. words: two of 32 bits that say which are low and
 * which are high; of the former the highest `ignored` bits, 0 or 4, mean something else. Both
 * halves go to the same lanes of AVX2: a step counts twice. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
moe_ternary_step_avx2(const uint8_t *words, int ignored, const int16_t *x, size_t x_stride,
                      int tokens, moe_ternary_sums_avx2 *sums) {
  const __m256i first_12 = _mm256_setr_epi64x(-1, -1, -1, 0);
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    __m256i lanes[2] = {moe_ternary_lanes_avx2(words + 2 * half),
                        moe_ternary_lanes_avx2(words + 4 + 2 * half)};
    if (half == 1 && ignored != 0) lanes[0] = _mm256_and_si256(lanes[0], first_12);
    for (int t = 0; t < tokens; t++) {
      const uint8_t *row = (const uint8_t *)x + (size_t)t * x_stride;
      __m256i values = moe_load_256_avx2(row + half * 32);
      for (int i = 0; i < 2; i++) {
        __m256i chosen = _mm256_and_si256(values, lanes[i]);
        sums->steps[i][t] = _mm256_add_epi16(sums->steps[i][t], chosen);
      }
    }
  }
}

/* The same of 16 more lanes. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
moe_ternary_step_avx512(const __mmask32 masks[2], const int16_t *x, size_t x_stride, int tokens,
                        moe_ternary_sums_avx512 *sums) {
  for (int t = 0; t < tokens; t++) {
    __m512i values = _mm512_loadu_si512((const uint8_t *)x + (size_t)t * x_stride);
    for (int i = 0; i < 2; i++) {
      __m512i before = sums->steps[i][t];
      sums->steps[i][t] = _mm512_mask_add_epi16(before, masks[i], before, values);
    }
  }
}

/* Ends a run of MOE_Q13_ADDENDS_MAX steps, of AVX2 half as many. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_ternary_flush_avx2(int tokens,
                                                             moe_ternary_sums_avx2 *sums) {
  for (int t = 0; t < tokens; t++) {
    for (int i = 0; i < 2; i++) {
      __m256i pairs = _mm256_madd_epi16(sums->steps[i][t], _mm256_set1_epi16(1));
      sums->all[i][t] = _mm256_add_epi32(sums->all[i][t], pairs);
      sums->steps[i][t] = _mm256_setzero_si256();
    }
  }
}

/* lanes: of the low sums, those that count. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_ternary_flush_avx512(int tokens, __mmask32 lanes,
                                                                 moe_ternary_sums_avx512 *sums) {
  const __m512i ones[2] = {_mm512_maskz_set1_epi16(lanes, 1), _mm512_set1_epi16(1)};
  for (int t = 0; t < tokens; t++) {
    for (int i = 0; i < 2; i++) {
      sums->all[i][t] = _mm512_dpwssd_epi32(sums->all[i][t], sums->steps[i][t], ones[i]);
      sums->steps[i][t] = _mm512_setzero_si512();
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 int32_t moe_ternary_sum_avx2(__m256i v) {
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xb1)));
}

/* The values of one row from its sums. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
moe_ternary_finish_avx2(const moe_tile *tile, int tokens, moe_ternary_levels levels,
                        const moe_ternary_sums_avx2 *sums) {
  for (int t = 0; t < tokens; t++) {
    float scale = moe_q13_scale(tile->x + (size_t)t * tile->x_stride);
    tile->y[(size_t)t * tile->y_stride] =
        moe_ternary_value(levels, moe_ternary_sum_avx2(sums->all[0][t]),
                          moe_ternary_sum_avx2(sums->all[1][t]), scale);
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
moe_ternary_finish_avx512(const moe_tile *tile, int tokens, moe_ternary_levels levels,
                          const moe_ternary_sums_avx512 *sums) {
  for (int t = 0; t < tokens; t++) {
    float scale = moe_q13_scale(tile->x + (size_t)t * tile->x_stride);
    tile->y[(size_t)t * tile->y_stride] =
        moe_ternary_value(levels, _mm512_reduce_add_epi32(sums->all[0][t]),
                          _mm512_reduce_add_epi32(sums->all[1][t]), scale);
  }
}

/* A packed row with 1 to 4 tokens. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void moe_ternary_tile_avx2(const moe_tile *tile, int tokens) {
  enum { RUN = MOE_Q13_ADDENDS_MAX / 2 };
  moe_ternary_sums_avx2 sums;
  moe_ternary_begin_avx2(&sums, tokens);
  const uint8_t *group = tile->w + MOE_TERNARY_ROW_BYTES;
  const int16_t *x = moe_q13_quants(tile->x);
  for (size_t rest = moe_ternary_groups(tile->columns); rest > 0;) {
    size_t count = rest < RUN ? rest : RUN;
    for (size_t i = 0; i < count; i++, group += 8, x += MOE_TERNARY_GROUP) {
      moe_ternary_step_avx2(group, 0, x, tile->x_stride, tokens, &sums);
    }
    moe_ternary_flush_avx2(tokens, &sums);
    rest -= count;
  }
  moe_ternary_finish_avx2(tile, tokens, moe_ternary_levels_at(tile->w), &sums);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void moe_ternary_tile_avx512(const moe_tile *tile,
                                                                 int tokens) {
  moe_ternary_sums_avx512 sums;
  moe_ternary_begin_avx512(&sums, tokens);
  const uint8_t *group = tile->w + MOE_TERNARY_ROW_BYTES;
  const int16_t *x = moe_q13_quants(tile->x);
  for (size_t rest = moe_ternary_groups(tile->columns); rest > 0;) {
    size_t count = rest < MOE_Q13_ADDENDS_MAX ? rest : MOE_Q13_ADDENDS_MAX;
    for (size_t i = 0; i < count; i++, group += 8, x += MOE_TERNARY_GROUP) {
      __mmask32 masks[2] = {moe_load_u32(group), moe_load_u32(group + 4)};
      moe_ternary_step_avx512(masks, x, tile->x_stride, tokens, &sums);
    }
    moe_ternary_flush_avx512(tokens, UINT32_MAX, &sums);
    rest -= count;
  }
  moe_ternary_finish_avx512(tile, tokens, moe_ternary_levels_at(tile->w), &sums);
}

#endif

/* Every level has the same sums, so that Arm has what the compiler makes of the plain ones. */
#if defined(__x86_64__)
#define MOE_TERNARY_PRODUCTS(format) MOE_INTEGER_PRODUCTS(format)
#else
#define MOE_TERNARY_PRODUCTS(format) {[MOE_ISA_SCALAR] = moe_matmul_##format##_scalar}
#endif

#endif
