/* Several threads: threads MODEL. */
#include "check.h"

#include <pthread.h>

typedef struct work {
  moe_session *session;
  const char *prompt;
  char *text;
} work;

static void *generate(void *argument) {
  work *own = argument;
  moe_options *text = moe_options_for_text();
  set(text, "seed", "7");
  set(text, "predict", "48");
  OK(moe_session_prompt(own->session, own->prompt, text, &message));
  own->text = rest(own->session);
  moe_options_free(text);
  return NULL;
}

/* Two texts at once are the same as one after the other. */
static void together(moe_engine *engine) {
  work alone[2] = {{NULL, "Once upon a time", NULL}, {NULL, "The little dog", NULL}};
  work both[2];
  pthread_t threads[2];
  for (int index = 0; index < 2; index++) {
    both[index] = alone[index];
    alone[index].session = begin_session(engine);
    both[index].session = begin_session(engine);
    generate(&alone[index]);
  }
  for (int index = 0; index < 2; index++)
    CHECK(pthread_create(&threads[index], NULL, generate, &both[index]) == 0);
  for (int index = 0; index < 2; index++) {
    CHECK(pthread_join(threads[index], NULL) == 0);
    CHECK(strcmp(alone[index].text, both[index].text) == 0);
    printf("%s|%s\n", both[index].prompt, both[index].text);
    free(alone[index].text);
    free(both[index].text);
    moe_session_free(alone[index].session);
    moe_session_free(both[index].session);
  }
}

/* An endless text, until its session is cancelled or freed. */
static void begin_endless(moe_session *session) {
  moe_options *text = moe_options_for_text();
  set(text, "predict", "-1");
  set(text, "ignore-eos", "true");
  OK(moe_session_prompt(session, "Once", text, &message));
  moe_options_free(text);
}

static void *cancel(void *session) {
  moe_session_cancel(session);
  return NULL;
}

static void *free_session(void *session) {
  moe_session_free(session);
  return NULL;
}

static void check_finish(moe_session *session, const char *finish) {
  char *json = NULL;
  OK(moe_session_statistics(session, &json, &message));
  CHECK(strstr(json, finish) != NULL);
  moe_string_free(json);
}

static void cancelling(moe_engine *engine) {
  moe_session *session = begin_session(engine);
  const moe_piece *piece = NULL;
  pthread_t thread;
  moe_session_cancel(session);
  begin_endless(session);
  OK(moe_session_next(session, &piece, &message));
  CHECK(pthread_create(&thread, NULL, cancel, session) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  free(rest(session));
  check_finish(session, "\"finish\":\"cancelled\"");
  /* What comes after is not cancelled with it. */
  moe_options *text = moe_options_for_text();
  set(text, "predict", "4");
  OK(moe_session_prompt(session, "Once", text, &message));
  free(rest(session));
  check_finish(session, "\"finish\":\"length\"");
  moe_options_free(text);

  /* Freed by another thread while this one waits for text. */
  begin_endless(session);
  CHECK(pthread_create(&thread, NULL, free_session, session) == 0);
  moe_status status;
  while ((status = moe_session_next(session, &piece, NULL)) == MOE_OK) {
  }
  CHECK(status == MOE_END || status == MOE_ERROR_ARGUMENT);
  CHECK(pthread_join(thread, NULL) == 0);
}

/* One place and none to wait in: the second text is refused, the first goes on. */
static void queueing(const char *model) {
  moe_options *loading = moe_options_for_loading();
  set(loading, "queue", "0");
  moe_engine *engine = load(model, loading);
  moe_session *first = begin_session(engine);
  moe_session *second = begin_session(engine);
  const moe_piece *piece = NULL;
  begin_endless(first);
  OK(moe_session_next(first, &piece, &message));
  OK(moe_session_prompt(second, "Once", NULL, &message));
  REFUSED(MOE_ERROR_BUSY, "waiting", moe_session_next(second, &piece, &message));
  OK(moe_session_next(first, &piece, &message));
  moe_engine_free(engine);
  moe_session_free(second);
  moe_session_free(first);
  moe_options_free(loading);
}

static void count(size_t done, size_t total, void *context) {
  CHECK(pthread_equal(*(pthread_t *)context, pthread_self()));
  CHECK(done <= total);
}

int main(int argc, char **argv) {
  CHECK(argc == 2);
  moe_options *loading = moe_options_for_loading();
  set(loading, "parallel", "2");
  set(loading, "threads", "2");
  moe_engine *engine = NULL;
  pthread_t own = pthread_self();
  OK(moe_engine_load(argv[1], loading, count, &own, &engine, &message));
  together(engine);
  cancelling(engine);
  moe_engine_free(engine);
  moe_options_free(loading);
  queueing(argv[1]);
  return 0;
}
