/* Attention with an online softmax (arXiv 2205.14135, section 3.1), on vectors of eight.
 *
 * Four, two or one rows are taken through a block at a time. Both products keep eight running
 * sums in registers, enough to hide the latency of the multiply-add. The order of every sum is
 * fixed: a score adds each lane over the head dimension and then the lanes; an output element adds
 * its positions. */
#include "attention_units.h"

#if defined(__x86_64__)
#include "tanh.h"

enum { LANES = 8, SUMS = 8, TILE_ROWS = 4, BLOCK = MOE_ATTENTION_BLOCK, CACHE_LINE_BYTES = 64 };

/* Eight elements within a block, as floats. */
MOE_INLINE MOE_AVX2 __m256 load_lanes(const void *cache, size_t index, moe_kv_type type) {
  switch (type) {
    case MOE_KV_F32:
      return _mm256_loadu_ps((const float *)cache + index);
    case MOE_KV_BF16: {
      __m128i halves = _mm_loadu_si128((const __m128i *)((const uint16_t *)cache + index));
      return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
    }
    case MOE_KV_Q8_0: {
      moe_kv_place place = moe_kv_place_of(cache, type, index);
      __m256 scale = _mm256_set1_ps(_cvtsh_ss(moe_load_u16(place.block)));
      __m128i bytes = _mm_loadl_epi64((const __m128i *)(place.block + 2 + place.index));
      return _mm256_mul_ps(scale, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)));
    }
    case MOE_KV_Q4_0: {
      moe_kv_place place = moe_kv_place_of(cache, type, index);
      __m256 scale = _mm256_set1_ps(_cvtsh_ss(moe_load_u16(place.block)));
      __m128i bytes = _mm_loadl_epi64((const __m128i *)(place.block + 2 + place.index % 16));
      __m128i shift = _mm_cvtsi32_si128((int)(place.index / 16 * 4));
      __m256i quants = _mm256_srl_epi32(_mm256_cvtepu8_epi32(bytes), shift);
      quants = _mm256_and_si256(quants, _mm256_set1_epi32(15));
      quants = _mm256_sub_epi32(quants, _mm256_set1_epi32(8));
      return _mm256_mul_ps(scale, _mm256_cvtepi32_ps(quants));
    }
    default:
      return _mm256_cvtph_ps(
          _mm_loadu_si128((const __m128i *)((const uint16_t *)cache + index)));
  }
}

/* The sums of four vectors' lanes: ((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)). */
MOE_INLINE MOE_AVX2 __m128 fold4(__m256 a, __m256 b, __m256 c, __m256 d) {
  __m256 quads = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
  return _mm_add_ps(_mm256_castps256_ps128(quads), _mm256_extractf128_ps(quads, 1));
}

/* Asks for `count` elements of the cache from `index` on, which may lie past its end.
 *
 * Keys and values are read several rows or a few dimensions at a time, which hardware does not
 * recognise as streams. So values are asked for while the keys of the same positions are read, and
 * the next block's keys while the values are: the memory is never idle. Into the second level of
 * cache, since a block of both would overfill the first: measured on a Zen 4 core, decoding from
 * memory, 16 GB/s against 8 into the first. */
MOE_INLINE void prefetch_elements(const void *cache, size_t index, size_t count,
                                  moe_kv_type type) {
  uintptr_t begin = (uintptr_t)cache + moe_kv_bytes(type, index);
  uintptr_t end = (uintptr_t)cache + moe_kv_bytes(type, index + count);
  for (; begin < end; begin += CACHE_LINE_BYTES) __builtin_prefetch((const void *)begin, 0, 2);
}

/* Scores of `positions` positions from j on, for `rows` rows from `row` on. */
MOE_INLINE MOE_AVX2 void score_tile(const int rows, const int positions, const moe_kv_type type,
                                    const moe_attention_head *head, const moe_attention_tile *tile,
                                    size_t row, size_t j) {
  size_t width = head->key_dimension, start = (tile->index + j) * width, d = 0;
  __m256 sums[SUMS];
  for (int i = 0; i < SUMS; i++) sums[i] = _mm256_setzero_ps();
  for (; d + LANES <= width; d += LANES) {
    __m256 keys[SUMS];
    for (int p = 0; p < positions; p++)
      keys[p] = load_lanes(head->keys, start + (size_t)p * width + d, type);
    for (int r = 0; r < rows; r++) {
      __m256 q = _mm256_loadu_ps(tile->q[row + (size_t)r] + d);
      for (int p = 0; p < positions; p++)
        sums[r * positions + p] = _mm256_fmadd_ps(q, keys[p], sums[r * positions + p]);
    }
  }
  float dots[SUMS];
  _mm_storeu_ps(dots, fold4(sums[0], sums[1], sums[2], sums[3]));
  if (rows * positions > 4) _mm_storeu_ps(dots + 4, fold4(sums[4], sums[5], sums[6], sums[7]));
  for (int r = 0; r < rows; r++) {
    for (int p = 0; p < positions; p++) {
      float dot = dots[r * positions + p];
      for (size_t t = d; t < width; t++)
        dot = fmaf(tile->q[row + (size_t)r][t],
                   moe_kv_load(head->keys, start + (size_t)p * width + t, type), dot);
      tile->weights[(row + (size_t)r) * BLOCK + j + (size_t)p] = dot * head->scale;
    }
  }
}

