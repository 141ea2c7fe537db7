/* Attention's division into units of work, and the rows of a unit, shared by all levels.
 *
 * A row is one query head of one token. A unit is some rows that read the same head of the cache,
 * so that every key and value that was loaded serves all of them. How rows are grouped never shows
 * in their results: each row's sums run over positions in order, in blocks aligned to 0, from zero
 * in each span of positions, and the spans' sums are added up in order. So the spans of one token
 * may as well be computed apart, by workers for whom there are not heads enough. */
#ifndef MOE_ATTENTION_H
#define MOE_ATTENTION_H

#include <math.h>

#include "exp.h"
#include "ops.h"

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
_Static_assert(MOE_KV_BLOCK_GRAIN % MOE_ATTENTION_BLOCK == 0, "the cache's blocks are, too");
_Static_assert(MOE_ATTENTION_SUMS >= MOE_ATTENTION_HEAD_DIMENSION_MAX, "a unit has a row");

typedef struct {
  size_t count;
  const float *q[MOE_ATTENTION_ROWS]; /* (head_dimension) each */
  float *out[MOE_ATTENTION_ROWS];     /* (head_dimension) each, the sum so far */
  size_t limit[MOE_ATTENTION_ROWS];   /* positions that the row sees; never falls with the index */
  float largest[MOE_ATTENTION_ROWS];  /* largest score so far */
  float sum[MOE_ATTENTION_ROWS];      /* sum of exp(score - largest) so far */
} moe_attention_rows;

/* The cache head that a unit reads, as far as one block of the cache goes. */
typedef struct {
  const void *keys, *values; /* (position, head_dimension), as if from position 0 on */
  const void *next_keys;     /* the same of the next block, where one follows */
  size_t end;                /* position at which that begins */
  moe_kv_type type;
  size_t head_dimension;
  float scale;
} moe_attention_head;

/* Takes positions [begin, end) into the rows, each as far as it sees. */
typedef void (*moe_attend_fn)(const moe_attention_head *head, moe_attention_rows *rows,
                              size_t begin, size_t end);

typedef struct {
  size_t heads, tokens; /* per unit */
  size_t parts;         /* units of the same tokens and cache head */
  size_t count;
} moe_attention_split;

MOE_INLINE size_t moe_divide_up(size_t value, size_t divisor) {
  return (value + divisor - 1) / divisor;
}

MOE_INLINE size_t moe_least(size_t a, size_t b) { return a < b ? a : b; }

/* Large units save loads, but every worker should have one. */
MOE_INLINE moe_attention_split moe_attention_split_for(const moe_attention_job *job,
                                                       unsigned worker_count) {
  size_t group = job->heads / job->kv_heads;
  size_t most = moe_least(MOE_ATTENTION_ROWS, MOE_ATTENTION_SUMS / job->head_dimension);
  size_t rows = moe_least(moe_divide_up(job->tokens * job->heads, worker_count), most);
  moe_attention_split split;
  split.heads = moe_least(rows, group);
  split.parts = moe_divide_up(group, split.heads);
  split.tokens = rows / split.heads;
  split.count = moe_divide_up(job->tokens, split.tokens) * job->kv_heads * split.parts;
  return split;
}

/* Fills the rows of a unit and returns the cache head. Later tokens cost more; they come last, so
 * that workers who take units in turn have the same amount of each. */
MOE_INLINE size_t moe_attention_unit(const moe_attention_job *job,
                                     const moe_attention_split *split, size_t unit,
                                     moe_attention_rows *rows) {
  size_t group = job->heads / job->kv_heads;
  size_t part = unit % split->parts, kv_head = unit / split->parts % job->kv_heads;
  size_t token = unit / split->parts / job->kv_heads * split->tokens;
  size_t token_end = moe_least(token + split->tokens, job->tokens);
  size_t head = kv_head * group + part * split->heads;
  size_t head_end = moe_least(head + split->heads, (kv_head + 1) * group);
  rows->count = 0;
  for (; token < token_end; token++) {
    for (size_t h = head; h < head_end; h++) {
      size_t row = rows->count++;
      rows->q[row] = job->q + token * job->q_stride + h * job->head_dimension;
      rows->out[row] = job->out + token * job->out_stride + h * job->head_dimension;
      rows->limit[row] = job->position + token + 1;
    }
  }
  return kv_head;
}

/* What comes before the block's own positions is no less than the blocks before it, since their
 * stride covers all heads; so the pointers stay within the cache. */
MOE_INLINE moe_attention_head moe_attention_head_of(const moe_attention_job *job, size_t kv_head,
                                                    size_t block) {
  size_t element_bytes = job->type == MOE_KV_F32 ? 4 : 2;
  size_t head_bytes = job->block_positions * job->head_dimension * element_bytes;
  size_t offset = block * job->block_stride + kv_head * head_bytes - block * head_bytes;
  const char *keys = (const char *)job->k_cache + offset;
  size_t end = (block + 1) * job->block_positions;
  int is_last = end >= job->position + job->tokens;
  return (moe_attention_head){keys,
                              (const char *)job->v_cache + offset,
                              is_last ? keys : keys + job->block_stride - head_bytes,
                              end,
                              job->type,
                              job->head_dimension,
                              job->scale};
}

/* Where the keys of the positions from `position` on are asked for, as if from position 0 on. */
MOE_INLINE const void *moe_attention_keys_ahead(const moe_attention_head *head, size_t position) {
  return position < head->end ? head->keys : head->next_keys;
}

