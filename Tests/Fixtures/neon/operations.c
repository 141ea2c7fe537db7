/* Operations on rows and vectors, attention aside. */
#include "check.h"

#include <stdio.h>

enum { WORKERS = 3 };

/* Every remainder of the vector loops, then sizes as models have them. */
static size_t column_count(size_t i) {
  static const size_t sizes[] = {63, 64, 65, 100, 256, 513, 2048, 4099};
  return i < 40 ? i + 1 : sizes[i - 40];
}
enum { COLUMN_COUNTS = 48 };

static void run(moe_op op, const void *job) {
  for (unsigned worker = 0; worker < WORKERS; worker++) op(job, worker, WORKERS);
}

static void copy(float *target, const float *source, size_t count) {
  memcpy(target, source, count * sizeof *source);
}

/* kind 0: ordinary; 1: large; 2: any bits, so that some are infinite, subnormal or not numbers. */
static float *draw_floats(size_t count, int kind, generator *g) {
  float *x = guarded_floats(count);
  for (size_t i = 0; i < count; i++)
    x[i] = kind == 2 ? draw_bits(g) : draw_gaussian(g) * (kind == 1 ? 20.0f : 1.0f);
  return x;
}

static void expect_scalar_bits(const char *what, size_t columns, const float *found,
                               const float *wanted, size_t count) {
  if (!same_bits(found, wanted, count))
    complain("%s, columns %zu: not the scalar level's bits", what, columns);
  digest_floats(found, count);
}

/* Every curve without a gate and with one, and a clamped gate both ways. */
static void check_activate(const moe_operations *level, const moe_operations *scalar,
                           size_t columns, int kind, moe_curve curve, int gated, moe_clamp clamp) {
  enum { ROWS = 3, GAP = 3 };
  generator g = {columns};
  size_t stride = columns + GAP, count = (ROWS - 1) * stride + columns;
  float *gate = draw_floats(count, kind, &g), *up = draw_floats(count, 0, &g);
  float *found = guarded_floats(count), *wanted = guarded_floats(count);
  copy(found, gate, count);
  copy(wanted, gate, count);
  moe_activate_job job = {found, gated ? up : NULL, ROWS, columns, stride, stride,
                          curve, clamp, 1.702f, 0.9f, 1.0f};
  run(level->activate, &job);
  job.x = wanted;
  run(scalar->activate, &job);
  expect_scalar_bits("activate", columns, found, wanted, count);
  report("activate curve %d gated %d clamp %d columns %zu kind %d", (int)curve, gated, (int)clamp,
         columns, kind);
  release_all();
}

static void check_curves(const moe_operations *level, const moe_operations *scalar, size_t columns,
                         int kind) {
  for (int curve = MOE_CURVE_SILU; curve <= MOE_CURVE_IDENTITY; curve++)
    for (int gated = 0; gated < 2; gated++)
      check_activate(level, scalar, columns, kind, (moe_curve)curve, gated, MOE_CLAMP_NONE);
  check_activate(level, scalar, columns, kind, MOE_CURVE_SILU, 1, MOE_CLAMP_BEFORE);
  check_activate(level, scalar, columns, kind, MOE_CURVE_SILU, 1, MOE_CLAMP_AFTER);
}

/* The exponential function over its whole range. */
static void check_exponential(const moe_operations *level, const moe_operations *scalar) {
  size_t count = 240001;
  float *found = guarded_floats(count), *wanted = guarded_floats(count);
  float *up = guarded_floats(count);
  for (size_t i = 0; i < count; i++) {
    found[i] = wanted[i] = ((float)i - 120000) / 960; /* -125 ... 125 */
    up[i] = 1;
  }
  moe_activate_job job = {found, up, 1, count, count, count, MOE_CURVE_SILU, MOE_CLAMP_NONE,
                          1, INFINITY, 0};
  run(level->activate, &job);
  job.x = wanted;
  run(scalar->activate, &job);
  expect_scalar_bits("exponential", count, found, wanted, count);
  report("activate over the range of exp");
  release_all();
}

