/* Q4_K: blocks of 256 in 8 groups of 32. An element is scale * q - minimum, with q of 4 bits; scale
 * and minimum of a group have 6 bits, by a 16-bit float for all 8. Activations are Q8_K. */
#include "tile.h"
#include "x86.h"

enum { ELEMENTS = 256, GROUPS = 8, GROUP_ELEMENTS = 32 };

typedef struct {
  uint8_t scale[2], minimum[2]; /* 16-bit floats */
  uint8_t packed[12];           /* 8 scales and 8 minima of 6 bits */
  uint8_t quants[ELEMENTS / 2]; /* group 2k in the low halves of bytes 32k ..< 32k + 32, 2k + 1 in
                                   the high ones */
} block;
_Static_assert(sizeof(block) == 144, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");

/* Scales and minima of the groups, a byte each, in group order. */
typedef struct {
  uint64_t scales, minima;
} group_factors;

/* Groups 0...3 have their 6 bits in bytes 0...3 (scales) and 4...7 (minima); groups 4...7 have the
 * low 4 bits in bytes 8...11 (scale low, minimum high) and the others on top of bytes 0...7. */
MOE_ALWAYS_INLINE group_factors unpack_factors(const uint8_t packed[12]) {
  uint32_t a = moe_load_u32(packed), b = moe_load_u32(packed + 4), c = moe_load_u32(packed + 8);
  uint32_t high_scales = (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030);
  uint32_t high_minima = (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030);
  return (group_factors){(uint64_t)high_scales << 32 | (a & 0x3f3f3f3f),
                         (uint64_t)high_minima << 32 | (b & 0x3f3f3f3f)};
}

static int quant_at(const block *b, int group, int i) {
  return b->quants[group / 2 * GROUP_ELEMENTS + i] >> (group % 2 * 4) & 15;
}

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (const block *b = (const block *)blocks; elements > 0; b++, elements -= ELEMENTS) {
    float scale = moe_float_from_f16(moe_load_u16(b->scale));
    float minimum = moe_float_from_f16(moe_load_u16(b->minimum));
    group_factors factors = unpack_factors(b->packed);
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
  moe_q8_k_row x = moe_q8_k_row_at(x_row, columns);
  double sum = 0;
  for (size_t i = 0; i < columns / ELEMENTS; i++) {
    group_factors factors = unpack_factors(w[i].packed);
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

static void
moe_matmul_q4_k_scalar(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                       size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_matmul_by_value(value_scalar, &all, rows, tokens);
}

#if defined(__x86_64__)

/* Per block and token: products by group scale, summed over the groups as 8 integers; sums of
 * activations by group minimum, likewise; then both by their float scales, into 8 floats. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_x86(const moe_tile *tile, int tokens,
                                                moe_dot_fn dot) {
  __m256 sums[MOE_TILE_TOKENS_MAX];
  for (int t = 0; t < tokens; t++) sums[t] = _mm256_setzero_ps();
  const __m256i low_bits = _mm256_set1_epi8(15);
  for (size_t i = 0; i < tile->columns / ELEMENTS; i++) {
    const block *b = (const block *)tile->w + i;
    group_factors factors = unpack_factors(b->packed);
    __m128i scale_bytes = _mm_cvtsi64_si128((long long)factors.scales);
    __m128i minimum_bytes = _mm_cvtsi64_si128((long long)factors.minima);
    /* Each scale twice, as 16 bits: a pair is read back with one broadcast per group. */
    _Alignas(32) uint32_t scale_pairs[GROUPS];
    _mm256_store_si256((__m256i *)scale_pairs,
                       _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(scale_bytes, scale_bytes)));
    /* Each minimum twice, because activations are summed by 16. */
    __m256i minima = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(minimum_bytes, minimum_bytes));

    __m256i products[MOE_TILE_TOKENS_MAX];
    for (int t = 0; t < tokens; t++) products[t] = _mm256_setzero_si256();
    /* Unrolled, the compiler keeps four steps' vectors at once and spills: half as fast. */
#pragma clang loop unroll(disable)
    for (int k = 0; k < GROUPS / 2; k++) {
      __m256i bytes = moe_load_256_avx2(b->quants + k * GROUP_ELEMENTS);
      __m256i low = _mm256_and_si256(bytes, low_bits);
      __m256i high = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low_bits);
      __m256i low_scale = _mm256_set1_epi32((int)scale_pairs[2 * k]);
      __m256i high_scale = _mm256_set1_epi32((int)scale_pairs[2 * k + 1]);
      for (int t = 0; t < tokens; t++) {
        const uint8_t *x = tile->x + (size_t)t * tile->x_stride + i * ELEMENTS +
                           (size_t)k * 2 * GROUP_ELEMENTS;
        products[t] = dot(products[t], low, moe_load_256_avx2(x), low_scale);
        products[t] =
            dot(products[t], high, moe_load_256_avx2(x + GROUP_ELEMENTS), high_scale);
      }
    }
    __m256 scale = moe_broadcast_f16_avx2(b->scale);
    __m256 minimum = moe_broadcast_f16_avx2(b->minimum);
    for (int t = 0; t < tokens; t++) {
      moe_q8_k_row x = moe_q8_k_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      __m256i below = _mm256_madd_epi16(moe_load_256_avx2(x.sums + i * MOE_Q8_K_SUMS), minima);
      __m256 value = _mm256_fmsub_ps(scale, _mm256_cvtepi32_ps(products[t]),
                                     _mm256_mul_ps(minimum, _mm256_cvtepi32_ps(below)));
      sums[t] = _mm256_fmadd_ps(value, _mm256_broadcast_ss(x.scales + i), sums[t]);
    }
  }
  for (int t = 0; t < tokens; t++) {
    tile->y[(size_t)t * tile->y_stride] = moe_sum_lanes_avx2(sums[t]);
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  tile_x86(tile, tokens, moe_dot_avx2);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_tile *tile, int tokens) {
  tile_x86(tile, tokens, moe_dot_avx512);
}

static MOE_TARGET_AVX2 void
moe_matmul_q4_k_avx2(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                     size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_avx2, &all, rows, tokens);
}

static MOE_TARGET_AVX512 void
moe_matmul_q4_k_avx512(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                       size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_avx512, &all, rows, tokens);
}

#endif

const moe_format_definition moe_definition_q4_k = {
    .format = {.name = "Q4_K",
               .ggml_type = 12,
               .block_elements = ELEMENTS,
               .block_bytes = sizeof(block),
               .activation = MOE_ACTIVATION_Q8_K,
               .dequantize = dequantize},
    .matmul =
        {
            [MOE_ISA_SCALAR] = moe_matmul_q4_k_scalar,
#if defined(__x86_64__)
            [MOE_ISA_AVX2] = moe_matmul_q4_k_avx2,
            [MOE_ISA_AVX512] = moe_matmul_q4_k_avx512,
#endif
        },
};
