/* Q6_K: blocks of 256 in 16 groups of 16. An element is scale * (q - 32), with q of 6 bits; the
 * scale of a group is a signed byte, by a 16-bit float for all 16. Activations are Q8_K. */
#include <math.h>
#include <stddef.h>

#include "panel.h"
#include "products.h"

enum { ELEMENTS = 256, GROUPS = 16, GROUP_ELEMENTS = 16, OFFSET = 32 };
_Static_assert(OFFSET == 1 << 5, "the vector kernel shifts by it");

/* Elements come in two halves of 128, each in four runs of 32. Run 0 and 1 have their low 4 bits in
 * the low halves of the half's 64 low bytes, run 2 and 3 in the high halves; the upper 2 bits of
 * run k are bits 2k and 2k + 1 of the half's 32 high bytes. */
typedef struct {
  uint8_t low[ELEMENTS / 2];
  uint8_t high[ELEMENTS / 4];
  int8_t scales[GROUPS];
  uint8_t scale[2]; /* a 16-bit float */
} block;
_Static_assert(sizeof(block) == 210, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");

/* The quants of a block in order, with the offset removed: -32...31. */
static void unpack(const block *b, int8_t quants[ELEMENTS]) {
  for (int run = 0; run < ELEMENTS / 32; run++) {
    const uint8_t *low = b->low + run / 4 * 64 + run % 2 * 32;
    const uint8_t *high = b->high + run / 4 * 32;
    int low_shift = run % 4 / 2 * 4, high_shift = run % 4 * 2;
    for (int i = 0; i < 32; i++) {
      int quant = (low[i] >> low_shift & 15) | (high[i] >> high_shift & 3) << 4;
      quants[run * 32 + i] = (int8_t)(quant - OFFSET);
    }
  }
}

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (const block *b = (const block *)blocks; elements > 0; b++, elements -= ELEMENTS) {
    int8_t quants[ELEMENTS];
    unpack(b, quants);
    float scale = moe_float_from_f16(moe_load_u16(b->scale));
    for (int i = 0; i < ELEMENTS; i++) {
      *out++ = scale * (float)b->scales[i / GROUP_ELEMENTS] * (float)quants[i];
    }
  }
}

static float value_scalar(const uint8_t *w_row, const uint8_t *x_row, size_t columns) {
  const block *w = (const block *)w_row;
  moe_q8_row x = moe_q8_k_row_at(x_row, columns);
  double sum = 0;
  for (size_t i = 0; i < columns / ELEMENTS; i++) {
    int8_t quants[ELEMENTS];
    unpack(&w[i], quants);
    int32_t products = 0;
    for (int group = 0; group < GROUPS; group++) {
      const int8_t *x_quants = x.quants + i * ELEMENTS + (size_t)group * GROUP_ELEMENTS;
      int32_t group_products = 0;
      for (int j = 0; j < GROUP_ELEMENTS; j++) {
        group_products += quants[group * GROUP_ELEMENTS + j] * x_quants[j];
      }
      products += group_products * w[i].scales[group];
    }
    double scale = (double)moe_float_from_f16(moe_load_u16(w[i].scale));
    sum += (double)products * (scale * (double)x.scales[i]);
  }
  return (float)sum;
}

MOE_SCALAR_PRODUCT(q6_k)

#if defined(__x86_64__)

