/* TERNARY: rows of the three values zero, low and high (QMoE, arXiv 2310.16795, section 3), in two
 * bits for each. Bundles alone have it. */
#include "ternary.h"

static void dequantize(const uint8_t *row, float *out, size_t columns) {
  moe_ternary_levels levels = moe_ternary_levels_at(row);
  for (size_t c = 0; c < columns; c++) {
    const uint8_t *group = row + MOE_TERNARY_ROW_BYTES +
                           c / MOE_TERNARY_GROUP * MOE_TERNARY_GROUP_BYTES;
    uint32_t bit = c % MOE_TERNARY_GROUP;
    float low = moe_load_u32(group) >> bit & 1 ? levels.low : 0;
    out[c] = moe_load_u32(group + 4) >> bit & 1 ? levels.high : low;
  }
}

static float value_scalar(const uint8_t *w, const uint8_t *x, size_t columns) {
  return moe_ternary_value_scalar(w, x, columns);
}

MOE_SCALAR_PRODUCT(ternary)

#if defined(__x86_64__)

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 void tile_avx2(const moe_tile *tile, int tokens) {
  moe_ternary_tile_avx2(tile, tokens);
}

MOE_ALWAYS_INLINE MOE_TARGET_AVX512 void tile_avx512(const moe_tile *tile, int tokens) {
  moe_ternary_tile_avx512(tile, tokens);
}

MOE_TILED_PRODUCT(ternary, avx2, MOE_TARGET_AVX2)
MOE_TILED_PRODUCT(ternary, avx512, MOE_TARGET_AVX512)

#endif

MOE_DEFINE_ROW_FORMAT(ternary, "TERNARY", 0x4D6F0001, MOE_TERNARY_ROW_BYTES,
                      MOE_TERNARY_GROUP_BYTES, 4, Q13, TERNARY)