static void check_add(const moe_operations *level, const moe_operations *scalar, size_t columns,
                      int kind) {
  generator g = {columns};
  float *x = draw_floats(columns, kind, &g), *y = draw_floats(columns, kind, &g);
  float *found = guarded_floats(columns), *wanted = guarded_floats(columns);
  copy(found, x, columns);
  copy(wanted, x, columns);
  run(level->add, &(moe_add_job){found, y, columns});
  run(scalar->add, &(moe_add_job){wanted, y, columns});
  expect_scalar_bits("add", columns, found, wanted, columns);
  report("add columns %zu kind %d", columns, kind);
  release_all();
}

static void check_add_rows(const moe_operations *level, const moe_operations *scalar,
                           size_t columns, int kind) {
  enum { ROWS = 3 };
  generator g = {columns};
  float *x = draw_floats(ROWS * columns, kind, &g), *y = draw_floats(ROWS * columns, kind, &g);
  float *gates = draw_floats(ROWS, 0, &g);
  for (int gated = 0; gated < 2; gated++) {
    float *found = guarded_floats(ROWS * columns), *wanted = guarded_floats(ROWS * columns);
    copy(found, x, ROWS * columns);
    copy(wanted, x, ROWS * columns);
    moe_add_rows_job job = {found, columns, y,    columns, gated ? gates : NULL,
                            1,     1.5f,    ROWS, columns};
    run(level->add_rows, &job);
    job.x = wanted;
    run(scalar->add_rows, &job);
    expect_scalar_bits("add_rows", columns, found, wanted, ROWS * columns);
    report("add_rows gated %d columns %zu kind %d", gated, columns, kind);
  }
  release_all();
}

static void check_scatter_add(const moe_operations *level, const moe_operations *scalar,
                              size_t columns, int kind) {
  static const uint32_t tokens[] = {2, 0, 2, 2, 1, 0};
  enum { ROWS = 6, TARGETS = 3 };
  generator g = {columns};
  float *y = draw_floats(ROWS * columns, kind, &g), *weights = draw_floats(ROWS, 0, &g);
  float *out = draw_floats(TARGETS * columns, kind, &g);
  float *found = guarded_floats(TARGETS * columns), *wanted = guarded_floats(TARGETS * columns);
  copy(found, out, TARGETS * columns);
  copy(wanted, out, TARGETS * columns);
  moe_scatter_add_job job = {y, columns, tokens, weights, found, columns, ROWS, columns};
  run(level->scatter_add, &job);
  job.out = wanted;
  run(scalar->scatter_add, &job);
  expect_scalar_bits("scatter_add", columns, found, wanted, TARGETS * columns);
  report("scatter_add columns %zu kind %d", columns, kind);
  release_all();
}

static void check_scale(const moe_operations *level, const moe_operations *scalar, size_t columns,
                        int kind) {
  enum { ROWS = 3 };
  generator g = {columns};
  float *x = draw_floats(ROWS * columns, kind, &g), *factors = draw_floats(ROWS, 0, &g);
  for (int capped = 0; capped < 2; capped++) {
    float *found = guarded_floats(ROWS * columns), *wanted = guarded_floats(ROWS * columns);
    copy(found, x, ROWS * columns);
    copy(wanted, x, ROWS * columns);
    moe_scale_job job = {found, columns, factors, 1.5f, capped ? 2.5f : 0, ROWS, columns};
    run(level->scale, &job);
    job.x = wanted;
    run(scalar->scale, &job);
    expect_scalar_bits("scale", columns, found, wanted, ROWS * columns);
    report("scale capped %d columns %zu kind %d", capped, columns, kind);
  }
  release_all();
}

static void check_layer_norm(const moe_operations *level, const moe_operations *scalar,
                             size_t columns, int kind) {
  enum { ROWS = 3 };
  generator g = {columns};
  size_t count = ROWS * columns;
  float *x = draw_floats(count, kind, &g), *weight = draw_floats(columns, 0, &g);
  float *bias = draw_floats(columns, 1, &g);
  float *found = guarded_floats(count), *wanted = guarded_floats(count);
  moe_layer_norm_job job = {x, columns, weight, bias, found, columns, ROWS, columns, 1e-5f};
  run(level->layer_norm, &job);
  job.y = wanted;
  run(scalar->layer_norm, &job);
  expect_scalar_bits("layer_norm", columns, found, wanted, count);
  report("layer_norm columns %zu kind %d", columns, kind);
  release_all();
}

