/* Attention: shapes, lengths of the past, all types of the cache, limits and scoring, several
 * sequences, and ways to share the work. */
#include "check.h"

typedef struct {
  size_t heads, kv_heads, key_width, value_width;
} shape;

typedef struct {
  size_t position, tokens;
} span;

enum { SEGMENTS_MAX = 3, PAGES_MAX = 32 };

/* What a case changes besides its shape and spans. kind 1: scores far apart; 2: a query that is not
 * a number, and one that is infinite. */
typedef struct {
  moe_kv_type type;
  int kind;
  moe_attention_limits limits;
  size_t size;
  float soft_cap;
  int has_sinks;
  size_t ring_pages;
  int values_lie_in_keys;
} options;

typedef struct {
  moe_attention_job job;
  size_t row_floats, partial_count;
  moe_kv_segment segments[SEGMENTS_MAX];
  void *pages[SEGMENTS_MAX][PAGES_MAX];
} attention;

static size_t divide_up(size_t value, size_t divisor) { return (value + divisor - 1) / divisor; }

/* Whether heads of such widths are whole blocks. */
static int suits(shape s, moe_kv_type type) {
  return type <= MOE_KV_BF16 ||
         (s.key_width % MOE_KV_BLOCK == 0 && s.value_width % MOE_KV_BLOCK == 0);
}

/* A sequence's pages, all of them not a number before its positions are appended: page by page
 * where a ring forgets what came before. */
static void fill_segment(moe_kv_segment *segment, void **pages, span p, const options *o,
                         const moe_kv_shape *shape, generator *g) {
  size_t seen = p.position + p.tokens, rows = shape->kv_heads * MOE_KV_PAGE_GRAIN;
  size_t key_bytes = cache_bytes(o->type, rows * shape->key_dimension);
  size_t value_bytes = cache_bytes(o->type, rows * shape->value_stride);
  if (o->values_lie_in_keys) value_bytes = 0;
  size_t pages_needed = divide_up(seen, MOE_KV_PAGE_GRAIN);
  size_t count = o->ring_pages > 0 ? o->ring_pages : pages_needed;
  for (size_t i = 0; i < count; i++)
    pages[i] = memset(guarded(key_bytes + value_bytes), 0xff, key_bytes + value_bytes);
  *segment = (moe_kv_segment){pages, 0, o->values_lie_in_keys ? 0 : key_bytes,
                              MOE_KV_PAGE_GRAIN, o->ring_pages, 0, 0};
  size_t k_row = shape->kv_heads * shape->key_dimension;
  size_t v_row = shape->kv_heads * shape->value_dimension;
  float *k = guarded_floats(seen * k_row), *v = guarded_floats(seen * v_row);
  for (size_t i = 0; i < seen; i++) {
    for (size_t d = 0; d < k_row || d < v_row; d++) {
      if (d < k_row) k[i * k_row + d] = draw_gaussian(g);
      if (d < v_row) v[i * v_row + d] = draw_gaussian(g);
    }
  }
  for (size_t i = 0; i < seen; i += MOE_KV_PAGE_GRAIN) {
    segment->position = i;
    segment->rows = seen - i < MOE_KV_PAGE_GRAIN ? seen - i : MOE_KV_PAGE_GRAIN;
    moe_operations_at(MOE_ISA_SCALAR)
        ->kv_append(&(moe_kv_append_job){k + i * k_row,
                                         o->values_lie_in_keys ? NULL : v + i * v_row, k_row,
                                         v_row, segment, 1, *shape},
                    0, 1);
  }
  segment->position = p.position;
  segment->rows = p.tokens;
}

static size_t first_seen(const options *o, size_t position) {
  if (o->limits == MOE_ATTENTION_SLIDING)
    return position < o->size ? 0 : position - o->size + 1;
  return o->limits == MOE_ATTENTION_CHUNKED ? position / o->size * o->size : 0;
}

