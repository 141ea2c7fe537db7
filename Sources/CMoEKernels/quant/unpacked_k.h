/* Products of a format that is unpacked to moe_unpacked_k; unpacked.h says what its file defines
 * before it includes this (once: there is no guard), panel.h in which order a value is summed. */
#include <math.h>
#include <stddef.h>

#include "panel.h"
#include "unpacked.h"

/* Blocks have sums of their own for the minima, or differ from their products by integers alone. */
enum { HAS_MINIMA = OFFSET == 0 };

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (size_t i = 0; i < elements / MOE_Q8_K_ELEMENTS; i++, out += MOE_Q8_K_ELEMENTS) {
    moe_unpacked_k b;
    unpack(blocks, i, &b, &moe_unpack_scalar);
    for (int j = 0; j < MOE_Q8_K_ELEMENTS; j++) {
      int g = j / MOE_Q8_SUM_ELEMENTS;
      float value = b.scale * (float)b.scales[g] * (float)(b.quants[j] - OFFSET);
      out[j] = HAS_MINIMA ? value - b.minimum * (float)b.minima[g] : value;
    }
  }
}

static float value_scalar(const uint8_t *w, const uint8_t *x_row, size_t columns) {
  moe_q8_row x = moe_q8_k_row_at(x_row, columns);
  double sum = 0;
  for (size_t i = 0; i < columns / MOE_Q8_K_ELEMENTS; i++) {
    moe_unpacked_k b;
    unpack(w, i, &b, &moe_unpack_scalar);
    int32_t products = 0, below = 0;
    for (size_t j = 0; j < MOE_Q8_K_ELEMENTS; j++) {
      products += b.quants[j] * x.quants[i * MOE_Q8_K_ELEMENTS + j] *
                  b.scales[j / MOE_Q8_SUM_ELEMENTS];
    }
    for (size_t g = 0; g < MOE_Q8_K_SUMS; g++) below += b.minima[g] * x.sums[i * MOE_Q8_K_SUMS + g];
    double value = HAS_MINIMA ? (double)b.scale * products - (double)b.minimum * below
                              : (double)b.scale * (products - below);
    sum += value * (double)x.scales[i];
  }
  return (float)sum;
}

#if defined(__x86_64__)

