#include "moe_ring.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>
#include <sys/uio.h>

struct moe_ring {
  struct io_uring uring;
  int has_files;
  int has_buffers;
};

/* From the most to the least wanted; a kernel that does not know a flag answers -EINVAL.
   COOP_TASKRUN (5.19) spares the thread that computes an interrupt for every completion.
   SINGLE_ISSUER and DEFER_TASKRUN would save a little more, but tie the ring to the thread that
   made it, and a model may be loaded by one thread and run by another. */
static const unsigned setup_flags[] = {
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

int moe_ring_open(moe_ring **result, uint32_t depth) {
  moe_ring *ring = calloc(1, sizeof *ring);
  if (!ring) return -ENOMEM;
  int status = -EINVAL;
  for (size_t i = 0; i < sizeof setup_flags / sizeof *setup_flags && status == -EINVAL; i++)
    status = io_uring_queue_init(depth, &ring->uring, setup_flags[i]);
  if (status < 0) {
    free(ring);
    return status;
  }
  /* A forked child must not write to our queues. Failing costs only that protection. */
  (void)io_uring_ring_dontfork(&ring->uring);
  *result = ring;
  return 0;
}

void moe_ring_close(moe_ring *ring) {
  io_uring_queue_exit(&ring->uring);
  free(ring);
}

int moe_ring_register_files(moe_ring *ring, const int *descriptors, uint32_t count) {
  int status = io_uring_register_files(&ring->uring, descriptors, count);
  if (status == 0) ring->has_files = 1;
  return status;
}

int moe_ring_register_buffers(
    moe_ring *ring, void *const *bases, const size_t *byte_counts, uint32_t count) {
  if (ring->has_buffers) {
    int status = io_uring_unregister_buffers(&ring->uring);
    if (status < 0) return status;
    ring->has_buffers = 0;
  }
  if (count == 0) return 0;
  struct iovec *vectors = calloc(count, sizeof *vectors);
  if (!vectors) return -ENOMEM;
  for (uint32_t i = 0; i < count; i++)
    vectors[i] = (struct iovec){.iov_base = bases[i], .iov_len = byte_counts[i]};
  int status = io_uring_register_buffers(&ring->uring, vectors, count);
  free(vectors);
  if (status == 0) ring->has_buffers = 1;
  return status;
}

int moe_ring_queue(moe_ring *ring, const moe_ring_read *read) {
  struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);
  if (!entry) return -EBUSY;
  if (read->buffer >= 0)
    io_uring_prep_read_fixed(
        entry, read->file, read->destination, read->byte_count, read->offset, read->buffer);
  else
    io_uring_prep_read(entry, read->file, read->destination, read->byte_count, read->offset);
  if (ring->has_files) io_uring_sqe_set_flags(entry, IOSQE_FIXED_FILE);
  io_uring_sqe_set_data64(entry, read->tag);
  return 0;
}

int moe_ring_submit(moe_ring *ring, int wait) {
  int status = wait ? io_uring_submit_and_wait(&ring->uring, 1) : io_uring_submit(&ring->uring);
  return status < 0 ? status : 0;
}

uint32_t moe_ring_reap(moe_ring *ring, moe_ring_completion *completions, uint32_t capacity) {
  enum { BATCH = 32 };
  struct io_uring_cqe *entries[BATCH];
  uint32_t taken = 0;
  while (taken < capacity) {
    uint32_t wanted = capacity - taken < BATCH ? capacity - taken : BATCH;
    uint32_t count = io_uring_peek_batch_cqe(&ring->uring, entries, wanted);
    for (uint32_t i = 0; i < count; i++)
      completions[taken + i] = (moe_ring_completion){
          .tag = io_uring_cqe_get_data64(entries[i]), .result = entries[i]->res};
    io_uring_cq_advance(&ring->uring, count);
    taken += count;
    if (count < wanted) break;
  }
  return taken;
}
