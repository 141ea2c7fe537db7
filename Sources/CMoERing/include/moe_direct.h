/* Direct I/O on an open file: reads that go past the page cache. */
#ifndef MOE_DIRECT_H
#define MOE_DIRECT_H

#include <stdint.h>

typedef struct {
  uint32_t memory;      /* alignment of the memory that is read into, in bytes */
  uint32_t offset;      /* alignment of offset and length in the file, in bytes */
} moe_direct_alignment;

/* What direct reads of this file must be aligned to. Returns 1 if the kernel told, 0 if it could
   not (before Linux 6.1, and some file systems), -EINVAL if the file has no direct I/O. */
int moe_direct_query(int descriptor, moe_direct_alignment *alignment);

/* Turns O_DIRECT on or off. Returns 0 or a negative errno value; -EINVAL says that the file
   system has none. */
int moe_direct_set(int descriptor, int enabled);

#endif