static void make_attention(attention *a, shape s, const span *spans, size_t segment_count,
                           const options *o) {
  generator g = {s.heads * 1000 + s.key_width * 10 + spans[0].position + spans[0].tokens};
  moe_kv_shape kv = {o->type, s.kv_heads, s.key_width, s.value_width,
                     o->values_lie_in_keys ? s.key_width : s.value_width};
  size_t tokens = 0, partial_rows = 0;
  for (size_t i = 0; i < segment_count; i++) {
    fill_segment(&a->segments[i], a->pages[i], spans[i], o, &kv, &g);
    size_t first = first_seen(o, spans[i].position) / MOE_ATTENTION_SPAN;
    size_t limit = divide_up(spans[i].position + spans[i].tokens, MOE_ATTENTION_SPAN);
    tokens += spans[i].tokens;
    partial_rows += spans[i].tokens * (limit - first);
  }
  size_t q_row = s.heads * s.key_width, out_row = s.heads * s.value_width;
  float *q = guarded_floats(tokens * q_row), *sinks = NULL;
  for (size_t i = 0; i < tokens * q_row; i++) q[i] = draw_gaussian(&g);
  if (o->kind == 2) {
    q[0] = NAN;
    q[tokens * q_row - 1] = INFINITY;
  }
  if (o->has_sinks) {
    sinks = guarded_floats(s.heads);
    for (size_t i = 0; i < s.heads; i++) sinks[i] = draw_gaussian(&g) * 3;
    sinks[s.heads - 1] = -INFINITY;
  }
  a->row_floats = tokens * out_row;
  a->partial_count = partial_rows * s.heads * (s.value_width + 2);
  float scale = o->kind == 1 ? 50.0f : 1 / sqrtf((float)s.key_width);
  a->job = (moe_attention_job){q, q_row, a->segments, segment_count, kv, s.heads, o->limits,
                               o->size, scale, o->soft_cap, sinks,
                               guarded_floats(a->row_floats), out_row, NULL};
}

static void attend(const moe_operations *level, const moe_attention_job *job, unsigned workers) {
  for (unsigned worker = 0; worker < workers; worker++) level->attention(job, worker, workers);
  if (!job->partials) return;
  for (unsigned worker = 0; worker < workers; worker++)
    level->attention_merge(job, worker, workers);
}

/* Runs a case in all ways there are and digests its result. */
static void check_ways(moe_isa isa, attention *a, int is_compared) {
  const moe_operations *level = moe_operations_at(isa);
  size_t heads = a->job.heads, width = a->job.shape.value_dimension;
  attend(level, &a->job, 1);
  const float *first = a->job.out;
  a->job.out = guarded_floats(a->row_floats);
  attend(level, &a->job, 3);
  if (!same_bits(a->job.out, first, a->row_floats))
    complain("attention, %zu heads, width %zu: other bits with 3 workers", heads, width);
  a->job.partials = guarded_floats(a->partial_count);
  a->job.out = guarded_floats(a->row_floats);
  attend(level, &a->job, 2);
  if (!same_bits(a->job.out, first, a->row_floats))
    complain("attention, %zu heads, width %zu: other bits with partials", heads, width);
  a->job.partials = NULL;
  if (is_compared && isa != MOE_ISA_SCALAR) {
    a->job.out = guarded_floats(a->row_floats);
    attend(moe_operations_at(MOE_ISA_SCALAR), &a->job, 1);
    for (size_t i = 0; i < a->row_floats; i++)
      if (!(fabsf(first[i] - a->job.out[i]) <= 2e-6f * fmaxf(1, fabsf(a->job.out[i]))))
        complain("attention, %zu heads, width %zu: %a, but %a at the scalar level", heads, width,
                 (double)first[i], (double)a->job.out[i]);
  }
  digest_floats(first, a->row_floats);
}

static void check_case(moe_isa isa, shape s, span p, moe_kv_type type, int kind) {
  options o = {.type = type, .kind = kind};
  attention a;
  make_attention(&a, s, &p, 1, &o);
  check_ways(isa, &a, kind == 0);
  report("attention heads %zu/%zu width %zu position %zu tokens %zu type %d kind %d", s.heads,
         s.kv_heads, s.key_width, p.position, p.tokens, (int)type, kind);
  release_all();
}

