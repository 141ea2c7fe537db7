/* Attention with an online softmax (arXiv 2205.14135, section 3.1), on vectors of sixteen; heads
 * that these don't divide are left to the vectors of eight, whose bits this has.
 *
 * A vector of keys holds eight dimensions of two positions, so that a score is the sum that the
 * vectors of eight make: eight lanes over the head dimension, then the lanes in pairs. Values and
 * exponentials are independent by lane. Up to eight rows are taken through a block at a time, since
 * grouped-query attention has as many that read the same keys. */
#include "attention_units.h"

#if defined(__x86_64__)
#include "tanh.h"

enum { LANES = 16, HALF = 8, BLOCK = MOE_ATTENTION_BLOCK, CACHE_LINE_BYTES = 64, TILE_ROWS = 8 };

/* Asks for elements that may lie past the cache's end; why and into which level, attention_avx2.c
 * says. */
MOE_INLINE void prefetch_elements(const void *cache, size_t index, size_t count,
                                  moe_kv_type type) {
  uintptr_t begin = (uintptr_t)cache + moe_kv_bytes(type, index);
  uintptr_t end = (uintptr_t)cache + moe_kv_bytes(type, index + count);
  for (; begin < end; begin += CACHE_LINE_BYTES) __builtin_prefetch((const void *)begin, 0, 2);
}

/* Within each quarter: the sums of a's pairs, then of b's. */
MOE_INLINE MOE_AVX512 __m512 add_pairs(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}

/* The sums of eight vectors' halves, each ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)): the lower
 * halves of the first four, their upper halves, then those of the other four. */
MOE_INLINE MOE_AVX512 __m512 fold8(const __m512 *v) {
  __m512 a = add_pairs(add_pairs(v[0], v[1]), add_pairs(v[2], v[3]));
  __m512 b = add_pairs(add_pairs(v[4], v[5]), add_pairs(v[6], v[7]));
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}

MOE_INLINE MOE_AVX512 __m512 widen_bf16(__m256i halves) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16));
}

/* Sixteen bytes of which four bits count, less 8. */
MOE_INLINE MOE_AVX512 __m512i low_quants(__m128i bytes, size_t index) {
  __m128i shift = _mm_cvtsi32_si128((int)(index / 16 * 4));
  __m512i quants = _mm512_srl_epi32(_mm512_cvtepu8_epi32(bytes), shift);
  quants = _mm512_and_si512(quants, _mm512_set1_epi32(15));
  return _mm512_sub_epi32(quants, _mm512_set1_epi32(8));
}

MOE_INLINE MOE_AVX512 __m512 scale_of(moe_kv_place place) {
  return _mm512_set1_ps(_cvtsh_ss(moe_load_u16(place.block)));
}

/* Eight bytes each from two places. */
MOE_INLINE MOE_AVX512 __m128i load_bytes(const uint8_t *low, const uint8_t *high) {
  return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)low),
                            _mm_loadl_epi64((const __m128i *)high));
}

/* Eight dimensions of two positions; low and high: where these begin. */
MOE_INLINE MOE_AVX512 __m512 load_pair(const void *cache, size_t low, size_t high,
                                       moe_kv_type type) {
  if (type == MOE_KV_F32) {
    const float *floats = cache;
    __m512d pair = _mm512_castpd256_pd512(_mm256_loadu_pd((const double *)(floats + low)));
    return _mm512_castpd_ps(
        _mm512_insertf64x4(pair, _mm256_loadu_pd((const double *)(floats + high)), 1));
  }
  if (type == MOE_KV_F16 || type == MOE_KV_BF16) {
    const uint16_t *numbers = cache;
    __m256i halves =
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(numbers + low)));
    halves = _mm256_inserti128_si256(
        halves, _mm_loadu_si128((const __m128i *)(numbers + high)), 1);
    return type == MOE_KV_F16 ? _mm512_cvtph_ps(halves) : widen_bf16(halves);
  }
  moe_kv_place first = moe_kv_place_of(cache, type, low);
  moe_kv_place second = moe_kv_place_of(cache, type, high);
  __m512 scales = _mm512_mask_blend_ps(0xff00, scale_of(first), scale_of(second));
  if (type == MOE_KV_Q8_0) {
    __m128i bytes = load_bytes(first.block + 2 + first.index, second.block + 2 + second.index);
    return _mm512_mul_ps(scales, _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)));
  }
  /* Both positions' dimensions have the same place in their blocks. */
  __m128i bytes =
      load_bytes(first.block + 2 + first.index % 16, second.block + 2 + second.index % 16);
  return _mm512_mul_ps(scales, _mm512_cvtepi32_ps(low_quants(bytes, first.index)));
}

