/* zlib; only MoECore imports it. */
#include <zlib.h>
