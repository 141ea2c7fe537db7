/* What layers keep from row to row: convolutions, memories, time steps; and parts of rows. */
#include "check.h"

enum { WORKERS = 3, SEQUENCES = 2 };

static const size_t row_counts[SEQUENCES] = {5, 2};
enum { ROWS = 7 };

static void run(moe_op op, const void *job) {
  for (unsigned worker = 0; worker < WORKERS; worker++) op(job, worker, WORKERS);
}

static float *draw_floats(size_t count, generator *g) {
  float *x = guarded_floats(count);
  for (size_t i = 0; i < count; i++) x[i] = draw_gaussian(g);
  return x;
}

/* Between 0 and 1. */
static float *draw_shares(size_t count, generator *g) {
  float *x = guarded_floats(count);
  for (size_t i = 0; i < count; i++) x[i] = (float)(draw(g) >> 40) * 0x1p-24f;
  return x;
}

/* The states of all sequences one after the other. */
static void place(moe_state_segment segments[SEQUENCES], const float *source, float *target,
                  size_t state_count) {
  for (size_t s = 0; s < SEQUENCES; s++)
    segments[s] = (moe_state_segment){source + s * state_count, target + s * state_count,
                                      row_counts[s]};
}

static void check_convolve(const moe_operations *level, size_t channels, size_t taps) {
  generator g = {channels * 100 + taps};
  size_t stride = channels + 3, state_count = (taps - 1) * channels;
  float *x = draw_floats(ROWS * stride, &g), *weight = draw_floats(channels * taps, &g);
  float *bias = draw_floats(channels, &g), *source = draw_floats(SEQUENCES * state_count, &g);
  float *target = guarded_floats(SEQUENCES * state_count);
  moe_state_segment segments[SEQUENCES];
  place(segments, source, target, state_count);
  run(level->convolve,
      &(moe_convolve_job){x, stride, weight, bias, segments, SEQUENCES, channels, taps});
  digest_floats(x, ROWS * stride);
  digest_floats(target, SEQUENCES * state_count);
  report("convolve channels %zu taps %zu", channels, taps);
  release_all();
}

static void check_recurrence(const moe_operations *level, size_t keys, size_t values, int corrects,
                             int cycles) {
  enum { HEADS = 4, KEY_HEADS = 2 };
  generator g = {keys * 1000 + values};
  size_t blocks = (values + MOE_RECURRENCE_LANES - 1) / MOE_RECURRENCE_LANES;
  size_t state_count = HEADS * blocks * keys * MOE_RECURRENCE_LANES;
  size_t key_width = KEY_HEADS * keys, width = HEADS * values;
  float *q = draw_floats(ROWS * key_width, &g), *k = draw_floats(ROWS * key_width, &g);
  float *v = draw_floats(ROWS * width, &g), *skips = draw_floats(HEADS, &g);
  float *decays = draw_shares(ROWS * HEADS, &g), *factors = draw_shares(ROWS * HEADS, &g);
  float *source = draw_floats(SEQUENCES * state_count, &g);
  float *target = guarded_floats(SEQUENCES * state_count), *out = guarded_floats(ROWS * width);
  moe_state_segment segments[SEQUENCES];
  place(segments, source, target, state_count);
  moe_recurrence_job job = {
      .q = q, .k = k, .v = v, .key_stride = key_width, .value_stride = width, .decays = decays,
      .factors = factors, .decay_stride = HEADS, .factor_stride = HEADS,
      .skips = corrects ? NULL : skips, .out = out, .out_stride = width, .segments = segments,
      .segment_count = SEQUENCES, .heads = HEADS, .key_heads = KEY_HEADS, .key_dimension = keys,
      .value_dimension = values, .query_scale = 0.75f, .key_scale = 1.0f / (float)keys,
      .corrects = corrects, .cycles_keys = cycles};
  run(level->recurrence, &job);
  digest_floats(out, ROWS * width);
  digest_floats(target, SEQUENCES * state_count);
  report("recurrence %zu x %zu corrects %d cycles %d", keys, values, corrects, cycles);
  release_all();
}

static void check_regroup(const moe_operations *level, size_t groups, size_t width) {
  enum { GAP = 2 };
  generator g = {groups * 100 + width};
  size_t stride = groups * (width + GAP), count = groups * width;
  float *x = draw_floats(ROWS * stride, &g), *out = guarded_floats(ROWS * count);
  run(level->regroup,
      &(moe_regroup_job){x, stride, width + GAP, out, count, ROWS, groups, width});
  digest_floats(out, ROWS * count);
  report("regroup %zu x %zu", groups, width);
  release_all();
}

void check_recurrences(moe_isa isa) {
  static const size_t sizes[] = {1, 3, 4, 7, 15, 16, 17, 33, 64, 100};
  const moe_operations *level = moe_operations_at(isa);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    for (size_t taps = 1; taps <= 5; taps++) check_convolve(level, sizes[i], taps);
    for (int kind = 0; kind < 4; kind++) {
      check_recurrence(level, sizes[i], 40, kind & 1, kind >> 1);
      check_recurrence(level, 24, sizes[i], kind & 1, kind >> 1);
    }
    check_regroup(level, 3, sizes[i]);
  }
}
