/* Three routines of LAPACK as OpenBLAS has them, for builds with the trait Compression. Declared
 * here because distributions put the header in different places. Matrices are columns one after the
 * other. The last argument is the length of `uplo`, as Fortran passes it. */
#include <stddef.h>

/* Cholesky factor of a positive definite matrix in its own triangle. info: 0, or which leading
 * minor is not positive. */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t length);

/* The inverse's triangle in place of such a factor. info: 0, or which diagonal element is 0. */
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info, size_t length);

/* Threads that the library computes with. */
void openblas_set_num_threads(int count);
