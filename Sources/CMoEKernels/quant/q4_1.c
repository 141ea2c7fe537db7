/* Q4_1: blocks of 32. An element is scale * q + minimum, with q of 4 bits; both are 16-bit floats.
 * Activations are Q8_0. */
#include "unpacked.h"

enum { ELEMENTS = 32, GROUP_ELEMENTS = 32, QUANT_MAX = 15, OFFSET = 0 };

typedef struct {
  uint8_t scale[2], minimum[2];
  uint8_t quants[ELEMENTS / 2]; /* elements 0...15 in the low halves, 16...31 in the high ones */
} block;
_Static_assert(sizeof(block) == 20, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

static const uint8_t *const table = NULL;

MOE_ALWAYS_INLINE float scale_of(const block *b, const moe_unpack_level *level) {
  return level->half(b->scale);
}

MOE_ALWAYS_INLINE float minimum_of(const block *b, const moe_unpack_level *level) {
  return -level->half(b->minimum);
}

#include "nibbles_0.h"

MOE_UNPACKED_PRODUCTS(q4_1, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(q4_1, "Q4_1", 3, ELEMENTS, BLOCK_BYTES, Q8_0, INTEGER)
