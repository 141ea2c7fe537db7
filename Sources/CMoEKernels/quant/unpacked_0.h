/* Products of a format that is unpacked to moe_unpacked_0; unpacked.h says what its file defines
 * before it includes this, panel.h in which order a value is summed. */
#include <math.h>
#include <stddef.h>

#include "panel.h"
#include "unpacked.h"

/* Of each block. */
enum { SUMS = MOE_Q8_0_ELEMENTS / MOE_Q8_SUM_ELEMENTS };

static float value_scalar(const uint8_t *w, const uint8_t *x_row, size_t columns) {
  moe_q8_row x = moe_q8_0_row_at(x_row, columns);
  double sum = 0;
  for (size_t i = 0; i < columns / MOE_Q8_0_ELEMENTS; i++) {
    moe_unpacked_0 b;
    unpack(w, i, &b, &moe_unpack_scalar);
    int32_t products = 0;
    for (size_t j = 0; j < MOE_Q8_0_ELEMENTS; j++) {
      products += (b.quants[j] - OFFSET) * x.quants[i * MOE_Q8_0_ELEMENTS + j];
    }
    sum += (double)products * ((double)b.scale * (double)x.scales[i]);
  }
  return (float)sum;
}

#if defined(__x86_64__)

/* What the offset adds to the products of a step's blocks: a block per lane. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128i above_avx2(const int16_t *x_sums, int blocks) {
  __m128i sums = _mm_setzero_si128();
  memcpy(&sums, x_sums, (size_t)blocks * SUMS * sizeof *x_sums);
  return _mm_madd_epi16(sums, _mm_set1_epi16(OFFSET));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_x86(moe_row_step s, int blocks,
                                                      moe_dot_plain_fn dot) {
  __m256i dots[MOE_ROW_BLOCKS];
  float scale[MOE_ROW_BLOCKS] = {0};
#pragma clang loop unroll(full)
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    dots[i] = _mm256_setzero_si256();
    if (i >= blocks) continue;
    moe_unpacked_0 b;
    unpack(s.w, (size_t)i, &b, &moe_unpack_avx2);
    dots[i] = dot(moe_load_256_avx2(b.quants),
                  moe_load_256_avx2(s.x_quants + i * MOE_Q8_0_ELEMENTS));
    scale[i] = b.scale;
  }
  __m128i products = _mm_sub_epi32(moe_sum_lanes_4_avx2(dots), above_avx2(s.x_sums, blocks));
  return _mm_mul_ps(_mm_cvtepi32_ps(products),
                    _mm_setr_ps(scale[0], scale[1], scale[2], scale[3]));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_avx2(moe_row_step s, int blocks) {
  return row_step_x86(s, blocks, moe_dot_plain_avx2);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128 row_step_avx512(moe_row_step s, int blocks) {
  return row_step_x86(s, blocks, moe_dot_plain_avx512);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void rows_avx2(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {BLOCK_BYTES, MOE_Q8_0_ELEMENTS, moe_row_as_it_is, row_step_avx2};
  moe_row_products(kernels, tile, rows);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void rows_avx512(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {BLOCK_BYTES, MOE_Q8_0_ELEMENTS, moe_row_as_it_is, row_step_avx512};
  moe_row_products(kernels, tile, rows);
}

/* A block of 16 rows. */
typedef struct {
  uint8_t quants[MOE_Q8_0_ELEMENTS / 4][MOE_PANEL_ROWS_AVX512][4];
  float scale[MOE_PANEL_ROWS_AVX512];
} panel_avx512;

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
unpack_avx512(void *unpacked, const uint8_t *w, size_t index, size_t stride,
              const uint8_t *ahead) {
  panel_avx512 *panel = unpacked;
  moe_unpacked_0 rows[MOE_PANEL_ROWS_AVX512];
  moe_prefetch(ahead, MOE_PANEL_ROWS_AVX512 * BLOCK_BYTES);
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX512; r++) {
    unpack(w + r * stride, index, &rows[r], &moe_unpack_avx2);
    panel->scale[r] = rows[r].scale;
  }
  for (int k = 0; k < MOE_Q8_0_ELEMENTS / 16; k++) {
    __m512i columns[4];
    moe_transpose_rows_avx512(rows->quants + 16 * k, sizeof *rows, columns);
    for (int j = 0; j < 4; j++) _mm512_store_si512(panel->quants[4 * k + j], columns[j]);
  }
}

