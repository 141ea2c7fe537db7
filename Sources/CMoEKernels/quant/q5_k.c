/* Q5_K: blocks of 256 in 8 groups of 32. An element is scale * q - minimum, with q of 5 bits; scale
 * and minimum of a group have 6 bits, by a 16-bit float for all 8. Activations are Q8_K. */
#include "unpacked.h"

enum { ELEMENTS = 256, GROUPS = 8, GROUP_ELEMENTS = 32, QUANT_MAX = 31, OFFSET = 0 };

typedef struct {
  uint8_t scale[2], minimum[2];  /* 16-bit floats */
  uint8_t packed[12];            /* 8 scales and 8 minima of 6 bits */
  uint8_t high[GROUP_ELEMENTS];  /* bit g of byte i is the fifth of element i of group g */
  uint8_t quants[ELEMENTS / 2];  /* group 2k in the low halves of bytes 32k ..< 32k + 32, 2k + 1 in
                                    the high ones */
} block;
_Static_assert(sizeof(block) == 176, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 high, bytes;
  memcpy(&high, b->high, sizeof high);
#pragma clang loop unroll(full)
  for (int k = 0; k < GROUPS / 2; k++) {
    memcpy(&bytes, b->quants + k * GROUP_ELEMENTS, sizeof bytes);
    moe_bytes_32 even = (bytes & 15) | (high >> (2 * k) & 1) << 4;
    moe_bytes_32 odd = bytes >> 4 | (high >> (2 * k + 1) & 1) << 4;
    memcpy(out->quants + 2 * k * GROUP_ELEMENTS, &even, sizeof even);
    memcpy(out->quants + (2 * k + 1) * GROUP_ELEMENTS, &odd, sizeof odd);
  }
  moe_group_factors factors = moe_unpack_factors(b->packed);
  moe_words_8 scales, minima;
  moe_widen_bytes_8(&scales, (const uint8_t *)&factors.scales);
  moe_widen_bytes_8(&minima, (const uint8_t *)&factors.minima);
  scales *= 0x10001;
  minima *= 0x10001;
  memcpy(out->scales, &scales, sizeof scales);
  memcpy(out->minima, &minima, sizeof minima);
  out->scale = level->half(b->scale);
  out->minimum = level->half(b->minimum);
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(q5_k, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(q5_k, "Q5_K", 13, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
