/* Attention's division into units of work, and a worker's share of them; shared by all levels. */
#ifndef MOE_ATTENTION_UNITS_H
#define MOE_ATTENTION_UNITS_H

#include "attention.h"

typedef struct {
  size_t heads, tokens; /* per unit, at most */
  size_t parts;         /* units of the same tokens and cache head */
} moe_attention_split;

/* A segment as the units see it. */
typedef struct {
  const moe_kv_segment *segment;
  size_t row;      /* of the step, that is the segment's first */
  moe_range spans; /* that any of its rows sees */
  float *partials; /* (row, span, head, value_dimension + 2), of this segment; or null */
} moe_attention_place;

/* Large units save loads, but every worker should have one. */
MOE_INLINE moe_attention_split moe_attention_split_for(const moe_attention_job *job,
                                                       unsigned worker_count) {
  size_t group = job->heads / job->shape.kv_heads, tokens = 0;
  for (size_t s = 0; s < job->segment_count; s++) tokens += job->segments[s].rows;
  size_t most = moe_least(MOE_ATTENTION_ROWS, MOE_ATTENTION_SUMS / job->shape.value_dimension);
  size_t rows = moe_least(moe_divide_up(tokens * job->heads, worker_count), most);
  moe_attention_split split;
  split.heads = moe_least(rows, group);
  split.parts = moe_divide_up(group, split.heads);
  split.tokens = rows / split.heads;
  return split;
}

/* The segment after `place`, or the first one where that has none. */
MOE_INLINE moe_attention_place moe_attention_place_after(const moe_attention_job *job,
                                                         moe_attention_place place) {
  moe_attention_place next = {job->segments, 0, {0, 0}, job->partials};
  if (place.segment) {
    next.segment = place.segment + 1;
    next.row = place.row + place.segment->rows;
    size_t row_floats = (place.spans.end - place.spans.begin) * job->heads *
                        (job->shape.value_dimension + MOE_ATTENTION_STATE);
    if (place.partials) next.partials = place.partials + place.segment->rows * row_floats;
  }
  if (next.segment < job->segments + job->segment_count) {
    size_t position = next.segment->position;
    next.spans = moe_attention_spans(moe_attention_first(job, position),
                                     position + next.segment->rows);
  }
  return next;
}

/* Fills the rows of a unit of the segment and returns the cache head. Later tokens cost more; they
 * come last, so that workers who take units in turn have the same amount of each. */
MOE_INLINE size_t moe_attention_unit(const moe_attention_job *job,
                                     const moe_attention_split *split,
                                     const moe_attention_place *place, size_t unit,
                                     moe_attention_rows *rows) {
  size_t kv_heads = job->shape.kv_heads, group = job->heads / kv_heads;
  size_t part = unit % split->parts, kv_head = unit / split->parts % kv_heads;
  size_t token = unit / split->parts / kv_heads * split->tokens;
  size_t token_end = moe_least(token + split->tokens, place->segment->rows);
  size_t head = kv_head * group + part * split->heads;
  size_t head_end = moe_least(head + split->heads, (kv_head + 1) * group);
  rows->count = 0;
  for (; token < token_end; token++) {
    size_t position = place->segment->position + token, first = moe_attention_first(job, position);
    const float *q = job->q + (place->row + token) * job->q_stride;
    float *out = job->out + (place->row + token) * job->out_stride;
    for (size_t h = head; h < head_end; h++) {
      size_t row = rows->count++;
      rows->q[row] = q + h * job->shape.key_dimension;
      rows->out[row] = out + h * job->shape.value_dimension;
      rows->first[row] = first;
      rows->limit[row] = position + 1;
      rows->sink[row] = job->sinks ? job->sinks[h] : -INFINITY;
    }
  }
  return kv_head;
}

/* Where a row of the segment leaves the sums of a span of a head. */
MOE_INLINE float *moe_attention_partial(const moe_attention_job *job,
                                        const moe_attention_place *place, size_t token,
                                        size_t span, size_t head) {
  size_t spans = place->spans.end - place->spans.begin;
  size_t index = (token * spans + span - place->spans.begin) * job->heads + head;
  return place->partials + index * (job->shape.value_dimension + MOE_ATTENTION_STATE);
}

/* One span of a unit's rows into the partials. */
MOE_INLINE void moe_attention_rows_of_span(const moe_attention_job *job,
                                           const moe_attention_place *place, size_t kv_head,
                                           moe_attention_rows *rows, size_t span,
                                           moe_attend_fn attend) {
  size_t width = job->shape.value_dimension;
  const float *start = job->out + place->row * job->out_stride;
  for (size_t row = 0; row < rows->count; row++) {
    size_t token = rows->limit[row] - 1 - place->segment->position;
    size_t head = (size_t)(rows->out[row] - start - token * job->out_stride) / width;
    rows->out[row] = moe_attention_partial(job, place, token, span, head);
  }
  moe_attend_span(job, place->segment, kv_head, rows, span, attend);
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
  moe_attention_place place = moe_attention_place_after(job, (moe_attention_place){0});
  /* Units of all segments are taken in turn; `unit` counts from the segment's first. */
  size_t unit = worker;
  for (size_t s = 0; s < job->segment_count; s++) {
    size_t spans = job->partials ? place.spans.end - place.spans.begin : 1;
    size_t count = moe_divide_up(place.segment->rows, split.tokens) * job->shape.kv_heads *
                   split.parts * spans;
    for (; unit < count; unit += worker_count) {
      moe_attention_rows rows;
      size_t kv_head = moe_attention_unit(job, &split, &place, unit / spans, &rows);
      if (job->partials) {
        moe_attention_rows_of_span(job, &place, kv_head, &rows, place.spans.begin + unit % spans,
                                   attend);
      } else {
        moe_attention_rows_over_spans(job, place.segment, kv_head, &rows, attend);
      }
    }
    unit -= count;
    place = moe_attention_place_after(job, place);
  }
}

/* Adds up the partials of one head of one row, those of the spans that it sees. */
MOE_INLINE void moe_attention_merge(const moe_attention_job *job, const moe_attention_place *place,
                                    size_t token, size_t head) {
  size_t width = job->shape.value_dimension, position = place->segment->position + token;
  moe_range spans = moe_attention_spans(moe_attention_first(job, position), position + 1);
  const float *span = moe_attention_partial(job, place, token, spans.begin, head);
  float *out = job->out + (place->row + token) * job->out_stride + head * width;
  float largest = span[width], sum = span[width + 1];
  memcpy(out, span, width * sizeof(float));
  for (size_t i = spans.begin + 1; i < spans.end; i++) {
    span = moe_attention_partial(job, place, token, i, head);
    moe_attention_add_span(out, &largest, &sum, span, span[width], span[width + 1], width);
  }
  moe_attention_finish(out, largest, sum, job->sinks ? job->sinks[head] : -INFINITY, width);
}

/* One worker's share of adding up the partials. */
MOE_INLINE void moe_attention_merge_share(const moe_attention_job *job, unsigned worker,
                                          unsigned worker_count) {
  size_t rows = 0;
  for (size_t s = 0; s < job->segment_count; s++) rows += job->segments[s].rows;
  moe_range range = moe_share(rows * job->heads, 1, worker, worker_count);
  moe_attention_place place = moe_attention_place_after(job, (moe_attention_place){0});
  for (size_t i = range.begin; i < range.end; i++) {
    size_t row = i / job->heads;
    while (row - place.row >= place.segment->rows) place = moe_attention_place_after(job, place);
    moe_attention_merge(job, &place, row - place.row, i % job->heads);
  }
}

#endif