/* The scales of 32 columns' pairs of products: those of groups 2k and 2k + 1 of 16. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i pick_scales_avx2(const moe_unpacked_k *b, int k) {
  __m256i both = _mm256_set1_epi32((int)moe_load_u32((const uint8_t *)(b->scales + 2 * k)));
  if (GROUP_ELEMENTS == 32) return both;
  const __m256i first_second = _mm256_set_m128i(_mm_set1_epi16(0x0302), _mm_set1_epi16(0x0100));
  return _mm256_shuffle_epi8(both, first_second);
}

/* Products and minima of a step's blocks, as 8 sums of each; 0 behind the last one. */
typedef struct {
  __m256i products[MOE_ROW_BLOCKS], below[MOE_ROW_BLOCKS];
} step_sums;

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 step_values_avx2(const step_sums *sums,
                                                          const float scale[MOE_ROW_BLOCKS],
                                                          const float minimum[MOE_ROW_BLOCKS]) {
  __m128 products = _mm_cvtepi32_ps(moe_sum_lanes_4_avx2(sums->products));
  __m128 scales = _mm_setr_ps(scale[0], scale[1], scale[2], scale[3]);
  if (!HAS_MINIMA) return _mm_mul_ps(scales, products);
  __m128 below = _mm_cvtepi32_ps(moe_sum_lanes_4_avx2(sums->below));
  __m128 minima = _mm_setr_ps(minimum[0], minimum[1], minimum[2], minimum[3]);
  return _mm_fmsub_ps(scales, products, _mm_mul_ps(minima, below));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i dot_avx2(__m256i sums, __m256i quants, __m256i x,
                                                  __m256i scales) {
  if (!MOE_IS_SIGNED_AVX2) return moe_dot_avx2(sums, quants, x, scales);
  quants = _mm256_sub_epi8(quants, _mm256_set1_epi8((char)OFFSET));
  return moe_dot_signed_avx2(sums, quants, x, scales);
}

/* is_signed: whether `dot` takes quants less OFFSET. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_x86(moe_row_step s, int blocks,
                                                      moe_dot_scaled_fn dot, int is_signed,
                                                      const moe_unpack_level *level) {
  step_sums sums;
  float scale[MOE_ROW_BLOCKS] = {0}, minimum[MOE_ROW_BLOCKS] = {0};
#pragma clang loop unroll(full)
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    sums.products[i] = sums.below[i] = _mm256_setzero_si256();
    if (i >= blocks) continue;
    moe_unpacked_k b;
    unpack(s.w, (size_t)i, &b, level);
    const int8_t *x = s.x_quants + i * MOE_Q8_K_ELEMENTS;
#pragma clang loop unroll(full)
    for (int k = 0; k < MOE_Q8_K_ELEMENTS / 32; k++) {
      sums.products[i] = dot(sums.products[i], moe_load_256_avx2(b.quants + k * 32),
                             moe_load_256_avx2(x + k * 32), pick_scales_avx2(&b, k));
    }
    sums.below[i] = _mm256_madd_epi16(moe_load_256_avx2(s.x_sums + i * MOE_Q8_K_SUMS),
                                      moe_load_256_avx2(b.minima));
    if (!HAS_MINIMA && !is_signed) {
      sums.products[i] = _mm256_sub_epi32(sums.products[i], sums.below[i]);
    }
    scale[i] = b.scale;
    if (HAS_MINIMA) minimum[i] = b.minimum;
  }
  return step_values_avx2(&sums, scale, minimum);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_avx2(moe_row_step s, int blocks) {
  return row_step_x86(s, blocks, dot_avx2, MOE_IS_SIGNED_AVX2, &moe_unpack_avx2);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128 row_step_avx512(moe_row_step s, int blocks) {
  moe_dot_scaled_fn dot = QUANT_MAX > 127 ? moe_dot_wide_avx512 : moe_dot_avx512;
  return row_step_x86(s, blocks, dot, 0, &moe_unpack_avx512);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void rows_avx2(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {BLOCK_BYTES, MOE_Q8_K_ELEMENTS, moe_row_as_it_is, row_step_avx2};
  moe_row_products(kernels, tile, rows);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void rows_avx512(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {BLOCK_BYTES, MOE_Q8_K_ELEMENTS, moe_row_as_it_is, row_step_avx512};
  moe_row_products(kernels, tile, rows);
}

/* A block of 16 rows. */
typedef struct {
  uint8_t quants[MOE_Q8_K_ELEMENTS / 4][MOE_PANEL_ROWS_AVX512][4];
  int32_t scales[MOE_Q8_K_ELEMENTS / GROUP_ELEMENTS][MOE_PANEL_ROWS_AVX512];
  int16_t minima[MOE_Q8_K_SUMS / 2][MOE_PANEL_ROWS_AVX512][2]; /* of 16 columns each */
  float scale[MOE_PANEL_ROWS_AVX512], minimum[MOE_PANEL_ROWS_AVX512];
} panel_avx512;
_Static_assert(offsetof(panel_avx512, scales) == offsetof(moe_panel_avx512, scales), "shared");

/* Scales and minima of 16 rows. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
turn_factors_avx512(panel_avx512 *panel, const moe_unpacked_k rows[MOE_PANEL_ROWS_AVX512]) {
  for (int k = 0; k < MOE_Q8_K_SUMS / 8; k++) {
    __m512i pairs[4];
    moe_transpose_rows_avx512((const uint8_t *)(rows->scales + 8 * k), sizeof *rows, pairs);
    for (int j = 0; j < 4; j++) {
      int32_t(*scales)[MOE_PANEL_ROWS_AVX512] = panel->scales + (4 * k + j) * 32 / GROUP_ELEMENTS;
      _mm512_store_si512(scales[0], _mm512_srai_epi32(_mm512_slli_epi32(pairs[j], 16), 16));
      if (GROUP_ELEMENTS == 16) _mm512_store_si512(scales[1], _mm512_srai_epi32(pairs[j], 16));
    }
    moe_transpose_rows_avx512((const uint8_t *)(rows->minima + 8 * k), sizeof *rows, pairs);
    for (int j = 0; j < 4; j++) _mm512_store_si512(panel->minima[4 * k + j], pairs[j]);
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
unpack_avx512(void *unpacked, const uint8_t *w, size_t index, size_t stride,
              const uint8_t *ahead) {
  panel_avx512 *panel = unpacked;
  moe_unpacked_k rows[MOE_PANEL_ROWS_AVX512];
#pragma clang loop unroll(disable)
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX512; r++) {
    moe_prefetch(ahead + r * BLOCK_BYTES, BLOCK_BYTES);
    unpack(w + r * stride, index, &rows[r], &moe_unpack_avx512);
    panel->scale[r] = rows[r].scale;
    if (HAS_MINIMA) panel->minimum[r] = rows[r].minimum;
  }
#pragma clang loop unroll(disable)
  for (int k = 0; k < MOE_Q8_K_ELEMENTS / 16; k++) {
    __m512i columns[4];
    moe_transpose_rows_avx512(rows->quants + 16 * k, sizeof *rows, columns);
    for (int j = 0; j < 4; j++) _mm512_store_si512(panel->quants[4 * k + j], columns[j]);
  }
  turn_factors_avx512(panel, rows);
}

/* The sum so far plus block `index` of token t. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512 add_block_avx512(__m512 sum, __m512i products,
                                                            const uint8_t *unpacked,
                                                            const moe_panel_tile *tile, int t,
                                                            size_t index) {
  const panel_avx512 *panel = (const panel_avx512 *)unpacked;
  __m512i below = _mm512_setzero_si512();
  size_t offset = moe_panel_sums_offset(tile, index);
  for (int g = 0; g < MOE_Q8_K_SUMS / 2; g++) {
    below = _mm512_dpwssd_epi32(below, _mm512_load_si512(panel->minima[g]),
                                moe_panel_x_avx512(tile, t, offset + (size_t)g * 4));
  }
  if (!HAS_MINIMA) products = _mm512_sub_epi32(products, below);
  __m512 scale = _mm512_load_ps(panel->scale), value = _mm512_cvtepi32_ps(products);
  if (HAS_MINIMA) {
    __m512 minima = _mm512_mul_ps(_mm512_load_ps(panel->minimum), _mm512_cvtepi32_ps(below));
    value = _mm512_fmsub_ps(scale, value, minima);
  } else {
    value = _mm512_mul_ps(scale, value);
  }
  return _mm512_fmadd_ps(value, _mm512_set1_ps(moe_panel_x_scale(tile, t, index)), sum);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_panel_tile *tile, int panels,
                                                     int tokens) {
  moe_panel_tile_avx512(add_block_avx512, tile, GROUP_ELEMENTS, panels, tokens);
}

/* A block of 8 rows. */
typedef struct {
  uint8_t quants[MOE_Q8_K_ELEMENTS / 4][MOE_PANEL_ROWS_AVX2][4];
  int16_t scales[MOE_Q8_K_ELEMENTS / GROUP_ELEMENTS][MOE_PANEL_ROWS_AVX2][2]; /* each twice */
  int16_t minima[MOE_Q8_K_SUMS / 2][MOE_PANEL_ROWS_AVX2][2];
  float scale[MOE_PANEL_ROWS_AVX2], minimum[MOE_PANEL_ROWS_AVX2];
} panel_avx2;
_Static_assert(offsetof(panel_avx2, scales) == offsetof(moe_panel_avx2, scales), "shared");

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void store_avx2(void *out, __m256i v) {
  _mm256_store_si256((__m256i *)out, v);
}

/* Scales and minima of 8 rows. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
turn_factors_avx2(panel_avx2 *panel, const moe_unpacked_k rows[MOE_PANEL_ROWS_AVX2]) {
  const __m256i first = _mm256_set1_epi32(0x01000100), second = _mm256_set1_epi32(0x03020302);
  const __m256i lanes = _mm256_broadcastsi128_si256(
      _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12));
  for (int k = 0; k < MOE_Q8_K_SUMS / 8; k++) {
    __m256i pairs[4];
    moe_transpose_rows_avx2((const uint8_t *)(rows->scales + 8 * k), sizeof *rows, pairs);
    for (int j = 0; j < 4; j++) {
      int16_t(*scales)[MOE_PANEL_ROWS_AVX2][2] = panel->scales + (4 * k + j) * 32 / GROUP_ELEMENTS;
      store_avx2(scales[0], _mm256_shuffle_epi8(pairs[j], _mm256_add_epi8(lanes, first)));
      if (GROUP_ELEMENTS == 16) {
        store_avx2(scales[1], _mm256_shuffle_epi8(pairs[j], _mm256_add_epi8(lanes, second)));
      }
    }
    moe_transpose_rows_avx2((const uint8_t *)(rows->minima + 8 * k), sizeof *rows, pairs);
    for (int j = 0; j < 4; j++) store_avx2(panel->minima[4 * k + j], pairs[j]);
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
unpack_avx2(void *unpacked, const uint8_t *w, size_t index, size_t stride, const uint8_t *ahead) {
  panel_avx2 *panel = unpacked;
  moe_unpacked_k rows[MOE_PANEL_ROWS_AVX2];
#pragma clang loop unroll(disable)
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX2; r++) {
    moe_prefetch(ahead + r * BLOCK_BYTES, BLOCK_BYTES);
    unpack(w + r * stride, index, &rows[r], &moe_unpack_avx2);
    panel->scale[r] = rows[r].scale;
    if (HAS_MINIMA) panel->minimum[r] = rows[r].minimum;
  }
#pragma clang loop unroll(disable)
  for (int k = 0; k < MOE_Q8_K_ELEMENTS / 16; k++) {
    __m256i columns[4];
    moe_transpose_rows_avx2(rows->quants + 16 * k, sizeof *rows, columns);
    for (int j = 0; j < 4; j++) store_avx2(panel->quants[4 * k + j], columns[j]);
  }
  turn_factors_avx2(panel, rows);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 add_block_avx2(__m256 sum, __m256i products,
                                                        const uint8_t *unpacked,
                                                        const moe_panel_tile *tile, int t,
                                                        size_t index) {
  const panel_avx2 *panel = (const panel_avx2 *)unpacked;
  __m256i below = _mm256_setzero_si256();
  size_t offset = moe_panel_sums_offset(tile, index);
  for (int g = 0; !MOE_IS_SIGNED_AVX2 && g < MOE_Q8_K_SUMS / 2; g++) {
    __m256i x = moe_panel_x_avx2(tile, t, offset + (size_t)g * 4);
    below = _mm256_add_epi32(below, _mm256_madd_epi16(moe_load_256_avx2(panel->minima[g]), x));
  }
  if (!HAS_MINIMA) products = _mm256_sub_epi32(products, below);
  __m256 scale = _mm256_load_ps(panel->scale), value = _mm256_cvtepi32_ps(products);
  if (HAS_MINIMA) {
    __m256 minima = _mm256_mul_ps(_mm256_load_ps(panel->minimum), _mm256_cvtepi32_ps(below));
    value = _mm256_fmsub_ps(scale, value, minima);
  } else {
    value = _mm256_mul_ps(scale, value);
  }
  return _mm256_fmadd_ps(value, _mm256_set1_ps(moe_panel_x_scale(tile, t, index)), sum);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_panel_tile *tile, int panels,
                                                 int tokens) {
  (void)panels; /* always one */
  size_t steps = moe_panel_steps_avx2(QUANT_MAX, GROUP_ELEMENTS);
  moe_panel_tile_avx2(add_block_avx2, tile, GROUP_ELEMENTS, steps, OFFSET, tokens);
}