/* Several sequences, each by itself as well, under one of the limits. */
static void check_step(moe_isa isa, shape s, const span *spans, size_t count, const options *o) {
  attention a;
  make_attention(&a, s, spans, count, o);
  check_ways(isa, &a, o->kind == 0);
  attend(moe_operations_at(isa), &a.job, 1);
  moe_attention_job alone = a.job;
  size_t row = 0;
  for (size_t i = 0; i < count; row += spans[i++].tokens) {
    alone.q = a.job.q + row * a.job.q_stride;
    alone.out = guarded_floats(spans[i].tokens * a.job.out_stride);
    alone.segments = &a.segments[i];
    alone.segment_count = 1;
    attend(moe_operations_at(isa), &alone, 2);
    if (!same_bits(alone.out, a.job.out + row * a.job.out_stride,
                   spans[i].tokens * a.job.out_stride))
      complain("attention, %zu heads, segment %zu: other bits alone", s.heads, i);
  }
  report("attention heads %zu/%zu widths %zu/%zu position %zu type %d kind %d limits %d size %zu "
         "cap %g sinks %d ring %zu prefix %d",
         s.heads, s.kv_heads, s.key_width, s.value_width, spans[0].position, (int)o->type,
         o->kind, (int)o->limits, o->size, (double)o->soft_cap, o->has_sinks, o->ring_pages,
         o->values_lie_in_keys);
  release_all();
}

static void check_steps(moe_isa isa) {
  static const shape shapes[] = {
      {4, 2, 64, 64}, {6, 2, 192, 128}, {9, 3, 40, 24}, {4, 1, 576, 512}, {5, 1, 33, 36}};
  static const span steps[][SEGMENTS_MAX] = {
      {{0, 9}, {700, 1}, {65, 3}}, {{1300, 1}, {511, 1}, {1023, 1}}, {{600, 70}, {0, 1}, {127, 2}}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    for (size_t j = 0; j < sizeof steps / sizeof steps[0]; j++) {
      for (int variant = 0; variant < 12; variant++) {
        options o = {.type = (moe_kv_type)(variant % 5), .kind = variant / 2 % 3};
        if (!suits(shapes[i], o.type)) o.type = variant % 2 ? MOE_KV_F32 : MOE_KV_F16;
        static const size_t sizes[] = {1, 100, 520, 64};
        o.limits = (moe_attention_limits)((variant + (int)j) % 3);
        o.size = o.limits == MOE_ATTENTION_CAUSAL ? 0 : sizes[variant / 3];
        o.has_sinks = variant % 4 < 2;
        o.soft_cap = variant % 5 == 0 ? 5.0f : 0;
        o.ring_pages = o.limits != MOE_ATTENTION_CAUSAL && variant % 2 ? 11 : 0;
        o.values_lie_in_keys = shapes[i].key_width >= shapes[i].value_width && variant % 3 == 1;
        check_step(isa, shapes[i], steps[j], SEGMENTS_MAX, &o);
      }
    }
  }
}

void check_attention(moe_isa isa) {
  static const shape shapes[] = {{1, 1, 8, 8},       {4, 4, 64, 64},  {4, 2, 64, 64},
                                 {6, 2, 80, 80},     {8, 2, 128, 128}, {5, 1, 36, 36},
                                 {14, 2, 33, 33},    {3, 3, 7, 7},    {40, 1, 16, 16},
                                 {70, 1, 24, 24},    {4, 1, 1, 1},    {2, 1, 576, 576}};
  static const span spans[] = {{0, 1},   {1, 1},  {62, 1},  {63, 1},  {64, 1},  {200, 1},
                               {0, 2},   {0, 9},  {60, 7},  {61, 67}, {128, 3}, {511, 1},
                               {512, 1}, {509, 6}, {1300, 2}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    for (size_t j = 0; j < sizeof spans / sizeof spans[0]; j++) {
      for (int kind = 0; kind < 3; kind++) {
        check_case(isa, shapes[i], spans[j], MOE_KV_F16, kind);
        check_case(isa, shapes[i], spans[j], MOE_KV_F32, kind);
      }
      for (moe_kv_type type = MOE_KV_BF16; type <= MOE_KV_Q4_0; type++) {
        if (suits(shapes[i], type)) check_case(isa, shapes[i], spans[j], type, 0);
      }
    }
  }
  check_steps(isa);
}
