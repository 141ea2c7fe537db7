/* Products of a format that is unpacked to moe_unpacked_0; unpacked.h says what its file defines
 * before it includes this (once: there is no guard), panel.h in which order a value is summed. */
#include <math.h>
#include <stddef.h>

#include "panel.h"
#include "unpacked.h"

enum {
  SUMS = MOE_Q8_0_ELEMENTS / MOE_Q8_SUM_ELEMENTS, /* of activations, for each block */
  GROUPS = MOE_Q8_0_ELEMENTS / GROUP_ELEMENTS,
  HAS_MINIMUM = OFFSET == 0,
};
_Static_assert(GROUPS == 1 || !HAS_MINIMUM, "there is one minimum");

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (size_t i = 0; i < elements / MOE_Q8_0_ELEMENTS; i++, out += MOE_Q8_0_ELEMENTS) {
    moe_unpacked_0 b;
    unpack(blocks, i, &b, &moe_unpack_scalar);
    for (int j = 0; j < MOE_Q8_0_ELEMENTS; j++) {
      float value = b.scales[j / GROUP_ELEMENTS] * (float)(b.quants[j] - OFFSET);
      out[j] = HAS_MINIMUM ? value - b.minimum : value;
    }
  }
}

static float value_scalar(const uint8_t *w, const uint8_t *x_row, size_t columns) {
  moe_q8_row x = moe_q8_0_row_at(x_row, columns);
  double sum = 0;
  for (size_t i = 0; i < columns / MOE_Q8_0_ELEMENTS; i++) {
    moe_unpacked_0 b;
    unpack(w, i, &b, &moe_unpack_scalar);
    double value = 0;
    for (size_t g = 0; g < GROUPS; g++) {
      int32_t products = 0;
      for (size_t j = g * GROUP_ELEMENTS; j < (g + 1) * GROUP_ELEMENTS; j++) {
        products += (b.quants[j] - OFFSET) * x.quants[i * MOE_Q8_0_ELEMENTS + j];
      }
      value += (double)products * (double)b.scales[g];
    }
    if (HAS_MINIMUM) value -= (double)b.minimum * (x.sums[i * SUMS] + x.sums[i * SUMS + 1]);
    sum += value * (double)x.scales[i];
  }
  return (float)sum;
}

#if defined(__x86_64__)

