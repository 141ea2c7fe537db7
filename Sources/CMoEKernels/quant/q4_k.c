/* Q4_K: blocks of 256 in 8 groups of 32. An element is scale * q - minimum, with q of 4 bits; scale
 * and minimum of a group have 6 bits, by a 16-bit float for all 8. Activations are Q8_K. */
#include <math.h>
#include <stddef.h>

#include "panel.h"
#include "unpacked.h"

enum { ELEMENTS = 256, GROUPS = 8, GROUP_ELEMENTS = 32 };

typedef struct {
  uint8_t scale[2], minimum[2]; /* 16-bit floats */
  uint8_t packed[12];           /* 8 scales and 8 minima of 6 bits */
  uint8_t quants[ELEMENTS / 2]; /* group 2k in the low halves of bytes 32k ..< 32k + 32, 2k + 1 in
                                   the high ones */
} block;
_Static_assert(sizeof(block) == 144, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");

static int quant_at(const block *b, int group, int i) {
  return b->quants[group / 2 * GROUP_ELEMENTS + i] >> (group % 2 * 4) & 15;
}

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (const block *b = (const block *)blocks; elements > 0; b++, elements -= ELEMENTS) {
    float scale = moe_float_from_f16(moe_load_u16(b->scale));
    float minimum = moe_float_from_f16(moe_load_u16(b->minimum));
    moe_group_factors factors = moe_unpack_factors(b->packed);
    for (int group = 0; group < GROUPS; group++) {
      float group_scale = scale * (float)(factors.scales >> (8 * group) & 0xff);
      float group_minimum = minimum * (float)(factors.minima >> (8 * group) & 0xff);
      for (int i = 0; i < GROUP_ELEMENTS; i++) {
        *out++ = group_scale * (float)quant_at(b, group, i) - group_minimum;
      }
    }
  }
}

static float value_scalar(const uint8_t *w_row, const uint8_t *x_row, size_t columns) {
  const block *w = (const block *)w_row;
  moe_q8_row x = moe_q8_k_row_at(x_row, columns);
  double sum = 0;
  for (size_t i = 0; i < columns / ELEMENTS; i++) {
    moe_group_factors factors = moe_unpack_factors(w[i].packed);
    int32_t products = 0, minima = 0;
    for (int group = 0; group < GROUPS; group++) {
      const int8_t *x_quants = x.quants + i * ELEMENTS + (size_t)group * GROUP_ELEMENTS;
      const int16_t *x_sums = x.sums + i * MOE_Q8_K_SUMS + (size_t)group * 2;
      int32_t group_products = 0;
      for (int j = 0; j < GROUP_ELEMENTS; j++) {
        group_products += quant_at(&w[i], group, j) * x_quants[j];
      }
      products += group_products * (int32_t)(factors.scales >> (8 * group) & 0xff);
      minima += (x_sums[0] + x_sums[1]) * (int32_t)(factors.minima >> (8 * group) & 0xff);
    }
    double scale = (double)moe_float_from_f16(moe_load_u16(w[i].scale));
    double minimum = (double)moe_float_from_f16(moe_load_u16(w[i].minimum));
    sum += (double)x.scales[i] * (scale * products - minimum * minima);
  }
  return (float)sum;
}

MOE_SCALAR_PRODUCT(q4_k)

#if defined(__x86_64__)