/* Positions [begin, end) of a head, block of the cache by block. */
MOE_INLINE void moe_attend_positions(const moe_attention_job *job, size_t kv_head,
                                     moe_attention_rows *rows, size_t begin, size_t end,
                                     moe_attend_fn attend) {
  while (begin < end) {
    moe_attention_head head =
        moe_attention_head_of(job, kv_head, begin / job->block_positions);
    size_t stop = moe_least(head.end, end);
    attend(&head, rows, begin, stop);
    begin = stop;
  }
}

/* Positions of the block that a row sees. */
MOE_INLINE size_t moe_attention_visible(const moe_attention_rows *rows, size_t row, size_t block) {
  if (rows->limit[row] <= block) return 0;
  return moe_least(rows->limit[row] - block, MOE_ATTENTION_BLOCK);
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
  float fade = moe_exp(*largest - most), weight = moe_exp(span_largest - most);
  for (size_t d = 0; d < width; d++) out[d] = fmaf(span[d], weight, out[d] * fade);
  *sum = fmaf(span_sum, weight, *sum * fade);
  *largest = most;
}

MOE_INLINE void moe_attention_divide(float *out, float sum, size_t width) {
  float inverse = 1.0f / sum;
  for (size_t d = 0; d < width; d++) out[d] *= inverse;
}

/* All spans of a unit's rows: the first into the outputs, each other apart and then added. */
MOE_INLINE void moe_attention_rows_over_spans(const moe_attention_job *job, size_t kv_head,
                                              moe_attention_rows *rows, moe_attend_fn attend) {
  float sums[MOE_ATTENTION_SUMS];
  size_t width = job->head_dimension, end = rows->limit[rows->count - 1];
  moe_attention_begin(rows, width);
  moe_attend_positions(job, kv_head, rows, 0, moe_least(MOE_ATTENTION_SPAN, end), attend);
  moe_attention_rows span = *rows;
  for (size_t row = 0; row < rows->count; row++) span.out[row] = sums + row * width;
  for (size_t begin = MOE_ATTENTION_SPAN; begin < end; begin += MOE_ATTENTION_SPAN) {
    moe_attention_begin(&span, width);
    moe_attend_positions(job, kv_head, &span, begin,
                         moe_least(begin + MOE_ATTENTION_SPAN, end), attend);
    for (size_t row = 0; row < rows->count; row++) {
      if (rows->limit[row] <= begin) continue;
      moe_attention_add_span(rows->out[row], &rows->largest[row], &rows->sum[row], span.out[row],
                             span.largest[row], span.sum[row], width);
    }
  }
  for (size_t row = 0; row < rows->count; row++)
    moe_attention_divide(rows->out[row], rows->sum[row], width);
}

/* One span of a unit's rows, all of one token, into the partials. */
MOE_INLINE void moe_attention_rows_of_span(const moe_attention_job *job, size_t kv_head,
                                           moe_attention_rows *rows, size_t span,
                                           moe_attend_fn attend) {
  size_t width = job->head_dimension, stride = width + MOE_ATTENTION_STATE;
  for (size_t row = 0; row < rows->count; row++) {
    size_t index = (size_t)(rows->out[row] - job->out) / width;
    rows->out[row] = job->partials + (span * job->heads + index) * stride;
  }
  moe_attention_begin(rows, width);
  size_t begin = span * MOE_ATTENTION_SPAN;
  moe_attend_positions(job, kv_head, rows, begin,
                       moe_least(begin + MOE_ATTENTION_SPAN, rows->limit[0]), attend);
  for (size_t row = 0; row < rows->count; row++) {
    rows->out[row][width] = rows->largest[row];
    rows->out[row][width + 1] = rows->sum[row];
  }
}

/* One worker's share, at the level of `attend` and of the function this becomes part of. */
MOE_INLINE void moe_attention_share(const moe_attention_job *job, unsigned worker,
                                    unsigned worker_count, moe_attend_fn attend) {
  /* Where spans are shared, units hold as many heads as they can. */
  moe_attention_split split = moe_attention_split_for(job, job->partials ? 1 : worker_count);
  size_t spans =
      job->partials ? moe_divide_up(job->position + 1, MOE_ATTENTION_SPAN) : 1;
  for (size_t unit = worker; unit < split.count * spans; unit += worker_count) {
    moe_attention_rows rows;
    size_t kv_head = moe_attention_unit(job, &split, unit / spans, &rows);
    if (job->partials) {
      moe_attention_rows_of_span(job, kv_head, &rows, unit % spans, attend);
    } else {
      moe_attention_rows_over_spans(job, kv_head, &rows, attend);
    }
  }
}

/* One worker's share of adding up the partials. */
MOE_INLINE void moe_attention_merge_share(const moe_attention_job *job, unsigned worker,
                                          unsigned worker_count) {
  size_t width = job->head_dimension, stride = width + MOE_ATTENTION_STATE;
  size_t spans = moe_divide_up(job->position + 1, MOE_ATTENTION_SPAN);
  moe_range heads = moe_share(job->heads, 1, worker, worker_count);
  for (size_t head = heads.begin; head < heads.end; head++) {
    const float *span = job->partials + head * stride;
    float *out = job->out + head * width, largest = span[width], sum = span[width + 1];
    memcpy(out, span, width * sizeof(float));
    for (size_t i = 1; i < spans; i++) {
      span += job->heads * stride;
      moe_attention_add_span(out, &largest, &sum, span, span[width], span[width + 1], width);
    }
    moe_attention_divide(out, sum, width);
  }
}

#endif
