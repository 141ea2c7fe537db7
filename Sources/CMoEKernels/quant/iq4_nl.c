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

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_0 *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 quants;
  moe_load_halves(&quants, b->quants);
  level->look_up(&quants, moe_iq4_table);
  memcpy(out->quants, &quants, sizeof quants);
  out->scales[0] = level->half(b->scale);
}

#include "unpacked_0.h"

MOE_UNPACKED_PRODUCTS(iq4_nl, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq4_nl, "IQ4_NL", 20, ELEMENTS, BLOCK_BYTES, Q8_0, INTEGER)