/* The four runs of one half, as bytes 0...63. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void unpack_half_avx2(const block *b, int half, __m256i runs[4]) {
  const __m256i low_bits = _mm256_set1_epi8(0x0f), high_bits = _mm256_set1_epi8(0x30);
  __m256i low0 = moe_load_256_avx2(b->low + half * 64);
  __m256i low1 = moe_load_256_avx2(b->low + half * 64 + 32);
  __m256i high = moe_load_256_avx2(b->high + half * 32);
  __m256i high0 = _mm256_and_si256(_mm256_slli_epi16(high, 4), high_bits);
  __m256i high1 = _mm256_and_si256(_mm256_slli_epi16(high, 2), high_bits);
  __m256i high2 = _mm256_and_si256(high, high_bits);
  __m256i high3 = _mm256_and_si256(_mm256_srli_epi16(high, 2), high_bits);
  runs[0] = _mm256_or_si256(_mm256_and_si256(low0, low_bits), high0);
  runs[1] = _mm256_or_si256(_mm256_and_si256(low1, low_bits), high1);
  runs[2] = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(low0, 4), low_bits), high2);
  runs[3] = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(low1, 4), low_bits), high3);
}

/* A block per lane. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 values_avx2(const block *w, __m128i products,
                                                     int blocks) {
  uint16_t halves[8] = {0};
  for (int i = 0; i < blocks; i++) halves[i] = moe_load_u16(w[i].scale);
  __m128 scales = _mm_cvtph_ps(_mm_loadu_si128((const __m128i *)halves));
  return _mm_mul_ps(scales, _mm_cvtepi32_ps(products));
}

/* What the offset takes from the sum of products, negated: -32 times the sums of activations by
 * group scale, as 8 sums. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i offsets_avx2(const int16_t *x_sums, __m256i scales) {
  __m256i factors = _mm256_mullo_epi16(scales, _mm256_set1_epi16(-OFFSET));
  return _mm256_madd_epi16(moe_load_256_avx2(x_sums), factors);
}

/* Products of one block by the scales of its groups, as 16 sums. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i products_avx512(const block *w, const int8_t *x,
                                                            const int16_t *x_sums) {
  const __m512i low_bits = _mm512_set1_epi8(0x0f), high_bits = _mm512_set1_epi8(0x30);
  /* A vector has two runs of 32, with the upper bits of both in the same 32 bytes. */
  const __m512i two_above = _mm512_inserti64x4(_mm512_setzero_si512(), _mm256_set1_epi16(2), 1);
  const __m512i left = _mm512_sub_epi16(_mm512_set1_epi16(4), two_above);
  __m256i scales = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)w->scales));
  __m512i wide_scales = _mm512_castsi256_si512(scales);
  /* Indices of scales: 8 lanes of products for each group. */
  __m512i pick = _mm512_set_epi64(0x0003000300030003, 0x0003000300030003, 0x0002000200020002,
                                  0x0002000200020002, 0x0001000100010001, 0x0001000100010001, 0, 0);
  __m512i products = _mm512_zextsi256_si512(offsets_avx2(x_sums, scales));
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    __m512i low = _mm512_loadu_si512(w->low + half * 64);
    __m512i high = _mm512_broadcast_i64x4(moe_load_256_avx2(w->high + half * 32));
    __m512i runs[2] = {
        _mm512_or_si512(_mm512_and_si512(low, low_bits),
                        _mm512_and_si512(_mm512_sllv_epi16(high, left), high_bits)),
        _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(low, 4), low_bits),
                        _mm512_and_si512(_mm512_srlv_epi16(high, two_above), high_bits)),
    };
    for (int k = 0; k < 2; k++) {
      __m512i dots =
          _mm512_maddubs_epi16(runs[k], _mm512_loadu_si512(x + half * 128 + k * 64));
      products =
          _mm512_dpwssd_epi32(products, dots, _mm512_permutexvar_epi16(pick, wide_scales));
      pick = _mm512_add_epi16(pick, _mm512_set1_epi16(4));
    }
  }
  return products;
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128 row_step_avx512(moe_row_step s, int blocks) {
  __m512i products[MOE_ROW_BLOCKS];
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    products[i] = i < blocks ? products_avx512((const block *)s.w + i, s.x_quants + i * ELEMENTS,
                                               s.x_sums + i * MOE_Q8_K_SUMS)
                             : _mm512_setzero_si512();
  }
  return values_avx2((const block *)s.w, moe_sum_lanes_avx512(products), blocks);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void rows_avx512(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {sizeof(block), ELEMENTS, moe_row_as_it_is, row_step_avx512};
  moe_row_products(kernels, tile, rows);
}

