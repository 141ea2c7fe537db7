/* IQ4_XS: blocks of 256 in 8 groups of 32. An element is scale * v, where v is one of 16 values;
 * the scale of a group has 6 bits, less 32, by a 16-bit float for all 8. Activations are Q8_K. */
#include "unpacked.h"

enum {
  ELEMENTS = 256,
  GROUPS = 8,
  GROUP_ELEMENTS = 32,
  QUANT_MAX = MOE_IQ4_QUANT_MAX,
  OFFSET = MOE_IQ4_OFFSET,
};

typedef struct {
  uint8_t scale[2];
  uint8_t high[2];              /* bits 2g and 2g + 1 are the upper ones of group g's scale */
  uint8_t low[GROUPS / 2];      /* the lower 4 bits of group 2k's scale, and of 2k + 1's */
  uint8_t quants[ELEMENTS / 2]; /* 16 bytes a group: elements 0...15 low, 16...31 high */
} block;
_Static_assert(sizeof(block) == 136, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
#pragma clang loop unroll(full)
  for (int g = 0; g < GROUPS; g++) {
    moe_bytes_32 quants;
    moe_load_halves(&quants, b->quants + g * 16);
    level->look_up(&quants, moe_iq4_table);
    memcpy(out->quants + g * GROUP_ELEMENTS, &quants, sizeof quants);
  }
  moe_words_8 low = (moe_words_8){0} + moe_load_u32(b->low);
  moe_words_8 high = (moe_words_8){0} + moe_load_u16(b->high);
  low = low >> (moe_words_8){0, 4, 8, 12, 16, 20, 24, 28} & 15;
  high = high >> (moe_words_8){0, 2, 4, 6, 8, 10, 12, 14} & 3;
  moe_words_8 scales = (low | high << 4) - 32;
  moe_set_scales_32(out, &scales, OFFSET);
  out->scale = level->half(b->scale);
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(iq4_xs, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(iq4_xs, "IQ4_XS", 23, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
