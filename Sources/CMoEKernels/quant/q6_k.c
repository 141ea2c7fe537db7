/* Q6_K: blocks of 256 in 16 groups of 16. An element is scale * (q - 32), with q of 6 bits; the
 * scale of a group is a signed byte, by a 16-bit float for all 16. Activations are Q8_K. */
#include "tile.h"
#include "x86.h"

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
  moe_q8_k_row x = moe_q8_k_row_at(x_row, columns);
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

static void
moe_matmul_q6_k_scalar(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                       size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_matmul_by_value(value_scalar, &all, rows, tokens);
}

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

/* Per block and token: products with the unsigned quants by group scale, summed as 8 integers, less
 * 32 times the sums of activations by group scale; then by the float scales, into 8 floats. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_x86(const moe_tile *tile, int tokens,
                                                moe_dot_fn dot) {
  __m256 sums[MOE_TILE_TOKENS_MAX];
  for (int t = 0; t < tokens; t++) sums[t] = _mm256_setzero_ps();
  for (size_t i = 0; i < tile->columns / ELEMENTS; i++) {
    const block *b = (const block *)tile->w + i;
    __m128i scale_bytes = _mm_loadu_si128((const __m128i *)b->scales);
    __m256i scales = _mm256_cvtepi8_epi16(scale_bytes);
    /* Scales of even groups in the lower 128 bits, of odd ones in the upper, so that one shuffle
     * within them gives a run (two groups) its scales. */
    const __m128i even_odd =
        _mm_setr_epi8(0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15);
    __m256i by_run = _mm256_cvtepi8_epi16(_mm_shuffle_epi8(scale_bytes, even_odd));

    __m256i products[MOE_TILE_TOKENS_MAX];
    for (int t = 0; t < tokens; t++) products[t] = _mm256_setzero_si256();
    for (int half = 0; half < 2; half++) {
      __m256i runs[4];
      unpack_half_avx2(b, half, runs);
      for (int k = 0; k < 4; k++) {
        int index = (half * 4 + k) * 2;
        __m256i pick = _mm256_set1_epi16((short)(index | (index + 1) << 8));
        __m256i scale = _mm256_shuffle_epi8(by_run, pick);
        for (int t = 0; t < tokens; t++) {
          const uint8_t *x =
              tile->x + (size_t)t * tile->x_stride + i * ELEMENTS + (size_t)index * 16;
          products[t] = dot(products[t], runs[k], moe_load_256_avx2(x), scale);
        }
      }
    }
    __m256 scale = moe_broadcast_f16_avx2(b->scale);
    for (int t = 0; t < tokens; t++) {
      moe_q8_k_row x = moe_q8_k_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      __m256i offsets = _mm256_madd_epi16(moe_load_256_avx2(x.sums + i * MOE_Q8_K_SUMS), scales);
      /* Shifted by 5: times the offset of 32. */
      __m256i exact = _mm256_sub_epi32(products[t], _mm256_slli_epi32(offsets, 5));
      __m256 by_scale = _mm256_mul_ps(scale, _mm256_broadcast_ss(x.scales + i));
      sums[t] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(exact), by_scale, sums[t]);
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
moe_matmul_q6_k_avx2(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                     size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_avx2, &all, rows, tokens);
}

static MOE_TARGET_AVX512 void
moe_matmul_q6_k_avx512(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                       size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_avx512, &all, rows, tokens);
}

#endif

const moe_format_definition moe_definition_q6_k = {
    .format = {.name = "Q6_K",
               .ggml_type = 14,
               .block_elements = ELEMENTS,
               .block_bytes = sizeof(block),
               .activation = MOE_ACTIVATION_Q8_K,
               .dequantize = dequantize},
    .matmul =
        {
            [MOE_ISA_SCALAR] = moe_matmul_q6_k_scalar,
#if defined(__x86_64__)
            [MOE_ISA_AVX2] = moe_matmul_q6_k_avx2,
            [MOE_ISA_AVX512] = moe_matmul_q6_k_avx512,
#endif
        },
};