/* Factors of a block's two sums of activations for group g, as the pair of them in 32 bits. */
MOE_ALWAYS_INLINE int sum_factors(int16_t factor, int g) {
  uint32_t low = (uint16_t)factor, high = low << 16;
  if (GROUPS == 1) return (int)(low | high);
  return (int)(g == 0 ? low : high);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i less_offset_avx2(__m256i quants) {
  return _mm256_sub_epi8(quants, _mm256_set1_epi8((char)OFFSET));
}

#ifndef MOE_HAS_ROWS

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i dot_avx2(__m256i quants, __m256i x) {
  if (!MOE_IS_SIGNED_AVX2) return moe_dot_plain_avx2(quants, x);
  return moe_dot_signed_avx2(_mm256_setzero_si256(), less_offset_avx2(quants), x,
                             _mm256_set1_epi16(1));
}

/* A step's blocks, of which those behind the last one are zeros: 8 sums of products each. */
typedef struct {
  __m256i dots[MOE_ROW_BLOCKS];
  float scales[2][MOE_ROW_BLOCKS], minimum[MOE_ROW_BLOCKS];
} step_blocks;

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 four_avx2(const float v[4]) {
  return _mm_setr_ps(v[0], v[1], v[2], v[3]);
}

/* A block per lane. x_sums: 2 of each block. offset: what quants are too large by. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 step_values_avx2(const step_blocks *b, __m128i x_sums,
                                                          int16_t offset) {
  /* The lower halves of vectors have the first 16 columns. */
  __m256i halves = moe_sum_half_lanes_avx2(b->dots);
  __m128i first = _mm256_castsi256_si128(halves), second = _mm256_extracti128_si256(halves, 1);
  if (GROUPS == 1) first = _mm_add_epi32(first, second);
  first = _mm_sub_epi32(first, _mm_madd_epi16(x_sums, _mm_set1_epi32(sum_factors(offset, 0))));
  __m128 scale = four_avx2(b->scales[0]), value = _mm_cvtepi32_ps(first);
  if (HAS_MINIMUM) {
    __m128 sums = _mm_cvtepi32_ps(_mm_madd_epi16(x_sums, _mm_set1_epi16(1)));
    return _mm_fmsub_ps(scale, value, _mm_mul_ps(four_avx2(b->minimum), sums));
  }
  value = _mm_mul_ps(scale, value);
  if (GROUPS == 1) return value;
  second = _mm_sub_epi32(second, _mm_madd_epi16(x_sums, _mm_set1_epi32(sum_factors(offset, 1))));
  return _mm_fmadd_ps(four_avx2(b->scales[1]), _mm_cvtepi32_ps(second), value);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_x86(moe_row_step s, int blocks,
                                                      moe_dot_plain_fn dot, int16_t offset,
                                                      const moe_unpack_level *level) {
  step_blocks step = {0};
#pragma clang loop unroll(full)
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    step.dots[i] = _mm256_setzero_si256();
    if (i >= blocks) continue;
    moe_unpacked_0 b;
    unpack(s.w, (size_t)i, &b, level);
    step.dots[i] = dot(moe_load_256_avx2(b.quants),
                       moe_load_256_avx2(s.x_quants + i * MOE_Q8_0_ELEMENTS));
    for (int g = 0; g < GROUPS; g++) step.scales[g][i] = b.scales[g];
    if (HAS_MINIMUM) step.minimum[i] = b.minimum;
  }
  __m128i x_sums = _mm_setzero_si128();
  memcpy(&x_sums, s.x_sums, (size_t)blocks * SUMS * sizeof *s.x_sums);
  return step_values_avx2(&step, x_sums, offset);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_avx2(moe_row_step s, int blocks) {
  return row_step_x86(s, blocks, dot_avx2, MOE_IS_SIGNED_AVX2 ? 0 : OFFSET, &moe_unpack_avx2);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128 row_step_avx512(moe_row_step s, int blocks) {
  return row_step_x86(s, blocks, moe_dot_plain_avx512, OFFSET, &moe_unpack_avx512);
}

static const moe_row_order_fn order_avx2 = moe_row_as_it_is, order_avx512 = moe_row_as_it_is;

#endif

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void rows_avx2(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {BLOCK_BYTES, MOE_Q8_0_ELEMENTS, order_avx2, row_step_avx2};
  moe_row_products(kernels, tile, rows);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void rows_avx512(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {BLOCK_BYTES, MOE_Q8_0_ELEMENTS, order_avx512, row_step_avx512};
  moe_row_products(kernels, tile, rows);
}

/* A block of 16 rows. */
typedef struct {
  uint8_t quants[MOE_Q8_0_ELEMENTS / 4][MOE_PANEL_ROWS_AVX512][4];
  float scales[GROUPS][MOE_PANEL_ROWS_AVX512];
  float minimum[HAS_MINIMUM ? MOE_PANEL_ROWS_AVX512 : 0];
} panel_avx512;

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
unpack_avx512(void *unpacked, const uint8_t *w, size_t index, size_t stride,
              const uint8_t *ahead) {
  panel_avx512 *panel = unpacked;
  moe_unpacked_0 rows[MOE_PANEL_ROWS_AVX512];
  moe_prefetch(ahead, MOE_PANEL_ROWS_AVX512 * BLOCK_BYTES);
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX512; r++) {
    unpack(w + r * stride, index, &rows[r], &moe_unpack_avx512);
    for (int g = 0; g < GROUPS; g++) panel->scales[g][r] = rows[r].scales[g];
    if (HAS_MINIMUM) panel->minimum[r] = rows[r].minimum;
  }
  for (int k = 0; k < MOE_Q8_0_ELEMENTS / 16; k++) {
    __m512i columns[4];
    moe_transpose_rows_avx512(rows->quants + 16 * k, sizeof *rows, columns);
    for (int j = 0; j < 4; j++) _mm512_store_si512(panel->quants[4 * k + j], columns[j]);
  }
}

/* values += group g of block `index`, by its scale; the first of them, or less the minimum. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void add_group_avx512(const moe_panel_tile *tile,
                                                          const panel_avx512 *panel, size_t index,
                                                          int g, int panels, int tokens,
                                                          __m512 values[][MOE_PANELS_AVX512]) {
  const __m512i zero = _mm512_setzero_si512();
  const __m512i offset = _mm512_set1_epi32(sum_factors(-OFFSET, g));
  __m512i x_sums[MOE_PANEL_TOKENS], dots[MOE_PANEL_TOKENS][MOE_PANELS_AVX512];
  for (int t = 0; t < tokens; t++) {
    x_sums[t] = moe_panel_x_avx512(tile, t, moe_panel_sums_0_offset(tile, index));
    __m512i above = HAS_MINIMUM ? zero : _mm512_dpwssd_epi32(zero, offset, x_sums[t]);
    for (int p = 0; p < panels; p++) dots[t][p] = above;
  }
#pragma clang loop unroll(full)
  for (int c = g * GROUP_ELEMENTS / 4; c < (g + 1) * GROUP_ELEMENTS / 4; c++) {
    for (int t = 0; t < tokens; t++) {
      __m512i x = moe_panel_x_avx512(tile, t, index * MOE_Q8_0_ELEMENTS + (size_t)c * 4);
      for (int p = 0; p < panels; p++) {
        dots[t][p] = _mm512_dpbusd_epi32(dots[t][p], _mm512_load_si512(panel[p].quants[c]), x);
      }
    }
  }
  for (int t = 0; t < tokens; t++) {
    for (int p = 0; p < panels; p++) {
      __m512 scale = _mm512_load_ps(panel[p].scales[g]), value = _mm512_cvtepi32_ps(dots[t][p]);
      if (HAS_MINIMUM) {
        __m512i sum = _mm512_dpwssd_epi32(zero, _mm512_set1_epi16(1), x_sums[t]);
        __m512 below = _mm512_mul_ps(_mm512_load_ps(panel[p].minimum), _mm512_cvtepi32_ps(sum));
        values[t][p] = _mm512_fmsub_ps(scale, value, below);
      } else {
        values[t][p] = g == 0 ? _mm512_mul_ps(scale, value)
                              : _mm512_fmadd_ps(scale, value, values[t][p]);
      }
    }
  }
}

/* sums += block `index` of each token and panel. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void add_block_avx512(const moe_panel_tile *tile,
                                                          const uint8_t *unpacked, size_t index,
                                                          int panels, int tokens,
                                                          __m512 sums[][MOE_PANELS_AVX512]) {
  __m512 values[MOE_PANEL_TOKENS][MOE_PANELS_AVX512];
#pragma clang loop unroll(full)
  for (int g = 0; g < GROUPS; g++) {
    add_group_avx512(tile, (const panel_avx512 *)unpacked, index, g, panels, tokens, values);
  }
  for (int t = 0; t < tokens; t++) {
    __m512 x_scale = _mm512_set1_ps(moe_panel_x_0_scale(tile, t, index));
    for (int p = 0; p < panels; p++) {
      sums[t][p] = _mm512_fmadd_ps(values[t][p], x_scale, sums[t][p]);
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_panel_tile *tile, int panels,
                                                     int tokens) {
  __m512 sums[MOE_PANEL_TOKENS][MOE_PANELS_AVX512];
  moe_load_sums_avx512(tile, panels, tokens, sums);
#pragma clang loop unroll(disable)
  for (size_t i = 0; i < tile->count; i++) {
    const uint8_t *unpacked = tile->unpacked + i * (size_t)panels * sizeof(panel_avx512);
    add_block_avx512(tile, unpacked, tile->first + i, panels, tokens, sums);
  }
  moe_store_sums_avx512(tile, panels, tokens, sums);
}

/* A block of 8 rows. */
typedef struct {
  uint8_t quants[MOE_Q8_0_ELEMENTS / 4][MOE_PANEL_ROWS_AVX2][4];
  float scales[GROUPS][MOE_PANEL_ROWS_AVX2];
  float minimum[HAS_MINIMUM ? MOE_PANEL_ROWS_AVX2 : 0];
} panel_avx2;

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
unpack_avx2(void *unpacked, const uint8_t *w, size_t index, size_t stride, const uint8_t *ahead) {
  panel_avx2 *panel = unpacked;
  moe_unpacked_0 rows[MOE_PANEL_ROWS_AVX2];
  moe_prefetch(ahead, MOE_PANEL_ROWS_AVX2 * BLOCK_BYTES);
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX2; r++) {
    unpack(w + r * stride, index, &rows[r], &moe_unpack_avx2);
    for (int g = 0; g < GROUPS; g++) panel->scales[g][r] = rows[r].scales[g];
    if (HAS_MINIMUM) panel->minimum[r] = rows[r].minimum;
  }
  for (int k = 0; k < MOE_Q8_0_ELEMENTS / 16; k++) {
    __m256i columns[4];
    moe_transpose_rows_avx2(rows->quants + 16 * k, sizeof *rows, columns);
    for (int j = 0; j < 4; j++) {
      _mm256_store_si256((__m256i *)panel->quants[4 * k + j], columns[j]);
    }
  }
}

/* products += those of group g of block `index`, before its scale. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void multiply_group_avx2(const moe_panel_tile *tile,
                                                           const panel_avx2 *panel, size_t index,
                                                           int g, int tokens, __m256i products[]) {
  const int count = MOE_IS_SIGNED_AVX2 ? 1 : (int)moe_panel_steps_avx2(QUANT_MAX, GROUP_ELEMENTS);
#pragma clang loop unroll(full)
  for (int c = 0; c < GROUP_ELEMENTS / 4; c += count) {
    __m256i dots[MOE_PANEL_TOKENS];
    for (int t = 0; t < tokens; t++) dots[t] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
    for (int step = c; step < c + count; step++) {
      int column = g * GROUP_ELEMENTS + step * 4;
      __m256i quants = moe_load_256_avx2(panel->quants[column / 4]), sizes = quants;
      if (MOE_IS_SIGNED_AVX2) {
        quants = less_offset_avx2(quants);
        sizes = _mm256_abs_epi8(quants);
      }
      for (int t = 0; t < tokens; t++) {
        __m256i x = moe_panel_x_avx2(tile, t, index * MOE_Q8_0_ELEMENTS + (size_t)column);
        if (MOE_IS_SIGNED_AVX2) x = _mm256_sign_epi8(x, quants);
        dots[t] = _mm256_add_epi16(dots[t], _mm256_maddubs_epi16(sizes, x));
      }
    }
    for (int t = 0; t < tokens; t++) {
      __m256i sums_of_4 = _mm256_madd_epi16(dots[t], _mm256_set1_epi16(1));
      products[t] = _mm256_add_epi32(products[t], sums_of_4);
    }
  }
}

/* values += group g of block `index`, by its scale; the first of them, or less the minimum. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void add_group_avx2(const moe_panel_tile *tile,
                                                      const panel_avx2 *panel, size_t index, int g,
                                                      int tokens, __m256 values[]) {
  const __m256i offset = _mm256_set1_epi32(sum_factors(-OFFSET, g));
  __m256i x_sums[MOE_PANEL_TOKENS], products[MOE_PANEL_TOKENS];
  for (int t = 0; t < tokens; t++) {
    x_sums[t] = moe_panel_x_avx2(tile, t, moe_panel_sums_0_offset(tile, index));
    products[t] =
        MOE_IS_SIGNED_AVX2 ? _mm256_setzero_si256() : _mm256_madd_epi16(offset, x_sums[t]);
  }
  multiply_group_avx2(tile, panel, index, g, tokens, products);
  for (int t = 0; t < tokens; t++) {
    __m256 scale = _mm256_load_ps(panel->scales[g]), value = _mm256_cvtepi32_ps(products[t]);
    if (HAS_MINIMUM) {
      __m256 sum = _mm256_cvtepi32_ps(_mm256_madd_epi16(_mm256_set1_epi16(1), x_sums[t]));
      values[t] = _mm256_fmsub_ps(scale, value, _mm256_mul_ps(_mm256_load_ps(panel->minimum), sum));
    } else {
      values[t] = g == 0 ? _mm256_mul_ps(scale, value) : _mm256_fmadd_ps(scale, value, values[t]);
    }
  }
}

/* sums += block `index` of each token. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void add_block_avx2(const moe_panel_tile *tile,
                                                      const panel_avx2 *panel, size_t index,
                                                      int tokens, __m256 sums[]) {
  __m256 values[MOE_PANEL_TOKENS];
#pragma clang loop unroll(full)
  for (int g = 0; g < GROUPS; g++) add_group_avx2(tile, panel, index, g, tokens, values);
  for (int t = 0; t < tokens; t++) {
    __m256 x_scale = _mm256_set1_ps(moe_panel_x_0_scale(tile, t, index));
    sums[t] = _mm256_fmadd_ps(values[t], x_scale, sums[t]);
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_panel_tile *tile, int panels,
                                                 int tokens) {
  (void)panels; /* always one */
  __m256 sums[MOE_PANEL_TOKENS];
  moe_load_sums_avx2(tile, tokens, sums);
#pragma clang loop unroll(disable)
  for (size_t i = 0; i < tile->count; i++) {
    add_block_avx2(tile, (const panel_avx2 *)tile->unpacked + i, tile->first + i, tokens, sums);
  }
  moe_store_sums_avx2(tile, tokens, sums);
}

