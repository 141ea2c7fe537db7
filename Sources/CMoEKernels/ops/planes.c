/* Bytes of blocks sorted into planes and back, and checksums: what compressed weights need. */
#include "ops.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

void moe_planes_split(const uint8_t *blocks, size_t block_bytes, size_t first, size_t bytes,
                      size_t count, uint8_t *plane) {
  if (bytes == 1) {
    for (size_t b = 0; b < count; b++) plane[b] = blocks[b * block_bytes + first];
    return;
  }
  for (size_t b = 0; b < count; b++) {
    memcpy(plane + b * bytes, blocks + b * block_bytes + first, bytes);
  }
}

void moe_planes_join(const uint8_t *plane, size_t block_bytes, size_t first, size_t bytes,
                     size_t count, uint8_t *blocks) {
  if (bytes == 1) {
    for (size_t b = 0; b < count; b++) blocks[b * block_bytes + first] = plane[b];
    return;
  }
  for (size_t b = 0; b < count; b++) {
    memcpy(blocks + b * block_bytes + first, plane + b * bytes, bytes);
  }
}

void moe_planes_split_16(const uint8_t *restrict words, size_t count, int rotates,
                         uint8_t *restrict low, uint8_t *restrict high) {
  for (size_t i = 0; i < count; i++) {
    uint16_t word;
    memcpy(&word, words + 2 * i, 2);
    if (rotates) word = (uint16_t)(word << 1 | word >> 15);
    low[i] = (uint8_t)word;
    high[i] = (uint8_t)(word >> 8);
  }
}

void moe_planes_join_16(const uint8_t *restrict low, const uint8_t *restrict high, size_t count,
                        int rotates, uint8_t *restrict words) {
  for (size_t i = 0; i < count; i++) {
    uint16_t word = (uint16_t)(low[i] | high[i] << 8);
    if (rotates) word = (uint16_t)(word >> 1 | word << 15);
    memcpy(words + 2 * i, &word, 2);
  }
}

/* CRC-32C: the polynomial of Castagnoli, bits reflected, as iSCSI (RFC 3720, appendix B.4) and the
 * processors' instructions have it. */
static uint32_t crc32c_plain(uint32_t crc, const uint8_t *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (0x82f63b78 & (0 - (crc & 1)));
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *bytes,
                                                              size_t count) {
  uint64_t wide = crc;
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = (uint32_t)wide;
  for (; count > 0; count--) crc = _mm_crc32_u8(crc, *bytes++);
  return crc;
}

static int has_crc32c(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
__attribute__((target("crc"))) static uint32_t crc32c_fast(uint32_t crc, const uint8_t *bytes,
                                                           size_t count) {
  for (; count >= 8; count -= 8, bytes += 8) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    crc = __crc32cd(crc, word);
  }
  for (; count > 0; count--) crc = __crc32cb(crc, *bytes++);
  return crc;
}

/* HWCAP_CRC32 of Linux. */
static int has_crc32c(void) { return (getauxval(AT_HWCAP) >> 7 & 1) != 0; }
#endif

uint32_t moe_crc32c(uint32_t crc, const uint8_t *bytes, size_t count, int plain) {
#if defined(__x86_64__) || defined(__aarch64__)
  if (!plain && has_crc32c()) return ~crc32c_fast(~crc, bytes, count);
#endif
  return ~crc32c_plain(~crc, bytes, count);
}
