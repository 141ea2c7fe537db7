/* Q3_K: blocks of 256 in 16 groups of 16. An element is scale * (q - 4), with q of 3 bits; the
 * scale of a group has 6 bits, less 32, by a 16-bit float for all 16. Activations are Q8_K. */
#include "unpacked.h"

enum { ELEMENTS = 256, GROUPS = 16, GROUP_ELEMENTS = 16, QUANT_MAX = 7, OFFSET = 4 };

/* Elements come in two halves of 128, each in four runs of 32. Run k of a half has its low 2 bits
 * in bits 2k and 2k + 1 of the half's 32 bytes; the third bit of run k of half h is bit 4h + k of
 * the 32 high bytes. */
typedef struct {
  uint8_t high[ELEMENTS / 8];
  uint8_t low[ELEMENTS / 4];
  uint8_t packed[12]; /* 16 scales of 6 bits */
  uint8_t scale[2];   /* a 16-bit float */
} block;
_Static_assert(sizeof(block) == 110, "as in the file");
_Static_assert(_Alignof(block) == 1, "readable at any address");
enum { BLOCK_BYTES = sizeof(block) };

/* Scales 0...7 have their low 4 bits in the low halves of bytes 0...7, scales 8...15 in the high
 * ones; the upper 2 bits of scale 4k + i are bits 2k and 2k + 1 of byte 8 + i. */
MOE_ALWAYS_INLINE void unpack_scales(const uint8_t packed[12], moe_shorts_16 *scales) {
  uint32_t low0 = moe_load_u32(packed), low1 = moe_load_u32(packed + 4);
  uint32_t high = moe_load_u32(packed + 8), four[4];
  four[0] = (low0 & 0x0f0f0f0f) | (high << 4 & 0x30303030);
  four[1] = (low1 & 0x0f0f0f0f) | (high << 2 & 0x30303030);
  four[2] = (low0 >> 4 & 0x0f0f0f0f) | (high & 0x30303030);
  four[3] = (low1 >> 4 & 0x0f0f0f0f) | (high >> 2 & 0x30303030);
  moe_widen_bytes(scales, (const uint8_t *)four);
  *scales -= 32;
}

MOE_ALWAYS_INLINE void unpack(const uint8_t *blocks, size_t index, moe_unpacked_k *out,
                              const moe_unpack_level *level) {
  const block *b = (const block *)blocks + index;
  moe_bytes_32 low, high;
  memcpy(&high, b->high, sizeof high);
#pragma clang loop unroll(full)
  for (int run = 0; run < ELEMENTS / 32; run++) {
    memcpy(&low, b->low + run / 4 * 32, sizeof low);
    moe_bytes_32 quants = (low >> (run % 4 * 2) & 3) | (high >> run & 1) << 2;
    memcpy(out->quants + run * 32, &quants, sizeof quants);
  }
  moe_shorts_16 scales;
  unpack_scales(b->packed, &scales);
  moe_set_scales(out, (const moe_words_8 *)&scales, OFFSET);
  out->scale = level->half(b->scale);
}

#include "unpacked_k.h"

MOE_UNPACKED_PRODUCTS(q3_k, BLOCK_BYTES, ELEMENTS)
MOE_DEFINE_FORMAT(q3_k, "Q3_K", 11, ELEMENTS, BLOCK_BYTES, Q8_K, INTEGER)
