/* Q8_0: blocks of 32 signed bytes with one 16-bit float scale. Activations are Q8_0 too. */
#include "products.h"

enum { ELEMENTS = 32 };

typedef struct {
  uint8_t scale[2];
  int8_t quants[ELEMENTS];
} block;
_Static_assert(sizeof(block) == 34, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (size_t i = 0; i < elements; i++) {
    const block *b = (const block *)blocks + i / ELEMENTS;
    out[i] = (float)b->quants[i % ELEMENTS] * moe_float_from_f16(moe_load_u16(b->scale));
  }
}

static float value_scalar(const uint8_t *w_row, const uint8_t *x_row, size_t columns) {
  const block *w = (const block *)w_row;
  moe_q8_row x = moe_q8_0_row_at(x_row, columns);
  double sum = 0;
  for (size_t i = 0; i < columns / ELEMENTS; i++) {
    int32_t products = 0;
    for (size_t j = 0; j < ELEMENTS; j++) {
      products += (int32_t)w[i].quants[j] * x.quants[i * ELEMENTS + j];
    }
    float scale = moe_float_from_f16(moe_load_u16(w[i].scale));
    sum += (double)products * ((double)scale * (double)x.scales[i]);
  }
  return (float)sum;
}

MOE_SCALAR_PRODUCT(q8_0)

#if defined(__x86_64__)

/* Per block and token: the sum of products as 8 integers, times both scales, added to 8 floats. */
MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_x86(const moe_tile *tile, int tokens,
                                                moe_dot_plain_fn dot) {
  __m256 sums[MOE_TILE_TOKENS_MAX];
  for (int t = 0; t < tokens; t++) sums[t] = _mm256_setzero_ps();
  for (size_t i = 0; i < tile->columns / ELEMENTS; i++) {
    const block *b = (const block *)tile->w + i;
    if (tokens == 1) moe_prefetch_ahead(b, sizeof(block));
    __m256 w_scale = moe_broadcast_f16_avx2(b->scale);
    /* One factor must be unsigned: the weights give their signs to the activations. */
    __m256i w = moe_load_256_avx2(b->quants);
    __m256i magnitude = _mm256_sign_epi8(w, w);
    for (int t = 0; t < tokens; t++) {
      moe_q8_row x = moe_q8_0_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      __m256i signed_x = _mm256_sign_epi8(moe_load_256_avx2(x.quants + i * ELEMENTS), w);
      __m256 products = _mm256_cvtepi32_ps(dot(magnitude, signed_x));
      __m256 scale = _mm256_mul_ps(w_scale, _mm256_broadcast_ss(x.scales + i));
      sums[t] = _mm256_fmadd_ps(products, scale, sums[t]);
    }
  }
  for (int t = 0; t < tokens; t++) {
    tile->y[(size_t)t * tile->y_stride] = moe_sum_lanes_avx2(sums[t]);
  }
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  tile_x86(tile, tokens, moe_dot_plain_avx2);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_tile *tile, int tokens) {
  tile_x86(tile, tokens, moe_dot_plain_avx512);
}

MOE_TILED_PRODUCT(q8_0, avx2, MOE_TARGET_AVX2)
MOE_TILED_PRODUCT(q8_0, avx512, MOE_TARGET_AVX512)

#elif defined(__aarch64__)

/* As on x86-64: 8 integers per block and token, times both scales, added to 8 floats. */
MOE_ALWAYS_INLINE void tile_by_dot(const moe_tile *tile, int tokens, moe_dot_neon_fn dot) {
  const int32x4_t zero = vdupq_n_s32(0);
  float32x4x2_t sums[MOE_TILE_TOKENS_MAX];
  for (int t = 0; t < tokens; t++) sums[t] = moe_broadcast_8_neon(0);
  for (size_t i = 0; i < tile->columns / ELEMENTS; i++) {
    const block *b = (const block *)tile->w + i;
    float w_scale = moe_load_f16_neon(b->scale);
    int8x16_t w0 = vld1q_s8(b->quants), w1 = vld1q_s8(b->quants + 16);
    for (int t = 0; t < tokens; t++) {
      moe_q8_row x = moe_q8_0_row_at(tile->x + (size_t)t * tile->x_stride, tile->columns);
      const int8_t *quants = x.quants + i * ELEMENTS;
      float32x4x2_t products = {{vcvtq_f32_s32(dot(zero, w0, vld1q_s8(quants))),
                                 vcvtq_f32_s32(dot(zero, w1, vld1q_s8(quants + 16)))}};
      float32x4x2_t scale = moe_broadcast_8_neon(w_scale * x.scales[i]);
      sums[t] = moe_fma_8_neon(sums[t], products, scale);
    }
  }
  for (int t = 0; t < tokens; t++) {
    tile->y[(size_t)t * tile->y_stride] = moe_sum_lanes_neon(sums[t]);
  }
}

MOE_NEON_PRODUCT(q8_0)

#endif

MOE_DEFINE_FORMAT(q8_0, "Q8_0", 8, ELEMENTS, sizeof(block), Q8_0, INTEGER)