#elif defined(__aarch64__)

/* A block's value before the scale of activations, of which x has the quants and sums. Quants less
 * OFFSET are signed bytes. */
MOE_ALWAYS_INLINE float block_value_neon(const moe_unpacked_0 *b, const int8_t *x,
                                         const int16_t *x_sums, moe_dot_neon_fn dot) {
  const uint8x16_t offset = vdupq_n_u8(OFFSET);
  int8x16_t w0 = vreinterpretq_s8_u8(vsubq_u8(vld1q_u8(b->quants), offset));
  int8x16_t w1 = vreinterpretq_s8_u8(vsubq_u8(vld1q_u8(b->quants + 16), offset));
  int32x4_t first = dot(vdupq_n_s32(0), w0, vld1q_s8(x));
  int32x4_t second = dot(vdupq_n_s32(0), w1, vld1q_s8(x + 16));
  if (GROUPS == 2) {
    return fmaf(b->scales[1], (float)vaddvq_s32(second), b->scales[0] * (float)vaddvq_s32(first));
  }
  float products = (float)vaddvq_s32(vaddq_s32(first, second));
  if (!HAS_MINIMUM) return b->scales[0] * products;
  return fmaf(b->scales[0], products, -(b->minimum * (float)(x_sums[0] + x_sums[1])));
}

/* Block after block: its sum as an integer, by the scale of the weights, by that of the
 * activations. */
MOE_ALWAYS_INLINE void tile_by_dot(const moe_tile *tile, int tokens, moe_dot_neon_fn dot) {
  float sums[MOE_TILE_TOKENS_MAX] = {0};
  for (size_t i = 0; i < tile->columns / MOE_Q8_0_ELEMENTS; i++) {
    moe_unpacked_0 b;
    unpack(tile->w, i, &b, &moe_unpack_neon);
    for (int t = 0; t < tokens; t++) {
      moe_q8_row x = moe_q8_0_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      float value =
          block_value_neon(&b, x.quants + i * MOE_Q8_0_ELEMENTS, x.sums + i * SUMS, dot);
      sums[t] = fmaf(value, x.scales[i], sums[t]);
    }
  }
  for (int t = 0; t < tokens; t++) tile->y[(size_t)t * tile->y_stride] = sums[t];
}

#endif