/* Sixteen dimensions of a position, which begins at `index`. */
MOE_INLINE MOE_AVX512 __m512 load_lanes(const void *cache, size_t index, moe_kv_type type) {
  if (type == MOE_KV_F32) return _mm512_loadu_ps((const float *)cache + index);
  if (type == MOE_KV_F16 || type == MOE_KV_BF16) {
    __m256i halves = _mm256_loadu_si256((const __m256i *)((const uint16_t *)cache + index));
    return type == MOE_KV_F16 ? _mm512_cvtph_ps(halves) : widen_bf16(halves);
  }
  moe_kv_place place = moe_kv_place_of(cache, type, index);
  size_t byte = type == MOE_KV_Q8_0 ? place.index : 0;
  __m128i bytes = _mm_loadu_si128((const __m128i *)(place.block + 2 + byte));
  __m512i quants =
      type == MOE_KV_Q8_0 ? _mm512_cvtepi8_epi32(bytes) : low_quants(bytes, place.index);
  return _mm512_mul_ps(scale_of(place), _mm512_cvtepi32_ps(quants));
}

MOE_INLINE MOE_AVX512 __m512 load_twice(const float *eight) {
  return _mm512_castpd_ps(_mm512_broadcast_f64x4(_mm256_loadu_pd((const double *)eight)));
}

/* Stores a row's scores of the tile, those of the first `count` positions. */
MOE_INLINE MOE_AVX512 void store_scores(float *weights, __m512 scores, float scale, size_t count) {
  __mmask16 mask = count >= LANES ? 0xffff : (__mmask16)((1u << count) - 1);
  _mm512_mask_storeu_ps(weights, mask, _mm512_mul_ps(scores, _mm512_set1_ps(scale)));
}

/* Scores of 2 * vectors positions from j on, at most `left` of which are there, for `rows` rows
 * from `row` on. Positions that are not there are taken for the last one and not stored. */
