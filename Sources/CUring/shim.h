/* liburing's own header, reached through CMoERing only: imported into Swift directly it changes
   libc types and breaks every file that also imports Foundation or Dispatch. */
#include <liburing.h>