/* Products of one block by the scales of its groups, as 8 sums. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i products_avx2(const block *w, const int8_t *x,
                                                        const int16_t *x_sums) {
  __m128i scale_bytes = _mm_loadu_si128((const __m128i *)w->scales);
  /* Scales of even groups in the lower 128 bits, of odd ones in the upper, so that one shuffle
   * within them gives a run (two groups) its scales. */
  const __m128i even_odd = _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
  __m256i by_run = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(scale_bytes, even_odd));
  __m256i products = offsets_avx2(x_sums, _mm256_cvtepi8_epi16(scale_bytes));
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    __m256i runs[4];
    unpack_half_avx2(w, half, runs);
    for (int k = 0; k < 4; k++) {
      int index = (half * 4 + k) * 2;
      __m256i pick = _mm256_set1_epi16((short)(index | (index + 1) << 8));
      products = moe_dot_avx2(products, runs[k], moe_load_256_avx2(x + index * 16),
                              _mm256_shuffle_epi8(by_run, pick));
    }
  }
  return products;
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_avx2(moe_row_step s, int blocks) {
  __m256i products[MOE_ROW_BLOCKS];
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    products[i] = i < blocks ? products_avx2((const block *)s.w + i, s.x_quants + i * ELEMENTS,
                                             s.x_sums + i * MOE_Q8_K_SUMS)
                             : _mm256_setzero_si256();
  }
  return values_avx2((const block *)s.w, moe_sum_lanes_4_avx2(products), blocks);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void rows_avx2(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {sizeof(block), ELEMENTS, moe_row_as_it_is, row_step_avx2};
  moe_row_products(kernels, tile, rows);
}

/* A block of 16 rows, unpacked. */
typedef struct {
  uint8_t quants[ELEMENTS / 4][MOE_PANEL_ROWS_AVX512][4];
  int32_t scales[GROUPS][MOE_PANEL_ROWS_AVX512];
  int16_t offsets[GROUPS / 2][MOE_PANEL_ROWS_AVX512][2]; /* -32 times the scales of two groups */
  float scale[MOE_PANEL_ROWS_AVX512];
} panel_avx512;
_Static_assert(offsetof(panel_avx512, scales) == offsetof(moe_panel_avx512, scales), "shared");

/* The 4 runs of one half, of a row per lane: vectors j and 8 + j of low and j of high bytes. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
unpack_half_avx512(panel_avx512 *panel, int half, const uint8_t *w, size_t stride,
                   const uint8_t **ahead) {
  const __m512i low_bits = _mm512_set1_epi8(0x0f), high_bits = _mm512_set1_epi8(0x30);
  const uint8_t *low_bytes = w + offsetof(block, low) + half * 64;
  const uint8_t *high_bytes = w + offsetof(block, high) + half * 32;
#pragma clang loop unroll(full)
  for (int k = 0; k < 2; k++) {
    __m512i low0[4], low1[4], high[4];
    moe_transpose_avx512(low_bytes + k * 16, stride, ahead, low0);
    moe_transpose_avx512(low_bytes + 32 + k * 16, stride, ahead, low1);
    moe_transpose_avx512(high_bytes + k * 16, stride, ahead, high);
    for (int j = 0; j < 4; j++) {
      __m512i above[4] = {_mm512_slli_epi16(high[j], 4), _mm512_slli_epi16(high[j], 2), high[j],
                          _mm512_srli_epi16(high[j], 2)};
      __m512i below[4] = {low0[j], low1[j], _mm512_srli_epi16(low0[j], 4),
                          _mm512_srli_epi16(low1[j], 4)};
      for (int run = 0; run < 4; run++) {
        __m512i quants = _mm512_or_si512(_mm512_and_si512(below[run], low_bits),
                                         _mm512_and_si512(above[run], high_bits));
        _mm512_store_si512(panel->quants[half * 32 + run * 8 + k * 4 + j], quants);
      }
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
unpack_avx512(void *unpacked, const uint8_t *w, size_t index, size_t stride,
              const uint8_t *ahead) {
  panel_avx512 *panel = unpacked;
  w += index * sizeof(block);
  for (int half = 0; half < 2; half++) unpack_half_avx512(panel, half, w, stride, &ahead);
  __m512i scales[4];
  moe_transpose_avx512(w + offsetof(block, scales), stride, &ahead, scales);
  for (int g = 0; g < GROUPS; g++) {
    __m512i top = _mm512_slli_epi32(scales[g / 4], (unsigned)(24 - g % 4 * 8));
    _mm512_store_si512(panel->scales[g], _mm512_srai_epi32(top, 24));
  }
  for (int g = 0; g < GROUPS / 2; g++) {
    /* Bytes 0 and 1, or 2 and 3, of a lane to the upper bytes of its words; then down by sign. */
    __m512i words = g % 2 == 0 ? scales[g / 2] : _mm512_srli_epi32(scales[g / 2], 16);
    __m512i first = _mm512_srai_epi32(_mm512_slli_epi32(words, 24), 24);
    __m512i second = _mm512_slli_epi32(words, 16);
    __m512i pair = _mm512_mask_blend_epi16(0xaaaaaaaa, first, _mm512_srai_epi16(second, 8));
    _mm512_store_si512(panel->offsets[g],
                       _mm512_mullo_epi16(pair, _mm512_set1_epi16(-OFFSET)));
  }
  uint16_t halves[MOE_PANEL_ROWS_AVX512];
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX512; r++) {
    halves[r] = moe_load_u16(w + r * stride + offsetof(block, scale));
  }
  _mm512_store_ps(panel->scale, _mm512_cvtph_ps(moe_load_256_avx2(halves)));
}

