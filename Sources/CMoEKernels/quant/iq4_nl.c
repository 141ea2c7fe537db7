/* IQ4_NL: blocks of 32. An element is scale * v, where v is one of 16 values; the scale is a 16-bit
 * float. Activations are Q8_0. */
#include "unpacked.h"

enum { ELEMENTS = 32, GROUP_ELEMENTS = 32, QUANT_MAX = MOE_IQ4_QUANT_MAX, OFFSET = MOE_IQ4_OFFSET };

typedef struct {
  uint8_t scale[2];
  uint8_t quants[ELEMENTS / 2]; /* elements 0...15 in the low halves, 16...31 in the high ones */
} block;
_Static_assert(sizeof(block) == 18, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

static const uint8_t *const table = moe_iq4_table;

MOE_ALWAYS_INLINE float scale_of(const block *b, const moe_unpack_level *level) {
  return level->half(b->scale);
}

MOE_ALWAYS_INLINE float minimum_of(const block *b, const moe_unpack_level *level) {
  (void)b, (void)level;
  return 0;
}

#include "nibbles_0.h"

MOE_UNPACKED_PRODUCTS(iq4_nl, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq4_nl, "IQ4_NL", 20, ELEMENTS, BLOCK_BYTES, Q8_0, INTEGER)
