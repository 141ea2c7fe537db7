/* The rows of a unit of work, and how their sums run over positions; shared by all levels.
 *
 * A row is one query head of one token. A unit is some rows of one sequence that read the same
 * head of the cache, so that every key and value that was loaded serves all of them. How rows are
 * grouped never shows in their results: each row's sums run over the positions that it sees in
 * order, in blocks aligned to 0, from zero in each span of positions, and the spans' sums are added
 * up in order. So the spans of one row may as well be computed apart, by workers for whom there are
 * not heads enough. */
#ifndef MOE_ATTENTION_H
#define MOE_ATTENTION_H

#include <math.h>

#include "exp.h"
#include "kv_pages.h"

enum {
  /* Positions per step of the online softmax. */
  MOE_ATTENTION_BLOCK = 64,
  /* With 32 rows, a block of keys and values is read from a near cache often enough that the
   * products dominate. */
  MOE_ATTENTION_ROWS = 32,
  /* A span's sums of a unit lie on the stack: 32 KiB. */
  MOE_ATTENTION_SUMS = 8192,
  /* Largest score and sum of weights, which follow a row's sums in the partials. */
  MOE_ATTENTION_STATE = 2
};
_Static_assert(MOE_ATTENTION_SPAN % MOE_ATTENTION_BLOCK == 0, "spans are whole blocks");
_Static_assert(MOE_KV_PAGE_GRAIN % MOE_ATTENTION_BLOCK == 0, "the cache's pages are, too");
_Static_assert(MOE_ATTENTION_SUMS >= MOE_ATTENTION_HEAD_DIMENSION_MAX, "a unit has a row");

typedef struct {
  size_t count;
  const float *q[MOE_ATTENTION_ROWS]; /* (key_dimension) each */
  float *out[MOE_ATTENTION_ROWS];     /* (value_dimension) each, the sum so far */
  /* Positions [first, limit) that the row sees; neither ever falls with the index. */
  size_t first[MOE_ATTENTION_ROWS], limit[MOE_ATTENTION_ROWS];
  float largest[MOE_ATTENTION_ROWS]; /* largest score so far */
  float sum[MOE_ATTENTION_ROWS];     /* sum of exp(score - largest) so far */
  float sink[MOE_ATTENTION_ROWS];    /* -infinity where there is none */
} moe_attention_rows;

/* The cache head that a unit reads, as far as one page goes. */
typedef struct {
  const void *keys;      /* (position, key_dimension), from the page's first position on */
  const void *values;    /* (position, value_stride), likewise */
  const void *next_keys; /* the keys of the next page, where one follows */
  size_t begin, end;     /* positions of the page */
  moe_kv_type type;
  size_t key_dimension, value_dimension, value_stride;
  float scale, soft_cap;
} moe_attention_head;

/* One block of positions as the products of some rows see it. */
typedef struct {
  const float *const *q; /* (rows) */
  float *const *out;     /* (rows) */
  float *weights;        /* (rows, MOE_ATTENTION_BLOCK): scores, then their exponentials */
  size_t index;          /* of the block's first position within the page */
  const void *next_keys; /* (position, key_dimension), those that follow the block's */
} moe_attention_tile;

/* Takes positions [begin, end) into the rows, each as far as it sees; begin is a block's first. */
typedef void (*moe_attend_fn)(const moe_attention_head *head, moe_attention_rows *rows,
                              size_t begin, size_t end);

MOE_INLINE size_t moe_least(size_t a, size_t b) { return a < b ? a : b; }
MOE_INLINE size_t moe_most(size_t a, size_t b) { return a > b ? a : b; }

MOE_INLINE size_t moe_divide_up(size_t value, size_t divisor) {
  return (value + divisor - 1) / divisor;
}

/* The first position that the row at `position` sees. */
MOE_INLINE size_t moe_attention_first(const moe_attention_job *job, size_t position) {
  switch (job->limits) {
    case MOE_ATTENTION_SLIDING:
      return position < job->size ? 0 : position - job->size + 1;
    case MOE_ATTENTION_CHUNKED:
      return position / job->size * job->size;
    default:
      return 0;
  }
}