/* A block per lane. halves: 4 scales, 4 minima. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 values_avx2(__m128i halves, __m128i products,
                                                     __m128i minima) {
  __m256 factors = _mm256_cvtph_ps(halves);
  __m128 below = _mm_mul_ps(_mm256_extractf128_ps(factors, 1), _mm_cvtepi32_ps(minima));
  return _mm_fmsub_ps(_mm256_castps256_ps128(factors), _mm_cvtepi32_ps(products), below);
}

/* The step's first 16 bytes of each block: scale and minimum, packed factors. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i heads_avx512(const block *w, int blocks) {
  __m512i heads = _mm512_zextsi128_si512(_mm_loadu_si128((const __m128i *)w));
  if (blocks > 1) {
    heads = _mm512_inserti32x4(heads, _mm_loadu_si128((const __m128i *)(w + 1)), 1);
  }
  if (blocks > 2) {
    heads = _mm512_inserti32x4(heads, _mm_loadu_si128((const __m128i *)(w + 2)), 2);
  }
  if (blocks > 3) {
    heads = _mm512_inserti32x4(heads, _mm_loadu_si128((const __m128i *)(w + 3)), 3);
  }
  return heads;
}

/* As moe_unpack_factors, of a block per 128-bit lane: 8 scales, 8 minima. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i factors_avx512(__m512i heads) {
  const __m512i shifts = _mm512_set4_epi32(4, 0, 0, 0);
  const __m512i low = _mm512_set4_epi32(0x0f0f0f0f, 0x3f3f3f3f, 0x0f0f0f0f, 0x3f3f3f3f);
  const __m512i top = _mm512_set4_epi32(0x30303030, 0, 0x30303030, 0);
  __m512i acbc = _mm512_shuffle_epi32(heads, 0xed), aabb = _mm512_shuffle_epi32(heads, 0xa5);
  return _mm512_or_si512(_mm512_and_si512(_mm512_srlv_epi32(acbc, shifts), low),
                         _mm512_and_si512(_mm512_srli_epi32(aabb, 2), top));
}

/* Groups in the order 0 2 1 3 4 6 5 7, in which 64 bytes of a block's quants have them in their low
 * and then in their high halves; sums of whole groups, 8 to a block, those of a step's blocks one
 * after the other. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 moe_q8_row order_avx512(moe_q8_row x, size_t blocks,
                                                              moe_row_room *room) {
  /* The last step may have fewer blocks than it reads sums of. */
  size_t whole = blocks / MOE_ROW_BLOCKS * MOE_ROW_BLOCKS;
  if (whole < blocks) {
    memset(room->sums + whole * MOE_Q8_K_SUMS, 0, MOE_ROW_BLOCKS * GROUPS * sizeof(int16_t));
  }
  for (size_t i = 0; i < blocks; i++) {
    const int16_t *sums = x.sums + i * MOE_Q8_K_SUMS;
    size_t step = i / MOE_ROW_BLOCKS * MOE_ROW_BLOCKS;
    int16_t *group_sums = room->sums + step * MOE_Q8_K_SUMS + (i - step) * GROUPS;
    for (int k = 0; k < 2; k++) {
      size_t at = i * ELEMENTS + (size_t)k * ELEMENTS / 2;
      __m512i groups01 = _mm512_loadu_si512(x.quants + at);
      __m512i groups23 = _mm512_loadu_si512(x.quants + at + 2 * GROUP_ELEMENTS);
      _mm512_store_si512(room->quants + at, _mm512_shuffle_i64x2(groups01, groups23, 0x44));
      _mm512_store_si512(room->quants + at + 2 * GROUP_ELEMENTS,
                         _mm512_shuffle_i64x2(groups01, groups23, 0xee));
    }
    for (int g = 0; g < GROUPS; g++) {
      group_sums[g] = (int16_t)(sums[2 * g] + sums[2 * g + 1]);
    }
  }
  return (moe_q8_row){room->quants, room->sums, x.scales};
}

