/* Our wrapper over liburing: no liburing type appears here.

   One thread at a time may use a ring; the caller sees to that. Functions that can fail return
   a negative errno value. Reads carry a tag, which comes back with their completion. */
#ifndef MOE_RING_H
#define MOE_RING_H

#include <stddef.h>
#include <stdint.h>

typedef struct moe_ring moe_ring;

typedef struct {
  int32_t file;         /* file descriptor, or index once files are registered */
  int32_t buffer;       /* index of the registered buffer that holds the memory, or -1 */
  uint32_t byte_count;
  uint64_t offset;      /* in the file */
  void *destination;    /* byte_count bytes, left alone until the completion came */
  uint64_t tag;
} moe_ring_read;

typedef struct {
  uint64_t tag;
  int32_t result;       /* bytes read, or a negative errno value */
} moe_ring_completion;

/* Makes a ring for `depth` reads at a time. Fails with -EPERM where the system forbids io_uring,
   -ENOSYS where the kernel has none. */
int moe_ring_open(moe_ring **ring, uint32_t depth);

/* Every read must have completed: the kernel may still write to the memory of one that has not. */
void moe_ring_close(moe_ring *ring);

/* From here on `file` in a read is an index into `descriptors`. Once per ring. */
int moe_ring_register_files(moe_ring *ring, const int *descriptors, uint32_t count);

/* Pins memory that reads will go to, so that the kernel need not look up its pages each time. At
   most 1 GiB each. Replaces what was registered before; call it with no read under way. */
int moe_ring_register_buffers(
    moe_ring *ring, void *const *bases, const size_t *byte_counts, uint32_t count);

/* Puts a read in the queue; -EBUSY where `depth` of them wait to be submitted. */
int moe_ring_queue(moe_ring *ring, const moe_ring_read *read);

/* Hands what is queued to the kernel, in one call. What the kernel would not take stays queued.
   With `wait`, returns only when a completion is there or a signal came (-EINTR). */
int moe_ring_submit(moe_ring *ring, int wait);

/* Takes up to `capacity` completions; enters the kernel only if it says that it holds some back.
   Returns how many. */
uint32_t moe_ring_reap(moe_ring *ring, moe_ring_completion *completions, uint32_t capacity);

#endif
