/* zlib without the system's headers, which it needs for gzip files only: imported into Swift along
   with it they change the owner of libc's types, and files that use those no longer compile. */
#define Z_SOLO
#include <zlib.h>