/* Scales of one block's groups `first` and first + 2, in the halves of a vector of 16 bits. scales:
 * 8 of each of the step's blocks. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i pick_scales_avx512(__m512i scales, int block,
                                                               int first) {
  int index = block * GROUPS + first;
  __m512i low = _mm512_castsi256_si512(_mm256_set1_epi16((short)index));
  return _mm512_permutexvar_epi16(
      _mm512_inserti64x4(low, _mm256_set1_epi16((short)(index + 2)), 1), scales);
}

/* Products of block `index` of a step by the scales of its groups, as 16 sums. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512i products_avx512(const block *w, const int8_t *x,
                                                            __m512i scales, int index) {
  const __m512i low_bits = _mm512_set1_epi8(15);
  __m512i products = _mm512_setzero_si512();
#pragma clang loop unroll(full)
  for (int k = 0; k < 2; k++) {
    __m512i bytes = _mm512_loadu_si512(w->quants + k * 64);
    __m512i low = _mm512_and_si512(bytes, low_bits);
    __m512i high = _mm512_and_si512(_mm512_srli_epi16(bytes, 4), low_bits);
    __m512i low_dots = _mm512_maddubs_epi16(low, _mm512_load_si512(x + k * 128));
    __m512i high_dots = _mm512_maddubs_epi16(high, _mm512_load_si512(x + k * 128 + 64));
    products = _mm512_dpwssd_epi32(products, low_dots, pick_scales_avx512(scales, index, 4 * k));
    products =
        _mm512_dpwssd_epi32(products, high_dots, pick_scales_avx512(scales, index, 4 * k + 1));
  }
  return products;
}

/* Sums of activations by the minima of their groups, 8 of each of the step's blocks: a block per
 * 32-bit lane. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128i minima_avx512(const int16_t *x_sums, __m512i minima) {
  __m512i four = _mm512_madd_epi16(_mm512_load_si512(x_sums), minima);
  __m512i two = _mm512_add_epi32(four, _mm512_shuffle_epi32(four, 0x4e));
  __m512i all = _mm512_add_epi32(two, _mm512_shuffle_epi32(two, 0xb1));
  const __m512i first = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
  return _mm512_castsi512_si128(_mm512_permutexvar_epi32(first, all));
}

/* Activations as order_avx512 has them. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m128 row_step_avx512(moe_row_step s, int blocks) {
  const block *w = (const block *)s.w;
  __m512i heads = heads_avx512(w, blocks), factors = factors_avx512(heads);
  __m512i scales = _mm512_unpacklo_epi8(factors, _mm512_setzero_si512());
  __m512i minima = _mm512_unpackhi_epi8(factors, _mm512_setzero_si512());
  __m512i products[MOE_ROW_BLOCKS];
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    products[i] = i < blocks ? products_avx512(w + i, s.x_quants + i * ELEMENTS, scales, i)
                             : _mm512_setzero_si512();
  }
  const __m512i words = _mm512_zextsi128_si512(_mm_setr_epi16(0, 8, 16, 24, 1, 9, 17, 25));
  __m128i halves = _mm512_castsi512_si128(_mm512_permutexvar_epi16(words, heads));
  return values_avx2(halves, moe_sum_lanes_avx512(products), minima_avx512(s.x_sums, minima));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void rows_avx512(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {sizeof(block), ELEMENTS, order_avx512, row_step_avx512};
  moe_row_products(kernels, tile, rows);
}

/* Products by scale and minima of one block, as 8 sums each. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void block_sums_avx2(const block *w, const int8_t *x,
                                                       const int16_t *x_sums, __m256i *products,
                                                       __m256i *minima) {
  const __m256i low_bits = _mm256_set1_epi8(15);
  moe_group_factors factors = moe_unpack_factors(w->packed);
  __m128i scale_bytes = _mm_cvtsi64_si128((long long)factors.scales);
  __m128i minimum_bytes = _mm_cvtsi64_si128((long long)factors.minima);
  /* Each scale twice, as 16 bits: a pair is read back with one broadcast per group. */
  _Alignas(32) uint32_t scale_pairs[GROUPS];
  _mm256_store_si256((__m256i *)scale_pairs,
                     _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(scale_bytes, scale_bytes)));
  *products = _mm256_setzero_si256();
  for (int k = 0; k < GROUPS / 2; k++) {
    __m256i bytes = moe_load_256_avx2(w->quants + k * GROUP_ELEMENTS);
    __m256i low = _mm256_and_si256(bytes, low_bits);
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_bits);
    const int8_t *values = x + k * 2 * GROUP_ELEMENTS;
    *products = moe_dot_avx2(*products, low, moe_load_256_avx2(values),
                             _mm256_set1_epi32((int)scale_pairs[2 * k]));
    *products = moe_dot_avx2(*products, high, moe_load_256_avx2(values + GROUP_ELEMENTS),
                             _mm256_set1_epi32((int)scale_pairs[2 * k + 1]));
  }
  /* Each minimum twice, because activations are summed by 16. */
  *minima = _mm256_madd_epi16(
      moe_load_256_avx2(x_sums),
      _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(minimum_bytes, minimum_bytes)));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 row_step_avx2(moe_row_step s, int blocks) {
  const block *w = (const block *)s.w;
  __m256i products[MOE_ROW_BLOCKS], minima[MOE_ROW_BLOCKS];
  uint32_t factors[MOE_ROW_BLOCKS] = {0};
#pragma clang loop unroll(full)
  for (int i = 0; i < MOE_ROW_BLOCKS; i++) {
    products[i] = minima[i] = _mm256_setzero_si256();
    if (i >= blocks) continue;
    block_sums_avx2(w + i, s.x_quants + i * ELEMENTS, s.x_sums + i * MOE_Q8_K_SUMS,
                    &products[i], &minima[i]);
    factors[i] = moe_load_u32(w[i].scale);
  }
  __m128i halves = _mm_shuffle_epi8(
      _mm_loadu_si128((const __m128i *)factors),
      _mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
  return values_avx2(halves, moe_sum_lanes_4_avx2(products), moe_sum_lanes_4_avx2(minima));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void rows_avx2(const moe_tile *tile, size_t rows) {
  moe_row_kernels kernels = {sizeof(block), ELEMENTS, moe_row_as_it_is, row_step_avx2};
  moe_row_products(kernels, tile, rows);
}

/* A block of 16 rows, unpacked. */
typedef struct {
  uint8_t quants[ELEMENTS / 4][MOE_PANEL_ROWS_AVX512][4];
  uint32_t scales[GROUPS][MOE_PANEL_ROWS_AVX512];
  uint16_t minima[GROUPS][MOE_PANEL_ROWS_AVX512][2]; /* each twice: activations are summed by 16 */
  float scale[MOE_PANEL_ROWS_AVX512], minimum[MOE_PANEL_ROWS_AVX512];
} panel_avx512;
_Static_assert(offsetof(panel_avx512, scales) == offsetof(moe_panel_avx512, scales), "shared");

/* As moe_unpack_factors, of a row per lane. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
unpack_factors_avx512(panel_avx512 *panel, __m512i a, __m512i b, __m512i c) {
  const __m512i six = _mm512_set1_epi8(0x3f), top = _mm512_set1_epi8(0x30);
  const __m512i four = _mm512_set1_epi8(15), byte = _mm512_set1_epi32(255);
  __m512i scales[2] = {
      _mm512_and_si512(a, six),
      _mm512_or_si512(_mm512_and_si512(c, four),
                      _mm512_and_si512(_mm512_srli_epi32(a, 2), top)),
  };
  __m512i minima[2] = {
      _mm512_and_si512(b, six),
      _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi32(c, 4), four),
                      _mm512_and_si512(_mm512_srli_epi32(b, 2), top)),
  };
  for (int g = 0; g < GROUPS; g++) {
    unsigned shift = (unsigned)g % 4 * 8;
    __m512i minimum = _mm512_and_si512(_mm512_srli_epi32(minima[g / 4], shift), byte);
    _mm512_store_si512(panel->scales[g],
                       _mm512_and_si512(_mm512_srli_epi32(scales[g / 4], shift), byte));
    _mm512_store_si512(panel->minima[g],
                       _mm512_or_si512(minimum, _mm512_slli_epi32(minimum, 16)));
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void
unpack_avx512(void *unpacked, const uint8_t *w, size_t index, size_t stride,
              const uint8_t *ahead) {
  panel_avx512 *panel = unpacked;
  w += index * sizeof(block);
  const __m512i four = _mm512_set1_epi8(15);
  __m512i columns[4];
  moe_transpose_avx512(w, stride, &ahead, columns);
  __m256i scale = _mm512_cvtepi32_epi16(columns[0]);
  __m256i minimum = _mm512_cvtepi32_epi16(_mm512_srli_epi32(columns[0], 16));
  _mm512_store_ps(panel->scale, _mm512_cvtph_ps(scale));
  _mm512_store_ps(panel->minimum, _mm512_cvtph_ps(minimum));
  unpack_factors_avx512(panel, columns[1], columns[2], columns[3]);
  for (int k = 0; k < ELEMENTS / 32; k++) {
    /* 16 of the 32 bytes with the groups 2 (k / 2) and 2 (k / 2) + 1. */
    moe_transpose_avx512(w + offsetof(block, quants) + k * 16, stride, &ahead, columns);
    for (int j = 0; j < 4; j++) {
      int low = k / 2 * 16 + k % 2 * 4 + j, high = low + GROUP_ELEMENTS / 4;
      _mm512_store_si512(panel->quants[low], _mm512_and_si512(columns[j], four));
      _mm512_store_si512(panel->quants[high],
                         _mm512_and_si512(_mm512_srli_epi16(columns[j], 4), four));
    }
  }
}