#elif defined(__aarch64__)

/* Products of one block by the scales of its groups, as 4 sums for each token. Quants less OFFSET
 * are signed bytes. x: the first token's quants of the block. */
MOE_ALWAYS_INLINE void products_neon(const moe_unpacked_k *b, const uint8_t *x, size_t x_stride,
                                     int tokens, moe_dot_neon_fn dot, int32x4_t products[]) {
  const int32x4_t zero = vdupq_n_s32(0);
  for (int t = 0; t < tokens; t++) products[t] = zero;
#pragma clang loop unroll(full)
  for (int g = 0; g < MOE_Q8_K_SUMS; g++) {
    uint8x16_t unsigned_quants = vld1q_u8(b->quants + g * MOE_Q8_SUM_ELEMENTS);
    int8x16_t quants = vreinterpretq_s8_u8(vsubq_u8(unsigned_quants, vdupq_n_u8(OFFSET)));
    for (int t = 0; t < tokens; t++) {
      const int8_t *values =
          (const int8_t *)x + (size_t)t * x_stride + g * MOE_Q8_SUM_ELEMENTS;
      products[t] = vmlaq_n_s32(products[t], dot(zero, quants, vld1q_s8(values)), b->scales[g]);
    }
  }
}

/* Sums of one block's activations by minima. */
MOE_ALWAYS_INLINE int32_t below_neon(const int16_t *x_sums, const int16_t *minima) {
  int32x4_t sums = vdupq_n_s32(0);
  for (int i = 0; i < MOE_Q8_K_SUMS; i += 4) {
    sums = vmlal_s16(sums, vld1_s16(x_sums + i), vld1_s16(minima + i));
  }
  return vaddvq_s32(sums);
}