static void check_rope(const moe_operations *level, const moe_operations *scalar, size_t pairs,
                       int halves) {
  enum { TOKENS = 3, HEADS = 5 };
  generator g = {pairs};
  size_t width = 2 * pairs + 4, stride = HEADS * width + 3, count = TOKENS * stride;
  float *x = draw_floats(count, 0, &g), *found = guarded_floats(count);
  float *cosines = draw_floats(TOKENS * pairs, 0, &g);
  float *sines = draw_floats(TOKENS * pairs, 0, &g);
  copy(found, x, count);
  moe_rope_job job = {found, stride, TOKENS, HEADS, width, pairs, cosines, sines, halves};
  run(level->rope, &job);
  job.x = x;
  run(scalar->rope, &job);
  expect_scalar_bits("rope", pairs, found, x, count);
  report("rope pairs %zu halves %d", pairs, halves);
  release_all();
}

static void check_kv_append(const moe_operations *level, const moe_operations *scalar,
                            size_t width, moe_kv_type type, int kind) {
  enum { TOKENS = 3, HEADS = 2, POSITIONS = 4, POSITION = 1 };
  generator g = {width};
  size_t count = HEADS * POSITIONS * width, half = cache_bytes(type, count);
  float *k = draw_floats(TOKENS * HEADS * width, kind, &g);
  float *v = draw_floats(TOKENS * HEADS * width, kind, &g);
  /* One page: keys, then values. */
  void *found = guarded(2 * half), *wanted = guarded(2 * half);
  for (int i = 0; i < 2; i++) {
    moe_kv_segment segment = {i == 0 ? &found : &wanted, 0, half, POSITIONS, 0, POSITION, TOKENS};
    moe_kv_append_job job = {k, v, HEADS * width, HEADS * width, &segment, 1,
                             {type, HEADS, width, width, width}};
    run((i == 0 ? level : scalar)->kv_append, &job);
  }
  /* Which NaN a 16-bit one becomes is not stated. */
  if (kind != 2 && memcmp(found, wanted, 2 * half) != 0)
    complain("kv_append, width %zu: not the scalar level's bytes", width);
  if (type == MOE_KV_F32) {
    digest_floats(found, 2 * count);
  } else if (type == MOE_KV_F16) {
    digest_halves(found, 2 * count);
  } else {
    digest_bytes(found, 2 * half);
  }
  report("kv_append width %zu type %d kind %d", width, (int)type, kind);
  release_all();
}

static void check_rms_norm(const moe_operations *level, const moe_operations *scalar,
                           size_t columns, int kind) {
  enum { GROUPS = 2, ROWS = 3 };
  generator g = {columns};
  size_t count = GROUPS * ROWS * columns;
  float *x = draw_floats(count, kind, &g), *weight = draw_floats(columns, 0, &g);
  float *found = guarded_floats(count), *wanted = guarded_floats(count);
  moe_rms_norm_job job = {x, GROUPS, ROWS * columns, ROWS, columns, weight,
                          found, ROWS * columns, columns, columns, 1e-5f};
  run(level->rms_norm, &job);
  job.y = wanted;
  run(scalar->rms_norm, &job);
  for (size_t i = 0; kind < 2 && i < count; i++)
    if (!(fabsf(found[i] - wanted[i]) <= 1e-6f * fabsf(wanted[i]) + 1e-37f))
      complain("rms_norm, columns %zu: %a, but %a at the scalar level", columns,
               (double)found[i], (double)wanted[i]);
  digest_floats(found, count);
  job.y = x;
  run(level->rms_norm, &job);
  if (!same_bits(x, found, count)) complain("rms_norm, columns %zu: other bits in place", columns);
  report("rms_norm columns %zu kind %d", columns, kind);
  release_all();
}