/* The sum so far plus block `index` of token t. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX512 __m512 add_block_avx512(__m512 sum, __m512i products,
                                                            const uint8_t *unpacked,
                                                            const moe_panel_tile *tile, int t,
                                                            size_t index) {
  const panel_avx512 *panel = (const panel_avx512 *)unpacked;
  __m512i below = _mm512_setzero_si512();
  size_t offset = moe_panel_sums_offset(tile, index);
  for (int g = 0; g < GROUPS; g++) {
    below = _mm512_dpwssd_epi32(below, _mm512_load_si512(panel->minima[g]),
                                moe_panel_x_avx512(tile, t, offset + (size_t)g * 4));
  }
  __m512 value = _mm512_fmsub_ps(
      _mm512_load_ps(panel->scale), _mm512_cvtepi32_ps(products),
      _mm512_mul_ps(_mm512_load_ps(panel->minimum), _mm512_cvtepi32_ps(below)));
  return _mm512_fmadd_ps(value, _mm512_set1_ps(moe_panel_x_scale(tile, t, index)), sum);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_panel_tile *tile, int panels,
                                                     int tokens) {
  moe_panel_tile_avx512(add_block_avx512, tile, GROUP_ELEMENTS, panels, tokens);
}

/* A block of 8 rows, unpacked. */
typedef struct {
  uint8_t quants[ELEMENTS / 4][MOE_PANEL_ROWS_AVX2][4];
  uint16_t scales[GROUPS][MOE_PANEL_ROWS_AVX2][2]; /* each twice: products come in pairs */
  uint16_t minima[GROUPS][MOE_PANEL_ROWS_AVX2][2];
  float scale[MOE_PANEL_ROWS_AVX2], minimum[MOE_PANEL_ROWS_AVX2];
} panel_avx2;
_Static_assert(offsetof(panel_avx2, scales) == offsetof(moe_panel_avx2, scales), "shared");

