/* F32: IEEE 754 binary32. Activations stay floats. */
#include "floats.h"

static float load_1(const uint8_t *weight) { return moe_float_from_bits(moe_load_u32(weight)); }

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (size_t i = 0; i < elements; i++) out[i] = load_1(blocks + i * 4);
}

static float value_scalar(const uint8_t *w, const uint8_t *x, size_t columns) {
  return moe_floats_value_scalar(load_1, 4, w, x, columns);
}

static void
moe_matmul_f32_scalar(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                      size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_matmul_by_value(value_scalar, &all, rows, tokens);
}

#if defined(__x86_64__)

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 load_8(const uint8_t *weights) {
  return _mm256_castsi256_ps(moe_load_256_avx2(weights));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  moe_floats_tile_avx2(load_8, 4, tile, tokens);
}

static MOE_TARGET_AVX2 void
moe_matmul_f32_avx2(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                    size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_avx2, &all, rows, tokens);
}

#elif defined(__aarch64__)

MOE_ALWAYS_INLINE float32x4x2_t load_8(const uint8_t *weights) {
  return (float32x4x2_t){{vreinterpretq_f32_u8(vld1q_u8(weights)),
                          vreinterpretq_f32_u8(vld1q_u8(weights + 16))}};
}

MOE_ALWAYS_INLINE void tile_neon(const moe_tile *tile, int tokens) {
  moe_floats_tile_neon(load_8, 4, tile, tokens);
}

static void
moe_matmul_f32_neon(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                    size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_neon, &all, rows, tokens);
}

#endif

const moe_format_definition moe_definition_f32 = {
    .format = {.name = "F32",
               .ggml_type = 0,
               .block_elements = 1,
               .block_bytes = 4,
               .activation = MOE_ACTIVATION_F32,
               .dequantize = dequantize},
    .matmul =
        {
            [MOE_ISA_SCALAR] = moe_matmul_f32_scalar,
#if defined(__x86_64__)
            [MOE_ISA_AVX2] = moe_matmul_f32_avx2,
#elif defined(__aarch64__)
            [MOE_ISA_NEON] = moe_matmul_f32_neon,
#endif
        },
};
