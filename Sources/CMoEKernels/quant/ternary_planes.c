/* Ternary digits sorted for a coder of single bytes: where digits are not zero has few ones, which
 * it codes well; whether these are low or high is random. */
#include "half.h"
#include "moe_qmoe.h"

size_t moe_ternary_split(const uint8_t *digits, size_t groups, uint8_t *nonzero, uint8_t *signs,
                         size_t signs_end) {
  for (size_t i = 0; i < groups; i++, digits += MOE_TERNARY_GROUP_BYTES) {
    uint32_t high = moe_load_u32(digits + 4), any = moe_load_u32(digits) | high;
    memcpy(nonzero + 4 * i, &any, sizeof any);
    for (; any != 0; any &= any - 1, signs_end++) {
      uint32_t bit = high >> __builtin_ctz(any) & 1;
      signs[signs_end / 8] |= (uint8_t)(bit << signs_end % 8);
    }
  }
  return signs_end;
}

/* At least 32 bits from one on, those behind the last byte being 0. */
MOE_ALWAYS_INLINE uint64_t bits_at(const uint8_t *bytes, size_t byte_count, size_t bit) {
  uint64_t word = 0;
  size_t first = bit / 8, rest = byte_count - first;
  memcpy(&word, bytes + first, rest < sizeof word ? rest : sizeof word);
  return word >> bit % 8;
}

size_t moe_ternary_join(const uint8_t *nonzero, size_t groups, const uint8_t *signs,
                        size_t sign_bytes, size_t signs_start, uint8_t *digits) {
  size_t bit = signs_start;
  for (size_t i = 0; i < groups; i++, digits += MOE_TERNARY_GROUP_BYTES) {
    uint32_t any = moe_load_u32(nonzero + 4 * i), high = 0;
    size_t count = (size_t)__builtin_popcount(any);
    if (count > 8 * sign_bytes - bit) return SIZE_MAX;
    uint64_t own = bits_at(signs, sign_bytes, bit);
    for (uint32_t rest = any; rest != 0; rest &= rest - 1, own >>= 1) {
      high |= (rest & -rest) & -(uint32_t)(own & 1);
    }
    bit += count;
    uint32_t words[2] = {any & ~high, high};
    memcpy(digits, words, sizeof words);
  }
  return bit;
}