/* exp(score - most), where most is at least the score. Scores of -infinity weigh nothing, even
 * where there are no others; the largest weighs 1, even where it is infinite. */
MOE_INLINE float moe_attention_weight(float score, float most) {
  if (score == -INFINITY) return 0;
  return score == most ? 1 : moe_exp(score - most);
}

/* What is subtracted from scores before their exponentials are taken. */
MOE_INLINE float moe_attention_base(float largest) { return largest == -INFINITY ? 0 : largest; }

/* The page that holds `position`, as a unit reads it. */
MOE_INLINE moe_attention_head moe_attention_head_at(const moe_attention_job *job,
                                                    const moe_kv_segment *segment, size_t kv_head,
                                                    size_t position) {
  const moe_kv_shape *shape = &job->shape;
  size_t begin = position - position % segment->page_positions;
  size_t end = begin + segment->page_positions;
  size_t key_offset = segment->key_offset +
                      moe_kv_head_offset(segment, shape->type, kv_head, shape->key_dimension);
  size_t value_offset = segment->value_offset +
                        moe_kv_head_offset(segment, shape->type, kv_head, shape->value_stride);
  const char *page = moe_kv_page(segment, position);
  int is_last = end >= segment->position + segment->rows;
  const char *next = is_last ? page : moe_kv_page(segment, end);
  return (moe_attention_head){page + key_offset,
                              page + value_offset,
                              next + key_offset,
                              begin,
                              end,
                              shape->type,
                              shape->key_dimension,
                              shape->value_dimension,
                              shape->value_stride,
                              job->scale,
                              job->soft_cap};
}

/* The keys from `position` on, which are asked for ahead of their use: in this page or the next. */
MOE_INLINE const void *moe_attention_keys_ahead(const moe_attention_head *head, size_t position) {
  size_t row_bytes = moe_kv_bytes(head->type, head->key_dimension);
  return position < head->end ? (const char *)head->keys + (position - head->begin) * row_bytes
                              : (const char *)head->next_keys;
}

/* Positions [begin, end) of a head, page by page; begin is a block's first. */
MOE_INLINE void moe_attend_positions(const moe_attention_job *job, const moe_kv_segment *segment,
                                     size_t kv_head, moe_attention_rows *rows, size_t begin,
                                     size_t end, moe_attend_fn attend) {
  while (begin < end) {
    moe_attention_head head = moe_attention_head_at(job, segment, kv_head, begin);
    size_t stop = moe_least(head.end, end);
    attend(&head, rows, begin, stop);
    begin = stop;
  }
}

/* Where a row begins and ends to see a block's positions, counted from the block's first: it sees
 * none where the end is not behind the begin. Neither ever falls with the row. */
MOE_INLINE moe_range moe_attention_visible(const moe_attention_rows *rows, size_t row,
                                           size_t block) {
  size_t first = rows->first[row], limit = rows->limit[row];
  return (moe_range){first > block ? moe_least(first - block, MOE_ATTENTION_BLOCK) : 0,
                     limit > block ? moe_least(limit - block, MOE_ATTENTION_BLOCK) : 0};
}

/* The positions of a block that all of `count` rows see. */
MOE_INLINE moe_range moe_attention_common(const moe_attention_rows *rows, size_t first,
                                          size_t count, size_t block) {
  moe_range common = {moe_attention_visible(rows, first + count - 1, block).begin,
                      moe_attention_visible(rows, first, block).end};
  if (common.begin >= common.end) common.begin = common.end = 0;
  return common;
}

/* What one row sees of a block before and after what all rows see: (before, after). Where they see
 * nothing together, all is in the second part. */
MOE_INLINE moe_range moe_attention_before(moe_range visible, moe_range common) {
  return (moe_range){visible.begin, moe_most(visible.begin, common.begin)};
}

MOE_INLINE moe_range moe_attention_after(moe_range visible, moe_range common) {
  return (moe_range){moe_most(visible.begin, common.end), visible.end};
}

/* A row's scores of a block up to `count`, but for the visible ones: they weigh 0. */
MOE_INLINE void moe_attention_hide(float *scores, moe_range visible, size_t count) {
  for (size_t j = 0; j < visible.begin; j++) scores[j] = -INFINITY;
  for (size_t j = visible.end; j < count; j++) scores[j] = -INFINITY;
}