/* Block after block: its sums as integers, by the scales of the weights, by that of the
 * activations. */
MOE_ALWAYS_INLINE void tile_by_dot(const moe_tile *tile, int tokens, moe_dot_neon_fn dot) {
  float sums[MOE_TILE_TOKENS_MAX] = {0};
  for (size_t i = 0; i < tile->columns / MOE_Q8_K_ELEMENTS; i++) {
    moe_unpacked_k b;
    unpack(tile->w, i, &b, &moe_unpack_neon);
    int32x4_t products[MOE_TILE_TOKENS_MAX];
    products_neon(&b, tile->x + i * MOE_Q8_K_ELEMENTS, tile->x_stride, tokens, dot, products);
    for (int t = 0; t < tokens; t++) {
      moe_q8_row x = moe_q8_k_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      float product = (float)vaddvq_s32(products[t]), value = b.scale * product;
      if (HAS_MINIMA) {
        int32_t below = below_neon(x.sums + i * MOE_Q8_K_SUMS, b.minima);
        value = fmaf(b.scale, product, -(b.minimum * (float)below));
      }
      sums[t] = fmaf(value, x.scales[i], sums[t]);
    }
  }
  for (int t = 0; t < tokens; t++) tile->y[(size_t)t * tile->y_stride] = sums[t];
}

#endif
