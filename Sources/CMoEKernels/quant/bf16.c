/* BF16: the upper half of IEEE 754 binary32. Activations stay floats. */
#include "floats.h"

static float load_1(const uint8_t *weight) { return moe_float_from_bf16(moe_load_u16(weight)); }

static void dequantize(const uint8_t *blocks, float *out, size_t elements) {
  for (size_t i = 0; i < elements; i++) out[i] = load_1(blocks + i * 2);
}

static float value_scalar(const uint8_t *w, const uint8_t *x, size_t columns) {
  return moe_floats_value_scalar(load_1, 2, w, x, columns);
}

static void
moe_matmul_bf16_scalar(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                       size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_matmul_by_value(value_scalar, &all, rows, tokens);
}

#if defined(__x86_64__)

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m256 load_8(const uint8_t *weights) {
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)weights));
  return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  moe_floats_tile_avx2(load_8, 2, tile, tokens);
}

static MOE_TARGET_AVX2 void
moe_matmul_bf16_avx2(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                     size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_avx2, &all, rows, tokens);
}

#elif defined(__aarch64__)

MOE_ALWAYS_INLINE float32x4x2_t load_8(const uint8_t *weights) {
  uint16x8_t halves = vreinterpretq_u16_u8(vld1q_u8(weights));
  return (float32x4x2_t){{vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(halves), 16)),
                          vreinterpretq_f32_u32(vshll_high_n_u16(halves, 16))}};
}

MOE_ALWAYS_INLINE void tile_neon(const moe_tile *tile, int tokens) {
  moe_floats_tile_neon(load_8, 2, tile, tokens);
}

static void
moe_matmul_bf16_neon(const uint8_t *w, size_t w_stride, size_t rows, const uint8_t *x,
                     size_t x_stride, size_t tokens, size_t columns, float *y, size_t y_stride) {
  moe_tile all = {w, w_stride, x, x_stride, columns, y, y_stride};
  moe_tiled_matmul(tile_neon, &all, rows, tokens);
}

#endif

const moe_format_definition moe_definition_bf16 = {
    .format = {.name = "BF16",
               .ggml_type = 30,
               .block_elements = 1,
               .block_bytes = 2,
               .activation = MOE_ACTIVATION_F32,
               .dequantize = dequantize},
    .matmul =
        {
            [MOE_ISA_SCALAR] = moe_matmul_bf16_scalar,
#if defined(__x86_64__)
            [MOE_ISA_AVX2] = moe_matmul_bf16_avx2,
#elif defined(__aarch64__)
            [MOE_ISA_NEON] = moe_matmul_bf16_neon,
#endif
        },
};
