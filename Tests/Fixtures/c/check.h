/* What the checks of the C library share: a call that must succeed, and one that must not. */
#ifndef CHECK_H
#define CHECK_H

#include <moerun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                 \
  do {                                                                   \
    if (!(condition)) {                                                  \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
      exit(1);                                                           \
    }                                                                    \
  } while (0)

/* A call whose last argument is the address of the local `message`. */
#define OK(call)                                                         \
  do {                                                                   \
    char *message = "nothing";                                           \
    moe_status status = (call);                                          \
    if (status != MOE_OK) {                                              \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, message);       \
      exit(1);                                                           \
    }                                                                    \
    CHECK(message == NULL);                                              \
  } while (0)

/* The same for one that must fail with a code, and a sentence that has some words in it. */
#define REFUSED(wanted, words, call)                                     \
  do {                                                                   \
    char *message = NULL;                                                \
    moe_status status = (call);                                          \
    if (status != (wanted) || message == NULL ||                         \
        strstr(message, (words)) == NULL) {                              \
      fprintf(stderr, "%s:%d: %d, %s\n", __FILE__, __LINE__, (int)status, \
              message == NULL ? "no sentence" : message);                \
      exit(1);                                                           \
    }                                                                    \
    moe_string_free(message);                                            \
  } while (0)

static inline void set(moe_options *options, const char *name, const char *value) {
  OK(moe_options_set(options, name, value, &message));
}

static inline moe_engine *load(const char *path, moe_options *options) {
  moe_engine *engine = NULL;
  OK(moe_engine_load(path, options, NULL, NULL, &engine, &message));
  CHECK(engine != NULL);
  return engine;
}

static inline moe_session *begin_session(moe_engine *engine) {
  moe_session *session = NULL;
  OK(moe_session_create(engine, &session, &message));
  CHECK(session != NULL);
  return session;
}

/* Bytes of a text that grows. */
typedef struct buffer {
  char *bytes;
  size_t length;
} buffer;

static inline void append(buffer *text, const char *bytes, size_t length) {
  text->bytes = realloc(text->bytes, text->length + length + 1);
  CHECK(text->bytes != NULL);
  memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = 0;
}

/* All that is left of a session's text, of the pieces that are its answer. */
static inline char *rest(moe_session *session) {
  buffer text = {NULL, 0};
  append(&text, "", 0);
  for (;;) {
    const moe_piece *piece = NULL;
    char *message = NULL;
    moe_status status = moe_session_next(session, &piece, &message);
    if (status == MOE_END) break;
    if (status != MOE_OK) {
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, message);
      exit(1);
    }
    CHECK(piece != NULL && piece->length > 0 && piece->text[piece->length] == 0);
    if (piece->kind == MOE_PIECE_TEXT) append(&text, piece->text, piece->length);
  }
  return text.bytes;
}

#endif