/* Nothing seen yet. */
MOE_INLINE void moe_attention_begin(moe_attention_rows *rows, size_t width) {
  for (size_t row = 0; row < rows->count; row++) {
    rows->largest[row] = -INFINITY;
    rows->sum[row] = 0;
    for (size_t d = 0; d < width; d++) rows->out[row][d] = 0;
  }
}

/* Adds a later span's sums to those of the spans before it. */
MOE_INLINE void moe_attention_add_span(float *out, float *largest, float *sum, const float *span,
                                       float span_largest, float span_sum, size_t width) {
  float most = span_largest > *largest ? span_largest : *largest;
  float fade = moe_attention_weight(*largest, most);
  float weight = moe_attention_weight(span_largest, most);
  for (size_t d = 0; d < width; d++) out[d] = fmaf(span[d], weight, out[d] * fade);
  *sum = fmaf(span_sum, weight, *sum * fade);
  *largest = most;
}

/* Sums to means, the sink having its part of the weights. */
MOE_INLINE void moe_attention_finish(float *out, float largest, float sum, float sink,
                                     size_t width) {
  float most = sink > largest ? sink : largest;
  float fade = moe_attention_weight(largest, most);
  float inverse = fade / fmaf(sum, fade, moe_attention_weight(sink, most));
  for (size_t d = 0; d < width; d++) out[d] *= inverse;
}

/* The spans that a unit's rows see: [begin, end). */
MOE_INLINE moe_range moe_attention_spans(size_t first, size_t limit) {
  return (moe_range){first / MOE_ATTENTION_SPAN, moe_divide_up(limit, MOE_ATTENTION_SPAN)};
}

/* One span of a unit's rows, from the block on that the first of them begins to see. */
MOE_INLINE void moe_attend_span(const moe_attention_job *job, const moe_kv_segment *segment,
                                size_t kv_head, moe_attention_rows *rows, size_t span,
                                moe_attend_fn attend) {
  size_t first = rows->first[0] - rows->first[0] % MOE_ATTENTION_BLOCK;
  size_t begin = span * MOE_ATTENTION_SPAN, end = begin + MOE_ATTENTION_SPAN;
  moe_attention_begin(rows, job->shape.value_dimension);
  moe_attend_positions(job, segment, kv_head, rows, moe_most(begin, first),
                       moe_least(end, rows->limit[rows->count - 1]), attend);
}

/* All spans of a unit's rows: the first that a row sees into its output, each other apart and then
 * added. */
MOE_INLINE void moe_attention_rows_over_spans(const moe_attention_job *job,
                                              const moe_kv_segment *segment, size_t kv_head,
                                              moe_attention_rows *rows, moe_attend_fn attend) {
  float sums[MOE_ATTENTION_SUMS];
  size_t width = job->shape.value_dimension;
  moe_range spans = moe_attention_spans(rows->first[0], rows->limit[rows->count - 1]);
  moe_attention_rows span = *rows;
  for (size_t i = spans.begin; i < spans.end; i++) {
    size_t begin = i * MOE_ATTENTION_SPAN, end = begin + MOE_ATTENTION_SPAN;
    for (size_t row = 0; row < rows->count; row++)
      span.out[row] = rows->first[row] / MOE_ATTENTION_SPAN == i ? rows->out[row]
                                                                 : sums + row * width;
    moe_attend_span(job, segment, kv_head, &span, i, attend);
    for (size_t row = 0; row < rows->count; row++) {
      if (rows->limit[row] <= begin || rows->first[row] >= end) continue;
      if (rows->first[row] >= begin) {
        rows->largest[row] = span.largest[row];
        rows->sum[row] = span.sum[row];
      } else {
        moe_attention_add_span(rows->out[row], &rows->largest[row], &rows->sum[row],
                               span.out[row], span.largest[row], span.sum[row], width);
      }
    }
  }
  for (size_t row = 0; row < rows->count; row++)
    moe_attention_finish(rows->out[row], rows->largest[row], rows->sum[row], rows->sink[row],
                         width);
}

#endif
