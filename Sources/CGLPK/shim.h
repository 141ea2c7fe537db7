/* GLPK, the GNU Linear Programming Kit, version 5; only for builds with the trait of that name. */
#include <glpk.h>