/* Byte g of each lane twice, as 16 bits. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256i twice_avx2(__m256i bytes, int g) {
  __m256i one = _mm256_and_si256(_mm256_srli_epi32(bytes, g * 8), _mm256_set1_epi32(255));
  return _mm256_or_si256(one, _mm256_slli_epi32(one, 16));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void unpack_factors_panel_avx2(panel_avx2 *panel, __m256i a,
                                                                 __m256i b, __m256i c) {
  const __m256i six = _mm256_set1_epi8(0x3f), top = _mm256_set1_epi8(0x30);
  const __m256i four = _mm256_set1_epi8(15);
  __m256i scales[2] = {
      _mm256_and_si256(a, six),
      _mm256_or_si256(_mm256_and_si256(c, four),
                      _mm256_and_si256(_mm256_srli_epi32(a, 2), top)),
  };
  __m256i minima[2] = {
      _mm256_and_si256(b, six),
      _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi32(c, 4), four),
                      _mm256_and_si256(_mm256_srli_epi32(b, 2), top)),
  };
  for (int g = 0; g < GROUPS; g++) {
    _mm256_store_si256((__m256i *)panel->scales[g], twice_avx2(scales[g / 4], g % 4));
    _mm256_store_si256((__m256i *)panel->minima[g], twice_avx2(minima[g / 4], g % 4));
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void
unpack_avx2(void *unpacked, const uint8_t *w, size_t index, size_t stride,
              const uint8_t *ahead) {
  panel_avx2 *panel = unpacked;
  w += index * sizeof(block);
  const __m256i four = _mm256_set1_epi8(15);
  __m256i columns[4];
  moe_transpose_avx2(w, stride, &ahead, columns);
  /* Scales in the lower halves of lanes, minima in the upper ones. */
  __m256i scale = _mm256_and_si256(columns[0], _mm256_set1_epi32(0xffff));
  __m256i halves = _mm256_packus_epi32(scale, _mm256_srli_epi32(columns[0], 16));
  halves = _mm256_permute4x64_epi64(halves, 0xd8);
  _mm256_store_ps(panel->scale, _mm256_cvtph_ps(_mm256_castsi256_si128(halves)));
  _mm256_store_ps(panel->minimum, _mm256_cvtph_ps(_mm256_extracti128_si256(halves, 1)));
  unpack_factors_panel_avx2(panel, columns[1], columns[2], columns[3]);
  for (int k = 0; k < ELEMENTS / 32; k++) {
    moe_transpose_avx2(w + offsetof(block, quants) + k * 16, stride, &ahead, columns);
    for (int j = 0; j < 4; j++) {
      int low = k / 2 * 16 + k % 2 * 4 + j, high = low + GROUP_ELEMENTS / 4;
      _mm256_store_si256((__m256i *)panel->quants[low], _mm256_and_si256(columns[j], four));
      _mm256_store_si256((__m256i *)panel->quants[high],
                         _mm256_and_si256(_mm256_srli_epi16(columns[j], 4), four));
    }
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 add_panel_block_avx2(__m256 sum, __m256i products,
                                                              const uint8_t *unpacked,
                                                              const moe_panel_tile *tile, int t,
                                                              size_t index) {
  const panel_avx2 *panel = (const panel_avx2 *)unpacked;
  __m256i below = _mm256_setzero_si256();
  size_t offset = moe_panel_sums_offset(tile, index);
  for (int g = 0; g < GROUPS; g++) {
    __m256i x = moe_panel_x_avx2(tile, t, offset + (size_t)g * 4);
    below = _mm256_add_epi32(below, _mm256_madd_epi16(moe_load_256_avx2(panel->minima[g]), x));
  }
  __m256 value = _mm256_fmsub_ps(
      _mm256_load_ps(panel->scale), _mm256_cvtepi32_ps(products),
      _mm256_mul_ps(_mm256_load_ps(panel->minimum), _mm256_cvtepi32_ps(below)));
  return _mm256_fmadd_ps(value, _mm256_set1_ps(moe_panel_x_scale(tile, t, index)), sum);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_panel_tile *tile, int panels,
                                                 int tokens) {
  (void)panels; /* always one */
  enum { STEPS = 8 };
  _Static_assert(STEPS * 2 * 15 * 128 < 1 << 15, "sums of products fit in 16 bits");
  moe_panel_tile_avx2(add_panel_block_avx2, tile, GROUP_ELEMENTS, STEPS, 0, tokens);
}

MOE_PANEL_PRODUCT(q4_k, avx2, AVX2, sizeof(block), ELEMENTS)
MOE_PANEL_PRODUCT(q4_k, avx512, AVX512, sizeof(block), ELEMENTS)

#elif defined(__aarch64__)

/* Products of one block by the scales of its groups, as 4 sums for each token. x: the first
 * token's quants of the block. */
MOE_ALWAYS_INLINE void products_neon(const block *w, uint64_t scales, const uint8_t *x,
                                     size_t x_stride, int tokens, moe_dot_neon_fn dot,
                                     int32x4_t products[]) {
  const int32x4_t zero = vdupq_n_s32(0);
  const uint8x16_t low_bits = vdupq_n_u8(15);
  for (int t = 0; t < tokens; t++) products[t] = zero;
#pragma clang loop unroll(full)
  for (int k = 0; k < GROUPS / 2; k++) {
    uint8x16_t bytes0 = vld1q_u8(w->quants + k * GROUP_ELEMENTS);
    uint8x16_t bytes1 = vld1q_u8(w->quants + k * GROUP_ELEMENTS + 16);
    int8x16_t low0 = vreinterpretq_s8_u8(vandq_u8(bytes0, low_bits));
    int8x16_t low1 = vreinterpretq_s8_u8(vandq_u8(bytes1, low_bits));
    int8x16_t high0 = vreinterpretq_s8_u8(vshrq_n_u8(bytes0, 4));
    int8x16_t high1 = vreinterpretq_s8_u8(vshrq_n_u8(bytes1, 4));
    int32_t low_scale = (int32_t)(scales >> (16 * k) & 0xff);
    int32_t high_scale = (int32_t)(scales >> (16 * k + 8) & 0xff);
    for (int t = 0; t < tokens; t++) {
      const int8_t *values =
          (const int8_t *)x + (size_t)t * x_stride + k * 2 * GROUP_ELEMENTS;
      int32x4_t low = dot(dot(zero, low0, vld1q_s8(values)), low1, vld1q_s8(values + 16));
      int32x4_t high = dot(dot(zero, high0, vld1q_s8(values + 32)), high1, vld1q_s8(values + 48));
      products[t] = vmlaq_n_s32(products[t], low, low_scale);
      products[t] = vmlaq_n_s32(products[t], high, high_scale);
    }
  }
}

/* Sums of one block's activations by the minima of their groups. */
MOE_ALWAYS_INLINE int32_t minima_neon(const int16_t *x_sums, int16x8_t minima) {
  /* Activations are summed by 16. */
  int16x8_t sums = vpaddq_s16(vld1q_s16(x_sums), vld1q_s16(x_sums + 8));
  int32x4_t products = vmull_s16(vget_low_s16(sums), vget_low_s16(minima));
  return vaddvq_s32(vmlal_high_s16(products, sums, minima));
}

/* Block after block: its sums as integers, by the scales of the weights, by that of the
 * activations. */
MOE_ALWAYS_INLINE void tile_by_dot(const moe_tile *tile, int tokens, moe_dot_neon_fn dot) {
  float sums[MOE_TILE_TOKENS_MAX] = {0};
  for (size_t i = 0; i < tile->columns / ELEMENTS; i++) {
    const block *w = (const block *)tile->w + i;
    float scale = moe_load_f16_neon(w->scale), minimum = moe_load_f16_neon(w->minimum);
    moe_group_factors factors = moe_unpack_factors(w->packed);
    int16x8_t minima = vreinterpretq_s16_u16(vmovl_u8(vcreate_u8(factors.minima)));
    int32x4_t products[MOE_TILE_TOKENS_MAX];
    products_neon(w, factors.scales, tile->x + i * ELEMENTS, tile->x_stride, tokens, dot,
                  products);
    for (int t = 0; t < tokens; t++) {
      moe_q8_row x = moe_q8_k_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      float below = minimum * (float)minima_neon(x.sums + i * MOE_Q8_K_SUMS, minima);
      float value = fmaf(scale, (float)vaddvq_s32(products[t]), -below);
      sums[t] = fmaf(value, x.scales[i], sums[t]);
    }
  }
  for (int t = 0; t < tokens; t++) tile->y[(size_t)t * tile->y_stride] = sums[t];
}

MOE_NEON_PRODUCT(q4_k)

#endif

MOE_DEFINE_FORMAT(q4_k, "Q4_K", 12, ELEMENTS, sizeof(block), Q8_K, INTEGER)
