/* F16: IEEE 754 binary16. Activations stay floats. */
#include "floats.h"
#include "products.h"

static float load_1(const uint8_t *weight) { return moe_float_from_f16(moe_load_u16(weight)); }

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (size_t i = 0; i < elements; i++) out[i] = load_1(blocks + i * 2);
}

static float value_scalar(const uint8_t *w, const uint8_t *x, size_t columns) {
  return moe_floats_value_scalar(load_1, 2, w, x, columns);
}

MOE_SCALAR_PRODUCT(f16)

#if defined(__x86_64__)

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 load_8(const uint8_t *weights) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)weights));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  moe_floats_tile_avx2(load_8, 2, tile, tokens);
}

MOE_TILED_PRODUCT(f16, avx2, MOE_TARGET_AVX2)

#elif defined(__aarch64__)

MOE_ALWAYS_INLINE float32x4x2_t load_8(const uint8_t *weights) {
  return moe_load_8_f16_neon(weights);
}

MOE_ALWAYS_INLINE void tile_neon(const moe_tile *tile, int tokens) {
  moe_floats_tile_neon(load_8, 2, tile, tokens);
}

MOE_TILED_PRODUCT(f16, neon, )

#endif

MOE_DEFINE_FORMAT(f16, "F16", 1, 1, 2, F32, FLOAT)
