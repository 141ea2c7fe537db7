/* What recurrent layers compute row by row: convolutions over the latest rows, and memories that
 * decay. One body, compiled for each level; all give the same bits, since every sum has one order
 * and every rounding is written out. */
#include "exp.h"

/* Contraction would fuse other products than the ones written as fused. */
#pragma clang fp contract(off)

enum { LANES = MOE_RECURRENCE_LANES, SUMS = 4 };

/* At any address of floats. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
_Static_assert(sizeof(lanes) == LANES * sizeof(float), "no padding");

#define SPLAT(value) ((value) - (lanes){0})
#define FMA __builtin_elementwise_fma

MOE_INLINE void load(lanes *value, const float *source, size_t count) {
  if (count == LANES) {
    memcpy(value, source, sizeof *value);
  } else {
    *value = (lanes){0};
    memcpy(value, source, count * sizeof(float));
  }
}

MOE_INLINE void store(float *target, const lanes *value, size_t count) {
  memcpy(target, value, count == LANES ? sizeof *value : count * sizeof(float));
}

MOE_INLINE size_t at_most_lanes(size_t count) { return count < LANES ? count : LANES; }

/* LANES channels from `channel` on, for the rows of one segment. taps is a constant wherever the
 * usual ones are inlined. */
MOE_INLINE void convolve_block(const moe_convolve_job *job, const moe_state_segment *segment,
                               float *x, size_t channel, size_t taps) {
  size_t count = at_most_lanes(job->channels - channel);
  lanes weights[MOE_CONVOLUTION_TAPS_MAX], window[MOE_CONVOLUTION_TAPS_MAX];
  lanes bias = {0};
  if (job->bias) load(&bias, job->bias + channel, count);
  float transposed[MOE_CONVOLUTION_TAPS_MAX][LANES];
  memset(transposed, 0, taps * sizeof transposed[0]);
  for (size_t c = 0; c < count; c++) {
    for (size_t i = 0; i < taps; i++) transposed[i][c] = job->weight[(channel + c) * taps + i];
  }
  for (size_t i = 0; i < taps; i++) load(&weights[i], transposed[i], LANES);
  for (size_t i = 0; i + 1 < taps; i++) {
    load(&window[i], segment->source + i * job->channels + channel, count);
  }
  for (size_t row = 0; row < segment->rows; row++) {
    float *place = x + row * job->x_stride + channel;
    load(&window[taps - 1], place, count);
    lanes sum = bias;
    for (size_t i = 0; i < taps; i++) sum = FMA(weights[i], window[i], sum);
    for (size_t i = 0; i + 1 < taps; i++) window[i] = window[i + 1];
    store(place, &sum, count);
  }
  for (size_t i = 0; i + 1 < taps; i++) {
    store(segment->target + i * job->channels + channel, &window[i], count);
  }
}

MOE_INLINE void convolve(const moe_convolve_job *job, unsigned worker, unsigned worker_count) {
  size_t blocks = (job->channels + LANES - 1) / LANES;
  moe_range part = moe_share(job->segment_count * blocks, 1, worker, worker_count);
  const moe_state_segment *segment = job->segments;
  size_t first = 0; /* row of the step that is the segment's first */
  for (size_t i = part.begin; i < part.end; i++) {
    while (job->segments + i / blocks > segment) first += segment++->rows;
    float *x = job->x + first * job->x_stride;
    size_t channel = i % blocks * LANES;
    switch (job->taps) {
      case 3: convolve_block(job, segment, x, channel, 3); break;
      case 4: convolve_block(job, segment, x, channel, 4); break;
      default: convolve_block(job, segment, x, channel, job->taps);
    }
  }
}

