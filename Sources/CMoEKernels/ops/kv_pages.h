/* Where a position's keys and values lie. */
#ifndef MOE_KV_PAGES_H
#define MOE_KV_PAGES_H

#include "ops.h"

/* Start of the page that holds a position. */
MOE_INLINE char *moe_kv_page(const moe_kv_segment *segment, size_t position) {
  size_t page = position / segment->page_positions;
  if (segment->ring_pages > 0) page %= segment->ring_pages;
  return segment->pages[page];
}

MOE_INLINE size_t moe_kv_element_bytes(moe_kv_type type) { return type == MOE_KV_F32 ? 4 : 2; }

/* Bytes from the start of a page's keys, or values, to those of a head; stride: elements from one
 * position to the next. */
MOE_INLINE size_t moe_kv_head_offset(const moe_kv_segment *segment, moe_kv_type type,
                                     size_t kv_head, size_t stride) {
  return kv_head * segment->page_positions * stride * moe_kv_element_bytes(type);
}

#endif
