/* MXFP4: blocks of 32 with one scale, a power of two. An element is scale * e, where e is a float
 * of 4 bits (E2M1): 0, 0.5, 1, 1.5, 2, 3, 4 or 6, or one of these negated. Activations are Q8_0. */
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

/* Half of 2^(exponent - 127); the two smallest are subnormal. */
MOE_ALWAYS_INLINE float half_scale(uint32_t exponent) {
  return moe_float_from_bits(exponent < 2 ? 0x00200000u << exponent : (exponent - 1) << 23);
}

static const uint8_t *const table = moe_e2m1_table;

MOE_ALWAYS_INLINE float scale_of(const block *b, const moe_unpack_level *level) {
  (void)level;
  return half_scale(b->exponent);
}

MOE_ALWAYS_INLINE float minimum_of(const block *b, const moe_unpack_level *level) {
  (void)b, (void)level;
  return 0;
}

#include "nibbles_0.h"

MOE_UNPACKED_PRODUCTS(mxfp4, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(mxfp4, "MXFP4", 39, ELEMENTS, BLOCK_BYTES, Q8_0, INTEGER)
