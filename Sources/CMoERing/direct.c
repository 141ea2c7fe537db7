#define _GNU_SOURCE
#include "moe_direct.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int moe_direct_query(int descriptor, moe_direct_alignment *alignment) {
#ifdef STATX_DIOALIGN
  struct statx state;
  if (statx(descriptor, "", AT_EMPTY_PATH, STATX_DIOALIGN, &state) != 0) return 0;
  if (!(state.stx_mask & STATX_DIOALIGN)) return 0;
  if (state.stx_dio_offset_align == 0) return -EINVAL;
  alignment->memory = state.stx_dio_mem_align;
  alignment->offset = state.stx_dio_offset_align;
  return 1;
#else
  (void)descriptor, (void)alignment;
  return 0;
#endif
}

int moe_direct_set(int descriptor, int enabled) {
  int flags = fcntl(descriptor, F_GETFL);
  if (flags < 0) return -errno;
  flags = enabled ? flags | O_DIRECT : flags & ~O_DIRECT;
  return fcntl(descriptor, F_SETFL, flags) < 0 ? -errno : 0;
}
