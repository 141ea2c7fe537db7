/* Q8_0: blocks of 32 signed bytes with one 16-bit float scale. Activations are Q8_0 too. */
#include "unpacked.h"

enum { ELEMENTS = 32, GROUP_ELEMENTS = 32, QUANT_MAX = 255, OFFSET = 128 };

typedef struct {
  uint8_t scale[2];
  uint8_t quants[ELEMENTS];
} block;
_Static_assert(sizeof(block) == 34, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_0 *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 quants;
  memcpy(&quants, b->quants, sizeof quants);
  quants ^= OFFSET;
  memcpy(out->quants, &quants, sizeof quants);
  out->scales[0] = level->half(b->scale);
}

#include "unpacked_0.h"

MOE_UNPACKED_PRODUCTS(q8_0, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(q8_0, "Q8_0", 8, ELEMENTS, BLOCK_BYTES, Q8_0, INTEGER)
