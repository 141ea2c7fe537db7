/* BF16: the upper half of IEEE 754 binary32. Activations stay floats. */
#include "floats.h"
#include "products.h"

static float load_1(const uint8_t *weight) { return moe_float_from_bf16(moe_load_u16(weight)); }

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (size_t i = 0; i < elements; i++) out[i] = load_1(blocks + i * 2);
}

static float value_scalar(const uint8_t *w, const uint8_t *x, size_t columns) {
  return moe_floats_value_scalar(load_1, 2, w, x, columns);
}

MOE_SCALAR_PRODUCT(bf16)

#if defined(__x86_64__)

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 load_8(const uint8_t *weights) {
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)weights));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  moe_floats_tile_avx2(load_8, 2, tile, tokens);
}

MOE_TILED_PRODUCT(bf16, avx2, MOE_TARGET_AVX2)

#elif defined(__aarch64__)

MOE_ALWAYS_INLINE float32x4x2_t load_8(const uint8_t *weights) {
  uint16x8_t halves = vreinterpretq_u16_u8(vld1q_u8(weights));
  return (float32x4x2_t){{vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(halves), 16)),
                          vreinterpretq_f32_u32(vshll_high_n_u16(halves, 16))}};
}

MOE_ALWAYS_INLINE void tile_neon(const moe_tile *tile, int tokens) {
  moe_floats_tile_neon(load_8, 2, tile, tokens);
}

MOE_TILED_PRODUCT(bf16, neon, )

#endif

MOE_DEFINE_FORMAT(bf16, "BF16", 30, 1, 2, F32, FLOAT)