/* Scores of a range of the block's positions. The first rows of a unit prefetch for all. */
MOE_INLINE MOE_AVX2 void score(const int rows, const moe_kv_type type,
                               const moe_attention_head *head, const moe_attention_tile *tile,
                               size_t row, moe_range range, int prefetch) {
  const int positions = SUMS / rows;
  size_t j = range.begin;
  for (; j + (size_t)positions <= range.end; j += (size_t)positions) {
    if (prefetch) {
      size_t width = head->value_stride;
      prefetch_elements(head->values, (tile->index + j) * width, (size_t)positions * width, type);
    }
    score_tile(rows, positions, type, head, tile, row, j);
  }
  for (; j < range.end; j++) score_tile(rows, 1, type, head, tile, row, j);
}

/* out += weights * values over a range of positions, `vectors` vectors from dimension d on. */
MOE_INLINE MOE_AVX2 void accumulate_tile(const int rows, const int vectors, const moe_kv_type type,
                                         const moe_attention_head *head,
                                         const moe_attention_tile *tile, size_t row,
                                         moe_range range, size_t d, int prefetch) {
  __m256 sums[SUMS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sums[r * vectors + v] = _mm256_loadu_ps(tile->out[row + (size_t)r] + d + LANES * v);
  for (size_t j = range.begin; j < range.end; j++) {
    size_t start = (tile->index + j) * head->value_stride + d;
    if (prefetch)
      prefetch_elements(tile->next_keys, j * head->key_dimension + d, (size_t)(vectors * LANES),
                        type);
    __m256 values[SUMS];
    for (int v = 0; v < vectors; v++)
      values[v] = load_lanes(head->values, start + (size_t)(LANES * v), type);
    for (int r = 0; r < rows; r++) {
      __m256 weight = _mm256_broadcast_ss(tile->weights + (row + (size_t)r) * BLOCK + j);
      for (int v = 0; v < vectors; v++)
        sums[r * vectors + v] = _mm256_fmadd_ps(weight, values[v], sums[r * vectors + v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      _mm256_storeu_ps(tile->out[row + (size_t)r] + d + LANES * v, sums[r * vectors + v]);
}

MOE_INLINE MOE_AVX2 void accumulate(const int rows, const moe_kv_type type,
                                    const moe_attention_head *head, const moe_attention_tile *tile,
                                    size_t row, moe_range range, int prefetch) {
  const int vectors = SUMS / rows;
  size_t width = head->value_dimension, d = 0;
  for (; d + (size_t)(vectors * LANES) <= width; d += (size_t)(vectors * LANES))
    accumulate_tile(rows, vectors, type, head, tile, row, range, d, prefetch);
  for (; d + LANES <= width; d += LANES)
    accumulate_tile(rows, 1, type, head, tile, row, range, d, 0);
  for (; d < width; d++) {
    for (int r = 0; r < rows; r++) {
      const float *weights = tile->weights + (row + (size_t)r) * BLOCK;
      float *out = tile->out[row + (size_t)r] + d;
      for (size_t j = range.begin; j < range.end; j++)
        *out = fmaf(weights[j],
                    moe_kv_load(head->values, (tile->index + j) * head->value_stride + d, type),
                    *out);
    }
  }
}

/* cap * tanh(score / cap). */
static MOE_AVX2 void cap_scores(float *scores, size_t count, float cap) {
  __m256 most = _mm256_set1_ps(cap), inverse = _mm256_set1_ps(1.0f / cap);
  for (size_t j = 0; j < count; j += LANES) {
    __m256 score = moe_tanh_avx2(_mm256_mul_ps(_mm256_loadu_ps(scores + j), inverse));
    _mm256_storeu_ps(scores + j, _mm256_mul_ps(score, most));
  }
}

/* Scores of one row to weights relative to the largest so far; what was summed before fades. The
 * block's positions that are not visible weigh 0. */
static MOE_AVX2 void weigh(float *weights, moe_range visible, float cap, float *largest, float *sum,
                           float *out, size_t width) {
  size_t padded = (visible.end + LANES - 1) / LANES * LANES;
  moe_attention_hide(weights, visible, padded);
  if (cap > 0) {
    cap_scores(weights, padded, cap);
    moe_attention_hide(weights, visible, padded);
  }
  __m256 most = _mm256_set1_ps(*largest);
  for (size_t j = 0; j < padded; j += LANES)
    most = _mm256_max_ps(most, _mm256_loadu_ps(weights + j));
  most = _mm256_max_ps(most, _mm256_permute2f128_ps(most, most, 1));
  most = _mm256_max_ps(most, _mm256_permute_ps(most, 0x4e));
  most = _mm256_max_ps(most, _mm256_permute_ps(most, 0xb1));
  float new_largest = _mm256_cvtss_f32(most);
  most = _mm256_set1_ps(moe_attention_base(new_largest));

  __m256 sums = _mm256_setzero_ps();
  for (size_t j = 0; j < padded; j += LANES) {
    __m256 weight = moe_exp_avx2(_mm256_sub_ps(_mm256_loadu_ps(weights + j), most));
    _mm256_storeu_ps(weights + j, weight);
    sums = _mm256_add_ps(sums, weight);
  }
  float added = _mm_cvtss_f32(fold4(sums, sums, sums, sums));
  if (new_largest != *largest) {
    float fade = moe_attention_weight(*largest, new_largest);
    *sum *= fade;
    for (size_t d = 0; d < width; d++) out[d] *= fade;
    *largest = new_largest;
  }
  *sum += added;
}

#define MOE_LEVEL MOE_AVX2
#include "attention_blocks.h"

MOE_AVX2 void moe_attention_avx2(const void *job, unsigned worker, unsigned worker_count) {
  moe_attention_share(job, worker, worker_count, attend);
}

MOE_AVX2 void moe_attention_merge_avx2(const void *job, unsigned worker, unsigned worker_count) {
  moe_attention_merge_share(job, worker, worker_count);
}
#endif