/* The sums over keys i, i + SUMS, i + 2 SUMS, ... are taken apart and then added up. */
MOE_INLINE void add_up(lanes *sum, const lanes sums[SUMS]) {
  *sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/* S^T k */
MOE_INLINE void read_memory(lanes *sum, const float *state, const float *k, size_t keys) {
  lanes sums[SUMS] = {{0}};
  size_t i = 0;
  for (; i + SUMS <= keys; i += SUMS) {
#pragma clang loop unroll(full)
    for (size_t j = 0; j < SUMS; j++) {
      lanes memory;
      load(&memory, state + (i + j) * LANES, LANES);
      sums[j] = FMA(memory, SPLAT(k[i + j]), sums[j]);
    }
  }
  for (size_t j = 0; i + j < keys; j++) {
    lanes memory;
    load(&memory, state + (i + j) * LANES, LANES);
    sums[j] = FMA(memory, SPLAT(k[i + j]), sums[j]);
  }
  add_up(sum, sums);
}

MOE_INLINE void change_one(const float *source, float *target, float k, float q,
                           const lanes *update, float decay, lanes *sum) {
  lanes memory;
  load(&memory, source, LANES);
  memory = FMA(*update, SPLAT(k), memory * SPLAT(decay));
  store(target, &memory, LANES);
  *sum = FMA(memory, SPLAT(q), *sum);
}

/* S = decay * S + k u^T, from the source to the target, then S^T q */
MOE_INLINE void change_memory(lanes *sum, const float *source, float *target, const float *k,
                              const float *q, const lanes *update, float decay, size_t keys) {
  lanes sums[SUMS] = {{0}};
  size_t i = 0;
  for (; i + SUMS <= keys; i += SUMS) {
#pragma clang loop unroll(full)
    for (size_t j = 0; j < SUMS; j++) {
      size_t place = (i + j) * LANES;
      change_one(source + place, target + place, k[i + j], q[i + j], update, decay, &sums[j]);
    }
  }
  for (size_t j = 0; i + j < keys; j++) {
    size_t place = (i + j) * LANES;
    change_one(source + place, target + place, k[i + j], q[i + j], update, decay, &sums[j]);
  }
  add_up(sum, sums);
}

/* One block of one head's values, for the rows of one segment, the first of which is row `first` of
 * the step. */
MOE_INLINE void recur_block(const moe_recurrence_job *job, const moe_state_segment *segment,
                            size_t first, size_t head, size_t block, size_t blocks) {
  size_t keys = job->key_dimension, values = job->value_dimension;
  size_t key_head =
      job->cycles_keys ? head % job->key_heads : head * job->key_heads / job->heads;
  size_t count = at_most_lanes(values - block * LANES);
  size_t place = (head * blocks + block) * keys * LANES;
  float *target = segment->target + place;
  for (size_t row = first; row < first + segment->rows; row++) {
    const float *k = job->k + row * job->key_stride + key_head * keys;
    const float *q = job->q + row * job->key_stride + key_head * keys;
    size_t column = head * values + block * LANES;
    float decay = job->decays[row * job->decay_stride + head];
    float factor = job->factors[row * job->factor_stride + head];
    const float *memory = row == first ? segment->source + place : target;
    lanes v, update, result;
    load(&v, job->v + row * job->value_stride + column, count);
    update = v;
    if (job->corrects) {
      lanes known;
      read_memory(&known, memory, k, keys);
      update = FMA(known, SPLAT(-(decay * job->key_scale)), v);
    }
    update = update * SPLAT(factor * job->key_scale);
    change_memory(&result, memory, target, k, q, &update, decay, keys);
    result = result * SPLAT(job->query_scale);
    if (job->skips) result = FMA(v, SPLAT(job->skips[head]), result);
    store(job->out + row * job->out_stride + column, &result, count);
  }
}

MOE_INLINE void recurrence(const moe_recurrence_job *job, unsigned worker,
                           unsigned worker_count) {
  size_t blocks = (job->value_dimension + LANES - 1) / LANES, per_segment = job->heads * blocks;
  moe_range part = moe_share(job->segment_count * per_segment, 1, worker, worker_count);
  const moe_state_segment *segment = job->segments;
  size_t first = 0; /* row of the step that is the segment's first */
  for (size_t i = part.begin; i < part.end; i++) {
    while (job->segments + i / per_segment > segment) first += segment++->rows;
    size_t unit = i % per_segment;
    recur_block(job, segment, first, unit / blocks, unit % blocks, blocks);
  }
}

void moe_time_step_scalar(const void *argument, unsigned worker, unsigned worker_count) {
  const moe_time_step_job *job = argument;
  moe_range part = moe_share(job->rows, 1, worker, worker_count);
  for (size_t row = part.begin; row < part.end; row++) {
    float *x = job->x + row * job->x_stride, *decays = job->decays + row * job->decay_stride;
    for (size_t c = 0; c < job->columns; c++) {
      float value = x[c] + job->bias[c];
      /* log(1 + exp(x)) without the exponential of a large number. */
      x[c] = (value > 0 ? value : 0) + log1pf(moe_exp(-fabsf(value)));
      decays[c] = moe_exp(x[c] * job->rates[c]);
    }
  }
}

void moe_convolve_scalar(const void *job, unsigned worker, unsigned worker_count) {
  convolve(job, worker, worker_count);
}

void moe_recurrence_scalar(const void *job, unsigned worker, unsigned worker_count) {
  recurrence(job, worker, worker_count);
}

#if defined(__x86_64__)
MOE_AVX2 void moe_convolve_avx2(const void *job, unsigned worker, unsigned worker_count) {
  convolve(job, worker, worker_count);
}

MOE_AVX2 void moe_recurrence_avx2(const void *job, unsigned worker, unsigned worker_count) {
  recurrence(job, worker, worker_count);
}

MOE_AVX512 void moe_recurrence_avx512(const void *job, unsigned worker, unsigned worker_count) {
  recurrence(job, worker, worker_count);
}
#endif
