/* Q5_0: blocks of 32. An element is scale * (q - 16), with q of 5 bits; the scale is a 16-bit
 * float. Activations are Q8_0. */
#include "unpacked.h"

enum { ELEMENTS = 32, GROUP_ELEMENTS = 32, QUANT_MAX = 31, OFFSET = 16 };

typedef struct {
  uint8_t scale[2];
  uint8_t high[ELEMENTS / 8];   /* bit i is the fifth of element i */
  uint8_t quants[ELEMENTS / 2]; /* elements 0...15 in the low halves, 16...31 in the high ones */
} block;
_Static_assert(sizeof(block) == 22, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_0 *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 quants, high;
  moe_load_halves(&quants, b->quants);
  level->spread(&high, moe_load_u32(b->high));
  quants |= high & 16;
  memcpy(out->quants, &quants, sizeof quants);
  out->scales[0] = level->half(b->scale);
}

#include "unpacked_0.h"

MOE_UNPACKED_PRODUCTS(q5_0, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(q5_0, "Q5_0", 6, ELEMENTS, BLOCK_BYTES, Q8_0, INTEGER)
