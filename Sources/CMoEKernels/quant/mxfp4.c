/* MXFP4: blocks of 32 with one scale, a power of two. An element is scale * e, where e is a float
 * of 4 bits (E2M1): 0, 0.5, 1, 1.5, 2, 3, 4 or 6, or one of these negated. Activations are Q8_0. */
#include "rows.h"
#include "unpacked.h"

/* Quants are twice the floats, plus 12; so scales are halved. */
enum { ELEMENTS = 32, GROUP_ELEMENTS = 32, QUANT_MAX = 24, OFFSET = 12 };

typedef struct {
  uint8_t exponent;             /* of the scale, plus 127 (E8M0) */
  uint8_t quants[ELEMENTS / 2]; /* elements 0...15 in the low halves, 16...31 in the high ones */
} block;
_Static_assert(sizeof(block) == 17, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

/* Half of 2^(exponent - 127) by its bits; the two smallest are subnormal. */
#define HALF_SCALE(e) ((e) < 2 ? 0x00200000u << ((e) & 1) : ((e) - 1u) << 23)
#define HALF_SCALES_4(e) HALF_SCALE(e), HALF_SCALE(e + 1), HALF_SCALE(e + 2), HALF_SCALE(e + 3)
#define HALF_SCALES_16(e) \
  HALF_SCALES_4(e), HALF_SCALES_4(e + 4), HALF_SCALES_4(e + 8), HALF_SCALES_4(e + 12)
#define HALF_SCALES_64(e) \
  HALF_SCALES_16(e), HALF_SCALES_16(e + 16), HALF_SCALES_16(e + 32), HALF_SCALES_16(e + 48)

static const uint32_t half_scales[256] = {HALF_SCALES_64(0u), HALF_SCALES_64(64u),
                                          HALF_SCALES_64(128u), HALF_SCALES_64(192u)};

static const uint8_t *const table = moe_e2m1_table;

MOE_ALWAYS_INLINE float scale_of(const block *b, const moe_unpack_level *level) {
  (void)level;
  return moe_float_from_bits(half_scales[b->exponent]);
}

MOE_ALWAYS_INLINE float minimum_of(const block *b, const moe_unpack_level *level) {
  (void)b, (void)level;
  return 0;
}

#if defined(__x86_64__)

#define MOE_HAS_FOUR_SCALES

MOE_ALWAYS_INLINE MOE_TARGET_AVX2 __m128 four_scales(const block *b, int blocks) {
  float scales[MOE_ROW_BLOCKS] = {0};
#pragma clang loop unroll(full)
  for (int i = 0; i < blocks; i++) scales[i] = scale_of(b + i, &moe_unpack_avx2);
  return _mm_loadu_ps(scales);
}

#endif

#include "nibbles_0.h"

MOE_UNPACKED_PRODUCTS(mxfp4, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(mxfp4, "MXFP4", 39, ELEMENTS, BLOCK_BYTES, Q8_0, INTEGER)