void check_elements(moe_isa isa) {
  const moe_operations *level = moe_operations_at(isa);
  const moe_operations *scalar = moe_operations_at(MOE_ISA_SCALAR);
  check_exponential(level, scalar);
  for (size_t i = 0; i < COLUMN_COUNTS; i++) {
    size_t columns = column_count(i);
    for (int kind = 0; kind < 3; kind++) {
      check_curves(level, scalar, columns, kind);
      check_add_rows(level, scalar, columns, kind);
      check_add(level, scalar, columns, kind);
      check_scatter_add(level, scalar, columns, kind);
      check_scale(level, scalar, columns, kind);
      check_layer_norm(level, scalar, columns, kind);
      check_kv_append(level, scalar, columns, MOE_KV_F16, kind);
      check_rms_norm(level, scalar, columns, kind);
    }
    check_kv_append(level, scalar, columns, MOE_KV_F32, 0);
    for (int kind = 0; kind < 2; kind++) {
      check_kv_append(level, scalar, columns, MOE_KV_BF16, kind);
      check_kv_append(level, scalar, (columns + 31) / 32 * 32, MOE_KV_Q8_0, kind);
      check_kv_append(level, scalar, (columns + 31) / 32 * 32, MOE_KV_Q4_0, kind);
    }
    if (columns <= 256) {
      check_rope(level, scalar, columns, 0);
      check_rope(level, scalar, columns, 1);
    }
  }
}

/* kind 3: few distinct values, so that equals are common; some are not numbers. */
static float *draw_vector(size_t count, int kind, generator *g) {
  if (kind < 3) return draw_floats(count, kind, g);
  static const float values[] = {NAN, -INFINITY, -0.0f, 0.0f, 1, 2, 3, 3};
  float *x = guarded_floats(count);
  for (size_t i = 0; i < count; i++) x[i] = values[draw(g) % 8];
  return x;
}

static void check_vector(const moe_operations *level, const moe_operations *scalar, size_t count,
                         int kind) {
  generator g = {count * 4 + (size_t)kind};
  float *x = draw_vector(count, kind, &g), *wanted = guarded_floats(count);
  copy(wanted, x, count);
  size_t largest = level->argmax(x, count);
  if (largest != scalar->argmax(x, count)) complain("argmax of %zu: not the scalar level's", count);
  digest_double((double)largest);
  double found = level->log_sum_exp(x, count), reference = scalar->log_sum_exp(x, count);
  float *sigmoids = guarded_floats(count), *reference_sigmoids = guarded_floats(count);
  copy(sigmoids, x, count);
  copy(reference_sigmoids, x, count);
  level->sigmoid(sigmoids, count);
  scalar->sigmoid(reference_sigmoids, count);
  expect_scalar_bits("sigmoid", count, sigmoids, reference_sigmoids, count);
  float total = level->softmax(x, count);
  scalar->softmax(wanted, count);
  if (kind < 2 && !(fabs(found - reference) <= 5e-7 * fmax(1, fabs(reference))))
    complain("log_sum_exp of %zu: %a, but %a at the scalar level", count, found, reference);
  for (size_t i = 0; kind < 2 && i < count; i++)
    if (!(fabsf(x[i] - wanted[i]) <= 2.5e-7f * wanted[i] + 1e-37f))
      complain("softmax of %zu: %a, but %a at the scalar level", count, (double)x[i],
               (double)wanted[i]);
  digest_double(found);
  digest_floats(&total, 1);
  digest_floats(x, count);
  report("softmax, log_sum_exp, argmax of %zu, kind %d", count, kind);
  release_all();
}

void check_vectors(moe_isa isa) {
  const moe_operations *level = moe_operations_at(isa);
  const moe_operations *scalar = moe_operations_at(MOE_ISA_SCALAR);
  for (size_t i = 0; i < COLUMN_COUNTS; i++)
    for (int kind = 0; kind < 4; kind++) check_vector(level, scalar, column_count(i), kind);
}