/* The sum so far plus block `index` of token t. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512 add_block_avx512(__m512 sum, __m512i products,
                                                            const uint8_t *unpacked,
                                                            const moe_panel_tile *tile, int t,
                                                            size_t index) {
  const panel_avx512 *panel = (const panel_avx512 *)unpacked;
  size_t offset = moe_panel_sums_offset(tile, index);
  for (int g = 0; g < GROUPS / 2; g++) {
    products = _mm512_dpwssd_epi32(products, _mm512_load_si512(panel->offsets[g]),
                                   moe_panel_x_avx512(tile, t, offset + (size_t)g * 4));
  }
  __m512 value = _mm512_mul_ps(_mm512_load_ps(panel->scale), _mm512_cvtepi32_ps(products));
  return _mm512_fmadd_ps(value, _mm512_set1_ps(moe_panel_x_scale(tile, t, index)), sum);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_panel_tile *tile, int panels,
                                                     int tokens) {
  moe_panel_tile_avx512(add_block_avx512, tile, GROUP_ELEMENTS, panels, tokens);
}

/* A block of 8 rows, unpacked. */
typedef struct {
  uint8_t quants[ELEMENTS / 4][MOE_PANEL_ROWS_AVX2][4];
  int16_t scales[GROUPS][MOE_PANEL_ROWS_AVX2][2]; /* each twice: products come in pairs */
  int16_t offsets[GROUPS / 2][MOE_PANEL_ROWS_AVX2][2]; /* -32 times the scales of two groups */
  float scale[MOE_PANEL_ROWS_AVX2];
} panel_avx2;
_Static_assert(offsetof(panel_avx2, scales) == offsetof(moe_panel_avx2, scales), "shared");

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
unpack_half_panel_avx2(panel_avx2 *panel, int half, const uint8_t *w, size_t stride,
                       const uint8_t **ahead) {
  const __m256i low_bits = _mm256_set1_epi8(0x0f), high_bits = _mm256_set1_epi8(0x30);
  const uint8_t *low_bytes = w + offsetof(block, low) + half * 64;
  const uint8_t *high_bytes = w + offsetof(block, high) + half * 32;
  for (int k = 0; k < 2; k++) {
    __m256i low0[4], low1[4], high[4];
    moe_transpose_avx2(low_bytes + k * 16, stride, ahead, low0);
    moe_transpose_avx2(low_bytes + 32 + k * 16, stride, ahead, low1);
    moe_transpose_avx2(high_bytes + k * 16, stride, ahead, high);
    for (int j = 0; j < 4; j++) {
      __m256i above[4] = {_mm256_slli_epi16(high[j], 4), _mm256_slli_epi16(high[j], 2), high[j],
                          _mm256_srli_epi16(high[j], 2)};
      __m256i below[4] = {low0[j], low1[j], _mm256_srli_epi16(low0[j], 4),
                          _mm256_srli_epi16(low1[j], 4)};
      for (int run = 0; run < 4; run++) {
        __m256i quants = _mm256_or_si256(_mm256_and_si256(below[run], low_bits),
                                         _mm256_and_si256(above[run], high_bits));
        _mm256_store_si256((__m256i *)panel->quants[half * 32 + run * 8 + k * 4 + j], quants);
      }
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
unpack_avx2(void *unpacked, const uint8_t *w, size_t index, size_t stride,
              const uint8_t *ahead) {
  panel_avx2 *panel = unpacked;
  w += index * sizeof(block);
  for (int half = 0; half < 2; half++) unpack_half_panel_avx2(panel, half, w, stride, &ahead);
  __m256i scales[4];
  moe_transpose_avx2(w + offsetof(block, scales), stride, &ahead, scales);
  for (int g = 0; g < GROUPS; g += 2) {
    __m256i words = g % 4 == 0 ? scales[g / 4] : _mm256_srli_epi32(scales[g / 4], 16);
    __m256i first = _mm256_srai_epi32(_mm256_slli_epi32(words, 24), 24);
    __m256i second = _mm256_srai_epi32(_mm256_slli_epi32(words, 16), 24);
    __m256i first_above = _mm256_slli_epi32(first, 16);
    __m256i second_above = _mm256_slli_epi32(second, 16);
    __m256i pair = _mm256_blend_epi16(first, second_above, 0xaa);
    _mm256_store_si256((__m256i *)panel->scales[g], _mm256_blend_epi16(first, first_above, 0xaa));
    _mm256_store_si256((__m256i *)panel->scales[g + 1],
                       _mm256_blend_epi16(second, second_above, 0xaa));
    _mm256_store_si256((__m256i *)panel->offsets[g / 2],
                       _mm256_mullo_epi16(pair, _mm256_set1_epi16(-OFFSET)));
  }
  uint16_t halves[MOE_PANEL_ROWS_AVX2];
  for (size_t r = 0; r < MOE_PANEL_ROWS_AVX2; r++) {
    halves[r] = moe_load_u16(w + r * stride + offsetof(block, scale));
  }
  _mm256_store_ps(panel->scale, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)halves)));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 add_panel_block_avx2(__m256 sum, __m256i products,
                                                              const uint8_t *unpacked,
                                                              const moe_panel_tile *tile, int t,
                                                              size_t index) {
  const panel_avx2 *panel = (const panel_avx2 *)unpacked;
  size_t offset = moe_panel_sums_offset(tile, index);
  for (int g = 0; g < GROUPS / 2; g++) {
    __m256i x = moe_panel_x_avx2(tile, t, offset + (size_t)g * 4);
    products = _mm256_add_epi32(products,
                                _mm256_madd_epi16(moe_load_256_avx2(panel->offsets[g]), x));
  }
  __m256 value = _mm256_mul_ps(_mm256_load_ps(panel->scale), _mm256_cvtepi32_ps(products));
  return _mm256_fmadd_ps(value, _mm256_set1_ps(moe_panel_x_scale(tile, t, index)), sum);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_panel_tile *tile, int panels,
                                                 int tokens) {
  (void)panels; /* always one */
  enum { STEPS = 2 };
  _Static_assert(STEPS * 2 * 63 * 128 < 1 << 15, "sums of products fit in 16 bits");
  moe_panel_tile_avx2(add_panel_block_avx2, tile, GROUP_ELEMENTS, STEPS, 0, tokens);
}

MOE_PANEL_PRODUCT(q6_k, avx2, AVX2, sizeof(block), ELEMENTS)
MOE_PANEL_PRODUCT(q6_k, avx512, AVX512, sizeof(block), ELEMENTS)

#elif defined(__aarch64__)

/* The four runs of one half of a block, 16 of the 32 elements of each, with the offset removed.
 * low: the bytes of the runs 0 and 2; those of 1 and 3 come 32 after them. */
MOE_ALWAYS_INLINE void unpack_runs_neon(const uint8_t *low, const uint8_t *high,
                                        int8x16_t runs[4]) {
  const uint8x16_t low_bits = vdupq_n_u8(0x0f), high_bits = vdupq_n_u8(0x30);
  uint8x16_t low0 = vld1q_u8(low), low1 = vld1q_u8(low + 32), top = vld1q_u8(high);
  uint8x16_t below[4] = {vandq_u8(low0, low_bits), vandq_u8(low1, low_bits), vshrq_n_u8(low0, 4),
                         vshrq_n_u8(low1, 4)};
  uint8x16_t above[4] = {vshlq_n_u8(top, 4), vshlq_n_u8(top, 2), top, vshrq_n_u8(top, 2)};
  for (int run = 0; run < 4; run++) {
    uint8x16_t quants = vorrq_u8(below[run], vandq_u8(above[run], high_bits));
    runs[run] = vsubq_s8(vreinterpretq_s8_u8(quants), vdupq_n_s8(OFFSET));
  }
}

/* Products of one block by the scales of its groups, as 4 sums for each token. x: the first
 * token's quants of the block. */
MOE_ALWAYS_INLINE void products_neon(const block *w, const uint8_t *x, size_t x_stride, int tokens,
                                     moe_dot_neon_fn dot, int32x4_t products[]) {
  const int32x4_t zero = vdupq_n_s32(0);
  for (int t = 0; t < tokens; t++) products[t] = zero;
#pragma clang loop unroll(full)
  for (int part = 0; part < 4; part++) {
    int half = part / 2, first = part % 2;
    int8x16_t runs[4];
    unpack_runs_neon(w->low + half * 64 + first * 16, w->high + half * 32 + first * 16, runs);
    for (int run = 0; run < 4; run++) {
      int group = half * 8 + run * 2 + first;
      for (int t = 0; t < tokens; t++) {
        const int8_t *values =
            (const int8_t *)x + (size_t)t * x_stride + group * GROUP_ELEMENTS;
        int32x4_t dots = dot(zero, runs[run], vld1q_s8(values));
        products[t] = vmlaq_n_s32(products[t], dots, w->scales[group]);
      }
    }
  }
}

/* Block after block: its sums as integers, by the scale of the weights, by that of the
 * activations. */
MOE_ALWAYS_INLINE void tile_by_dot(const moe_tile *tile, int tokens, moe_dot_neon_fn dot) {
  float sums[MOE_TILE_TOKENS_MAX] = {0};
  for (size_t i = 0; i < tile->columns / ELEMENTS; i++) {
    const block *w = (const block *)tile->w + i;
    float scale = moe_load_f16_neon(w->scale);
    int32x4_t products[MOE_TILE_TOKENS_MAX];
    products_neon(w, tile->x + i * ELEMENTS, tile->x_stride, tokens, dot, products);
    for (int t = 0; t < tokens; t++) {
      moe_q8_row x = moe_q8_k_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      float value = scale * (float)vaddvq_s32(products[t]);
      sums[t] = fmaf(value, x.scales[i], sums[t]);
    }
  }
  for (int t = 0; t < tokens; t++) tile->y[(size_t)t * tile->y_stride] = sums[t];
}

MOE_NEON_PRODUCT(q6_k)

#endif

MOE_DEFINE_FORMAT(q6_k, "Q6_K", 14, ELEMENTS, sizeof(block), Q8_K, INTEGER)
