/* Attention: shapes, lengths of the past, both types of the cache, and ways to share the work. */
#include "check.h"

typedef struct {
  size_t heads, kv_heads, width;
} shape;

typedef struct {
  size_t position, tokens;
} span;

typedef struct {
  moe_attention_job job;
  size_t row_floats, partial_count;
} attention;

/* Everything that the tokens may see is random, the rest of the cache not a number. kind 1: scores
 * far apart; 2: a query that is not a number, and one that is infinite. */
static attention make_attention(shape s, span p, moe_kv_type type, int kind) {
  generator g = {s.heads * 1000 + s.width * 10 + p.position + p.tokens};
  size_t positions = (p.position + p.tokens + 63) / 64 * 64, element = type == MOE_KV_F32 ? 4 : 2;
  size_t block_bytes = s.kv_heads * MOE_KV_BLOCK_GRAIN * s.width * element;
  size_t bytes = positions / MOE_KV_BLOCK_GRAIN * block_bytes, seen = p.position + p.tokens;
  uint8_t *k_cache = guarded(bytes), *v_cache = guarded(bytes);
  memset(k_cache, 0xff, bytes);
  memset(v_cache, 0xff, bytes);
  size_t row = s.kv_heads * s.width;
  float *k = guarded_floats(seen * row), *v = guarded_floats(seen * row);
  for (size_t i = 0; i < seen * row; i++) {
    k[i] = draw_gaussian(&g);
    v[i] = draw_gaussian(&g);
  }
  moe_operations_at(MOE_ISA_SCALAR)
      ->kv_append(&(moe_kv_append_job){k, v, row, row, k_cache, v_cache, type, MOE_KV_BLOCK_GRAIN,
                                       block_bytes, seen, 0, s.kv_heads, s.width},
                  0, 1);
  size_t row_floats = s.heads * s.width;
  float *q = guarded_floats(p.tokens * row_floats), *out = guarded_floats(p.tokens * row_floats);
  for (size_t i = 0; i < p.tokens * row_floats; i++) q[i] = draw_gaussian(&g);
  if (kind == 2) {
    q[0] = NAN;
    q[p.tokens * row_floats - 1] = INFINITY;
  }
  size_t partial_count =
      (seen + MOE_ATTENTION_SPAN - 1) / MOE_ATTENTION_SPAN * s.heads * (s.width + 2);
  moe_attention_job job = {q, row_floats, k_cache, v_cache, type, MOE_KV_BLOCK_GRAIN, block_bytes,
                           p.tokens, p.position, s.heads, s.kv_heads, s.width,
                           kind == 1 ? 50.0f : 1 / sqrtf((float)s.width), out, row_floats, NULL};
  return (attention){job, p.tokens * row_floats, partial_count};
}

static void attend(const moe_operations *level, const moe_attention_job *job, unsigned workers) {
  for (unsigned worker = 0; worker < workers; worker++) level->attention(job, worker, workers);
  if (!job->partials) return;
  for (unsigned worker = 0; worker < workers; worker++)
    level->attention_merge(job, worker, workers);
}

static void check_case(moe_isa isa, shape s, span p, moe_kv_type type, int kind) {
  const moe_operations *level = moe_operations_at(isa);
  attention a = make_attention(s, p, type, kind);
  attend(level, &a.job, 1);
  const float *first = a.job.out;
  a.job.out = guarded_floats(a.row_floats);
  attend(level, &a.job, 3);
  if (!same_bits(a.job.out, first, a.row_floats))
    complain("attention, %zu heads, width %zu: other bits with 3 workers", s.heads, s.width);
  if (p.tokens == 1) {
    a.job.partials = guarded_floats(a.partial_count);
    a.job.out = guarded_floats(a.row_floats);
    attend(level, &a.job, 2);
    if (!same_bits(a.job.out, first, a.row_floats))
      complain("attention, %zu heads, width %zu: other bits with partials", s.heads, s.width);
    a.job.partials = NULL;
  }
  if (kind == 0 && isa != MOE_ISA_SCALAR) {
    a.job.out = guarded_floats(a.row_floats);
    attend(moe_operations_at(MOE_ISA_SCALAR), &a.job, 1);
    for (size_t i = 0; i < a.row_floats; i++)
      if (!(fabsf(first[i] - a.job.out[i]) <= 2e-6f * fmaxf(1, fabsf(a.job.out[i]))))
        complain("attention, %zu heads, width %zu, position %zu: %a, but %a at the scalar level",
                 s.heads, s.width, p.position, (double)first[i], (double)a.job.out[i]);
  }
  digest_floats(first, a.row_floats);
  report("attention heads %zu/%zu width %zu position %zu tokens %zu type %d kind %d", s.heads,
         s.kv_heads, s.width, p.position, p.tokens, (int)type, kind);
  release_all();
}

void check_attention(moe_isa isa) {
  static const shape shapes[] = {{1, 1, 8},   {4, 4, 64},  {4, 2, 64},  {6, 2, 80},
                                 {8, 2, 128}, {5, 1, 36},  {14, 2, 33}, {3, 3, 7},
                                 {40, 1, 16}, {70, 1, 24}, {4, 1, 1},   {2, 1, 576}};
  static const span spans[] = {{0, 1},   {1, 1},  {62, 1},  {63, 1},  {64, 1},  {200, 1},
                               {0, 2},   {0, 9},  {60, 7},  {61, 67}, {128, 3}, {511, 1},
                               {512, 1}, {509, 6}, {1300, 2}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    for (size_t j = 0; j < sizeof spans / sizeof spans[0]; j++) {
      for (int kind = 0; kind < 3; kind++) {
        check_case(isa, shapes[i], spans[j], MOE_KV_F16, kind);
        check_case(isa, shapes[i], spans[j], MOE_KV_F32, kind);
      }
    }
  }
}
