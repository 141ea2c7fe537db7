/* Where a position's keys and values lie. */
#ifndef MOE_KV_PAGES_H
#define MOE_KV_PAGES_H

#include "../quant/half.h"
#include "ops.h"

/* Start of the page that holds a position. */
MOE_INLINE char *moe_kv_page(const moe_kv_segment *segment, size_t position) {
  size_t page = position / segment->page_positions;
  if (segment->ring_pages > 0) page %= segment->ring_pages;
  return segment->pages[page];
}

/* Bytes of so many elements, which are whole blocks. */
MOE_INLINE size_t moe_kv_bytes(moe_kv_type type, size_t elements) {
  switch (type) {
    case MOE_KV_F32:
      return elements * 4;
    case MOE_KV_Q8_0:
      return elements / MOE_KV_BLOCK * MOE_KV_Q8_0_BYTES;
    case MOE_KV_Q4_0:
      return elements / MOE_KV_BLOCK * MOE_KV_Q4_0_BYTES;
    default:
      return elements * 2;
  }
}

/* The block that an element lies in, with its number there. */
typedef struct {
  const uint8_t *block;
  size_t index;
} moe_kv_place;

MOE_INLINE moe_kv_place moe_kv_place_of(const void *cache, moe_kv_type type, size_t element) {
  size_t index = element % MOE_KV_BLOCK;
  return (moe_kv_place){(const uint8_t *)cache + moe_kv_bytes(type, element - index), index};
}

/* One element of a cache, as a float. */
MOE_INLINE float moe_kv_load(const void *cache, size_t element, moe_kv_type type) {
  switch (type) {
    case MOE_KV_F32:
      return ((const float *)cache)[element];
    case MOE_KV_BF16:
      return moe_float_from_bf16(((const uint16_t *)cache)[element]);
    case MOE_KV_Q8_0: {
      moe_kv_place place = moe_kv_place_of(cache, type, element);
      const int8_t *quants = (const int8_t *)(place.block + 2);
      return moe_float_from_f16(moe_load_u16(place.block)) * (float)quants[place.index];
    }
    case MOE_KV_Q4_0: {
      moe_kv_place place = moe_kv_place_of(cache, type, element);
      int quant = place.block[2 + place.index % 16] >> place.index / 16 * 4 & 15;
      return moe_float_from_f16(moe_load_u16(place.block)) * (float)(quant - 8);
    }
    default:
      return moe_float_from_f16(((const uint16_t *)cache)[element]);
  }
}

/* Bytes from the start of a page's keys, or values, to those of a head; stride: elements from one
 * position to the next. */
MOE_INLINE size_t moe_kv_head_offset(const moe_kv_segment *segment, moe_kv_type type,
                                     size_t kv_head, size_t stride) {
  return moe_kv_bytes(type, kv_head * segment->page_positions * stride);
}

#endif
