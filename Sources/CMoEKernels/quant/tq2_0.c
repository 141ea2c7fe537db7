/* TQ2_0: blocks of 256. An element is scale * (q - 1), with q of 2 bits, 0 to 2 in files that a
 * quantiser wrote; the scale is a 16-bit float. Activations are Q8_K. */
#include "unpacked.h"

enum { ELEMENTS = 256, GROUP_ELEMENTS = 32, QUANT_MAX = 3, OFFSET = 1 };

/* Elements come in two halves of 128, each in four runs of 32: run k of a half has bits 2k and
 * 2k + 1 of the half's 32 bytes. */
typedef struct {
  uint8_t quants[ELEMENTS / 4];
  uint8_t scale[2];
} block;
_Static_assert(sizeof(block) == 66, "as in the file");
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
  moe_words_8 ones = (moe_words_8){0} + 1;
  moe_set_scales_32(out, &ones, OFFSET);
  out->scale = level->half(b->scale);
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(tq2_0, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(tq2_0, "TQ2_0", 35, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