/* sums += block `index` of each token and panel. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void add_block_avx512(const moe_panel_tile *tile,
                                                          const uint8_t *unpacked, size_t index,
                                                          int panels, int tokens,
                                                          __m512 sums[][MOE_PANELS_AVX512]) {
  const panel_avx512 *panel = (const panel_avx512 *)unpacked;
  size_t column = index * MOE_Q8_0_ELEMENTS;
  __m512i dots[MOE_PANEL_TOKENS][MOE_PANELS_AVX512];
  for (int t = 0; t < tokens; t++) {
    __m512i above =
        _mm512_dpwssd_epi32(_mm512_setzero_si512(), _mm512_set1_epi16(-OFFSET),
                            moe_panel_x_avx512(tile, t, moe_panel_sums_0_offset(tile, index)));
    for (int p = 0; p < panels; p++) dots[t][p] = above;
  }
#pragma clang loop unroll(full)
  for (size_t c = 0; c < MOE_Q8_0_ELEMENTS / 4; c++) {
    for (int t = 0; t < tokens; t++) {
      __m512i x = moe_panel_x_avx512(tile, t, column + c * 4);
      for (int p = 0; p < panels; p++) {
        dots[t][p] = _mm512_dpbusd_epi32(dots[t][p], _mm512_load_si512(panel[p].quants[c]), x);
      }
    }
  }
  for (int t = 0; t < tokens; t++) {
    __m512 x_scale = _mm512_set1_ps(moe_panel_x_0_scale(tile, t, index));
    for (int p = 0; p < panels; p++) {
      __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(dots[t][p]), _mm512_load_ps(panel[p].scale));
      sums[t][p] = _mm512_fmadd_ps(value, x_scale, sums[t][p]);
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
  float scale[MOE_PANEL_ROWS_AVX2];
} panel_avx2;

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
unpack_avx2(void *unpacked, const uint8_t *w, size_t index, size_t stride, const uint8_t *ahead) {
  panel_avx2 *panel = unpacked;
  moe_unpacked_0 rows[MOE_PANEL_ROWS_AVX2];
  moe_prefetch(ahead, MOE_PANEL_ROWS_AVX2 * BLOCK_BYTES);
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX2; r++) {
    unpack(w + r * stride, index, &rows[r], &moe_unpack_avx2);
    panel->scale[r] = rows[r].scale;
  }
  for (int k = 0; k < MOE_Q8_0_ELEMENTS / 16; k++) {
    __m256i columns[4];
    moe_transpose_rows_avx2(rows->quants + 16 * k, sizeof *rows, columns);
    for (int j = 0; j < 4; j++) {
      _mm256_store_si256((__m256i *)panel->quants[4 * k + j], columns[j]);
    }
  }
}

/* sums += block `index` of each token. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void add_block_avx2(const moe_panel_tile *tile,
                                                      const panel_avx2 *panel, size_t index,
                                                      int tokens, __m256 sums[]) {
  const size_t steps = moe_panel_steps_avx2(QUANT_MAX, MOE_Q8_0_ELEMENTS);
  __m256i products[MOE_PANEL_TOKENS];
  for (int t = 0; t < tokens; t++) {
    __m256i x_sums = moe_panel_x_avx2(tile, t, moe_panel_sums_0_offset(tile, index));
    products[t] = _mm256_madd_epi16(_mm256_set1_epi16(-OFFSET), x_sums);
  }
#pragma clang loop unroll(full)
  for (size_t c = 0; c < MOE_Q8_0_ELEMENTS / 4; c += steps) {
    __m256i dots[MOE_PANEL_TOKENS];
    for (int t = 0; t < tokens; t++) dots[t] = _mm256_setzero_si256();
#pragma clang loop unroll(full)
    for (size_t step = c; step < c + steps; step++) {
      __m256i quants = moe_load_256_avx2(panel->quants[step]);
      for (int t = 0; t < tokens; t++) {
        __m256i x = moe_panel_x_avx2(tile, t, index * MOE_Q8_0_ELEMENTS + step * 4);
        dots[t] = _mm256_add_epi16(dots[t], _mm256_maddubs_epi16(quants, x));
      }
    }
    for (int t = 0; t < tokens; t++) {
      __m256i sums_of_4 = _mm256_madd_epi16(dots[t], _mm256_set1_epi16(1));
      products[t] = _mm256_add_epi32(products[t], sums_of_4);
    }
  }
  for (int t = 0; t < tokens; t++) {
    __m256 value = _mm256_mul_ps(_mm256_cvtepi32_ps(products[t]), _mm256_load_ps(panel->scale));
    sums[t] = _mm256_fmadd_ps(value, _mm256_set1_ps(moe_panel_x_0_scale(tile, t, index)), sums[t]);
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

/* Block after block: its sum as an integer, by the scale of the weights, by that of the
 * activations. */
MOE_ALWAYS_INLINE void tile_by_dot(const moe_tile *tile, int tokens, moe_dot_neon_fn dot) {
  float sums[MOE_TILE_TOKENS_MAX] = {0};
  for (size_t i = 0; i < tile->columns / MOE_Q8_0_ELEMENTS; i++) {
    moe_unpacked_0 b;
    unpack(tile->w, i, &b, &moe_unpack_neon);
    int8x16_t w0 = vreinterpretq_s8_u8(vld1q_u8(b.quants));
    int8x16_t w1 = vreinterpretq_s8_u8(vld1q_u8(b.quants + 16));
    for (int t = 0; t < tokens; t++) {
      moe_q8_row x = moe_q8_0_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      const int8_t *quants = x.quants + i * MOE_Q8_0_ELEMENTS;
      int32x4_t dots = dot(vdupq_n_s32(0), w0, vld1q_s8(quants));
      int32_t above = OFFSET * (x.sums[i * SUMS] + x.sums[i * SUMS + 1]);
      int32_t product = vaddvq_s32(dot(dots, w1, vld1q_s8(quants + 16))) - above;
      sums[t] = fmaf((float)product * b.scale, x.scales[i], sums[t]);
    }
  }
  for (int t = 0; t < tokens; t++) tile->y[(size_t)t * tile->y_stride] = sums[t];
}

#endif