MOE_INLINE MOE_AVX512 void score_tile(const int rows, const int vectors, const moe_kv_type type,
                                      const moe_attention_head *head,
                                      const moe_attention_tile *tile, size_t row, size_t j,
                                      size_t left) {
  const int apart = vectors < 4 ? vectors : 4;
  size_t width = head->key_dimension, low[8], high[8];
  for (int v = 0; v < vectors; v++) {
    size_t first = (size_t)(v % 4 + v / 4 * 8), second = first + (size_t)apart;
    low[v] = (tile->index + j + moe_least(first, left - 1)) * width;
    high[v] = (tile->index + j + moe_least(second, left - 1)) * width;
  }
  __m512 sums[16];
  for (int i = 0; i < rows * vectors; i++) sums[i] = _mm512_setzero_ps();
  for (size_t d = 0; d < width; d += HALF) {
    __m512 keys[8];
    for (int v = 0; v < vectors; v++)
      keys[v] = load_pair(head->keys, low[v] + d, high[v] + d, type);
    for (int r = 0; r < rows; r++) {
      __m512 q = load_twice(tile->q[row + (size_t)r] + d);
      for (int v = 0; v < vectors; v++)
        sums[r * vectors + v] = _mm512_fmadd_ps(q, keys[v], sums[r * vectors + v]);
    }
  }
  float *weights = tile->weights + row * BLOCK + j;
  for (int i = 0; i < rows * vectors; i += 8, weights += 8 / vectors * BLOCK) {
    __m512 scores = fold8(sums + i);
    if (vectors == 8) {
      store_scores(weights, scores, head->scale, left);
    } else if (vectors == 4) {
      store_scores(weights, scores, head->scale, moe_least(left, 8));
      __m512 second = _mm512_shuffle_f32x4(scores, scores, 0xee);
      store_scores(weights + BLOCK, second, head->scale, moe_least(left, 8));
    } else { /* Four rows of four positions, which the halves of the vectors keep apart. */
      const __m512i order =
          _mm512_setr_epi32(0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
      scores = _mm512_permutexvar_ps(order, scores);
      for (int r = 0; r < 4; r++) {
        store_scores(weights + r * BLOCK, scores, head->scale, moe_least(left, 4));
        scores = _mm512_shuffle_f32x4(scores, scores, 0x39);
      }
    }
  }
}

/* Scores of a range of the block's positions. The first rows of a unit prefetch for all. */
MOE_INLINE MOE_AVX512 void score(const int rows, const moe_kv_type type,
                                 const moe_attention_head *head, const moe_attention_tile *tile,
                                 size_t row, moe_range range, int prefetch) {
  const int vectors = rows == 8 ? 2 : rows == 4 ? 4 : 8;
  for (size_t j = range.begin; j < range.end; j += (size_t)(2 * vectors)) {
    if (prefetch) {
      size_t width = head->value_stride;
      prefetch_elements(head->values, (tile->index + j) * width, (size_t)(2 * vectors) * width,
                        type);
    }
    score_tile(rows, vectors, type, head, tile, row, j, range.end - j);
  }
}

/* out += weights * values over a range of positions, `vectors` vectors from dimension d on. */
MOE_INLINE MOE_AVX512 void accumulate_tile(const int rows, const int vectors,
                                           const moe_kv_type type, const moe_attention_head *head,
                                           const moe_attention_tile *tile, size_t row,
                                           moe_range range, size_t d, int prefetch) {
  __m512 sums[16];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sums[r * vectors + v] = _mm512_loadu_ps(tile->out[row + (size_t)r] + d + LANES * v);
  for (size_t j = range.begin; j < range.end; j++) {
    if (prefetch)
      prefetch_elements(tile->next_keys, j * head->key_dimension + d, (size_t)(vectors * LANES),
                        type);
    size_t start = (tile->index + j) * head->value_stride + d;
    __m512 values[8];
    for (int v = 0; v < vectors; v++)
      values[v] = load_lanes(head->values, start + (size_t)(LANES * v), type);
    for (int r = 0; r < rows; r++) {
      __m512 weight = _mm512_set1_ps(tile->weights[(row + (size_t)r) * BLOCK + j]);
      for (int v = 0; v < vectors; v++)
        sums[r * vectors + v] = _mm512_fmadd_ps(weight, values[v], sums[r * vectors + v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      _mm512_storeu_ps(tile->out[row + (size_t)r] + d + LANES * v, sums[r * vectors + v]);
}

MOE_INLINE MOE_AVX512 void accumulate(const int rows, const moe_kv_type type,
                                      const moe_attention_head *head,
                                      const moe_attention_tile *tile, size_t row, moe_range range,
                                      int prefetch) {
  const int vectors = rows == 8 ? 2 : rows == 4 ? 4 : 8;
  size_t width = head->value_dimension, d = 0;
  for (; d + (size_t)(vectors * LANES) <= width; d += (size_t)(vectors * LANES))
    accumulate_tile(rows, vectors, type, head, tile, row, range, d, prefetch);
  for (; d < width; d += LANES)
    accumulate_tile(rows, 1, type, head, tile, row, range, d, prefetch);
}

/* cap * tanh(score / cap). */
static MOE_AVX512 void cap_scores(float *scores, size_t count, float cap) {
  __m512 most = _mm512_set1_ps(cap), inverse = _mm512_set1_ps(1.0f / cap);
  for (size_t j = 0; j < count; j += LANES) {
    __m512 score = moe_tanh_avx512(_mm512_mul_ps(_mm512_loadu_ps(scores + j), inverse));
    _mm512_storeu_ps(scores + j, _mm512_mul_ps(score, most));
  }
}

/* Scores of one row to weights relative to the largest so far; what was summed before fades. The
 * block's positions that are not visible weigh 0. */
static MOE_AVX512 void weigh(float *weights, moe_range visible, float cap, float *largest,
                             float *sum, float *out, size_t width) {
  size_t padded = (visible.end + LANES - 1) / LANES * LANES;
  moe_attention_hide(weights, visible, padded);
  if (cap > 0) {
    cap_scores(weights, padded, cap);
    moe_attention_hide(weights, visible, padded);
  }
  __m512 most = _mm512_set1_ps(*largest);
  for (size_t j = 0; j < padded; j += LANES)
    most = _mm512_max_ps(most, _mm512_loadu_ps(weights + j));
  float new_largest = _mm512_reduce_max_ps(most);
  most = _mm512_set1_ps(moe_attention_base(new_largest));
  __m256 sums = _mm256_setzero_ps();
  for (size_t j = 0; j < padded; j += LANES) {
    __m512 weight = moe_exp_avx512(_mm512_sub_ps(_mm512_loadu_ps(weights + j), most));
    _mm512_storeu_ps(weights + j, weight);
    sums = _mm256_add_ps(sums, _mm512_castps512_ps256(weight));
    sums = _mm256_add_ps(
        sums, _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(weight), 1)));
  }
  __m256 pairs = _mm256_hadd_ps(sums, sums);
  pairs = _mm256_hadd_ps(pairs, pairs);
  float added =
      _mm_cvtss_f32(_mm_add_ss(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps(pairs, 1)));
  if (new_largest != *largest) {
    float fade = moe_attention_weight(*largest, new_largest);
    *sum *= fade;
    for (size_t d = 0; d < width; d++) out[d] *= fade;
    *largest = new_largest;
  }
  *sum += added;
}

#define MOE_LEVEL MOE_AVX512
#include "attention_blocks.h"

MOE_AVX512 void moe_attention_avx512(const void *argument, unsigned worker,
                                     unsigned worker_count) {
  const moe_attention_job *job = argument;
  const moe_kv_shape *shape = &job->shape;
  if (shape->key_dimension % HALF != 0 || shape->value_dimension % LANES != 0)
    return moe_attention_avx2(argument, worker, worker_count);
  moe_attention_share(job, worker, worker_count, attend);
}
#endif
