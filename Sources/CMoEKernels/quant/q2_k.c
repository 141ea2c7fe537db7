/* Q2_K: blocks of 256 in 16 groups of 16. An element is scale * q - minimum, with q of 2 bits;
 * scale and minimum of a group have 4 bits, by a 16-bit float for all 16. Activations are Q8_K. */
#include "unpacked.h"

enum { ELEMENTS = 256, GROUPS = 16, GROUP_ELEMENTS = 16, QUANT_MAX = 3, OFFSET = 0 };

/* Elements come in two halves of 128, each in four runs of 32: run k of a half has bits 2k and
 * 2k + 1 of the half's 32 bytes. */
typedef struct {
  uint8_t factors[GROUPS]; /* scales in the low halves, minima in the high ones */
  uint8_t quants[ELEMENTS / 4];
  uint8_t scale[2], minimum[2]; /* 16-bit floats */
} block;
_Static_assert(sizeof(block) == 84, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 bytes;
#pragma clang loop unroll(full)
  for (int run = 0; run < ELEMENTS / 32; run++) {
    memcpy(&bytes, b->quants + run / 4 * 32, sizeof bytes);
    moe_bytes_32 quants = bytes >> (run % 4 * 2) & 3;
    memcpy(out->quants + run * 32, &quants, sizeof quants);
  }
  moe_shorts_16 factors;
  moe_widen_bytes(&factors, b->factors);
  moe_shorts_16 scales = factors & 15, minima = factors >> 4;
  memcpy(out->scales, &scales, sizeof scales);
  memcpy(out->minima, &minima, sizeof minima);
  out->scale = level->half(b->scale);
  out->minimum = level->half(b->minimum);
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(q2_k, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(q2_k, "Q2_K", 10, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
