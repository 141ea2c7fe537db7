/* Everything that a caller can do wrong: errors MODEL FOLDER, where FOLDER may be written to. */
#include "check.h"

static const char *const broken_text = "caf\xE9";

static void handles(void) {
  moe_options *loading = moe_options_for_loading();
  moe_options *text = moe_options_for_text();
  CHECK(loading != NULL && text != NULL && loading != text);
  moe_options *freed = moe_options_for_text();
  moe_options_free(freed);
  moe_options_free(freed);
  moe_options_free(NULL);
  moe_options_free((moe_options *)0x12345);

  char *json = NULL;
  REFUSED(MOE_ERROR_ARGUMENT, "NULL was given", moe_options_set(NULL, "temp", "1", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "freed already", moe_options_set(freed, "temp", "1", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "no handle",
          moe_options_describe((moe_options *)0x12345, &json, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "json is NULL", moe_options_describe(text, NULL, &message));
  moe_session *session = (moe_session *)text;
  moe_engine *engine = (moe_engine *)text;
  REFUSED(MOE_ERROR_ARGUMENT, "another kind", moe_engine_info(engine, &json, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "another kind",
          moe_session_create(engine, &session, &message));
  CHECK(session == NULL && json == NULL);
  session = (moe_session *)text;
  moe_session_cancel(session);
  moe_session_free(session);
  moe_engine_free(engine);
  moe_session_cancel(NULL);
  moe_session_free(NULL);
  moe_engine_free(NULL);
  moe_string_free(NULL);
  REFUSED(MOE_ERROR_ARGUMENT, "another kind",
          moe_session_prompt(session, "x", NULL, &message));
  /* The options were not freed through handles of other kinds. */
  set(text, "temp", "0");
  /* Nobody has to take the sentence. */
  CHECK(moe_options_set(text, "temp", "hot", NULL) == MOE_ERROR_ARGUMENT);
  moe_options_free(text);
  moe_options_free(loading);
}

static void options(void) {
  moe_options *loading = moe_options_for_loading();
  moe_options *text = moe_options_for_text();
  REFUSED(MOE_ERROR_ARGUMENT, "there is no option \"tmep\"",
          moe_options_set(text, "tmep", "1", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "not of a text", moe_options_set(text, "memory", "1G", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "not of loading", moe_options_set(loading, "temp", "1", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "name is NULL", moe_options_set(text, NULL, "1", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "is NULL", moe_options_set(text, "temp", NULL, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "UTF-8", moe_options_set(text, broken_text, "1", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "UTF-8", moe_options_set(text, "stop", broken_text, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "a number from 0", moe_options_set(text, "temp", "nan", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "from 0 to 1", moe_options_set(text, "top-p", "1.5", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "above 0",
          moe_options_set(text, "repeat-penalty", "0", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "a whole number from -1",
          moe_options_set(text, "predict", "99999999999999999999", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "true, false",
          moe_options_set(text, "ignore-eos", "yes", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "chatml", moe_options_set(text, "chat-template", "x", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "JSON", moe_options_set(text, "tools", "{", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "name and a value",
          moe_options_set(text, "template-argument", "x", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "15043", moe_options_set(text, "logit-bias", "a+1", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "gating", moe_options_set(text, "gating", "x:y", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "8G or 512M", moe_options_set(loading, "memory", "lots", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "8G or 512M", moe_options_set(loading, "memory", "", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "from 1 to 256",
          moe_options_set(loading, "threads", "0", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "lru", moe_options_set(loading, "cache-policy", "x", &message));
  REFUSED(MOE_ERROR_ARGUMENT, "offloaded",
          moe_options_set(loading, "placement", "x", &message));
  moe_options_free(text);
  moe_options_free(loading);
}

static void loading(const char *model, const char *folder) {
  char *json = NULL;
  moe_engine *engine = NULL;
  moe_options *small = moe_options_for_loading();
  moe_options *long_context = moe_options_for_loading();
  moe_options *text = moe_options_for_text();
  set(small, "memory", "1K");
  set(long_context, "ctx-size", "1000000");
  REFUSED(MOE_ERROR_ARGUMENT, "path is NULL",
          moe_engine_load(NULL, NULL, NULL, NULL, &engine, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "UTF-8",
          moe_engine_load(broken_text, NULL, NULL, NULL, &engine, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "engine is NULL",
          moe_engine_load(model, NULL, NULL, NULL, NULL, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "of a text",
          moe_engine_load(model, text, NULL, NULL, &engine, &message));
  REFUSED(MOE_ERROR_MODEL, "nowhere.gguf",
          moe_engine_load("nowhere.gguf", NULL, NULL, NULL, &engine, &message));
  REFUSED(MOE_ERROR_MODEL, folder, moe_engine_load(folder, NULL, NULL, NULL, &engine, &message));
  REFUSED(MOE_ERROR_MEMORY, "too small",
          moe_engine_load(model, small, NULL, NULL, &engine, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "ctx-size",
          moe_engine_load(model, long_context, NULL, NULL, &engine, &message));
  REFUSED(MOE_ERROR_MODEL, "nowhere.gguf", moe_plan("nowhere.gguf", NULL, &json, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "json is NULL", moe_plan(model, NULL, NULL, &message));
  CHECK(engine == NULL && json == NULL);
  OK(moe_plan(model, small, &json, &message));
  CHECK(strstr(json, "\"fits\":false") != NULL);
  moe_string_free(json);
  moe_options_free(small);
  moe_options_free(long_context);
  moe_options_free(text);
}

/* Calls back into the session that calls it. */
static int meddle(const moe_piece *piece, void *context) {
  moe_session *session = context;
  const moe_piece *next = piece;
  char *json = NULL;
  REFUSED(MOE_ERROR_BUSY, "another call", moe_session_next(session, &next, &message));
  REFUSED(MOE_ERROR_BUSY, "another call", moe_session_prompt(session, "x", NULL, &message));
  REFUSED(MOE_ERROR_BUSY, "another call", moe_session_statistics(session, &json, &message));
  CHECK(next == NULL && json == NULL);
  return 1;
}

static void prompts(moe_session *session) {
  const moe_piece *piece = NULL;
  char *json = NULL;
  moe_options *text = moe_options_for_text();
  REFUSED(MOE_ERROR_ARGUMENT, "no text", moe_session_next(session, &piece, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "no text",
          moe_session_run(session, meddle, session, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "has ended", moe_session_statistics(session, &json, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "prompt is NULL",
          moe_session_prompt(session, NULL, NULL, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "UTF-8",
          moe_session_prompt(session, broken_text, NULL, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "no JSON", moe_session_chat(session, "Hello", NULL, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "no role", moe_session_chat(session, "[{}]", NULL, &message));
  set(text, "grammar", "root ::= \"yes\"");
  REFUSED(MOE_ERROR_ARGUMENT, "grammars", moe_session_prompt(session, "x", text, &message));
  moe_options_free(text);
  text = moe_options_for_text();
  set(text, "chat-template", "{{ raise_exception('not so') }}");
  REFUSED(MOE_ERROR_ARGUMENT, "moe_session_chat",
          moe_session_prompt(session, "x", text, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "not so",
          moe_session_chat(session, "[{\"role\": \"user\"}]", text, &message));

  /* Nothing of all that has begun a text. Now there is one. */
  OK(moe_session_prompt(session, "Once", NULL, &message));
  REFUSED(MOE_ERROR_BUSY, "not ended", moe_session_prompt(session, "x", NULL, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "piece is NULL", moe_session_next(session, NULL, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "receiver is NULL",
          moe_session_run(session, NULL, NULL, &message));
  OK(moe_session_run(session, meddle, session, &message));
  CHECK(moe_session_next(session, &piece, NULL) == MOE_END && piece == NULL);
  OK(moe_session_run(session, meddle, session, &message));
  moe_options_free(text);
}

/* A prompt longer than the context ends with the first piece that is asked for. */
static void long_prompt(moe_session *session) {
  const moe_piece *piece = NULL;
  buffer prompt = {NULL, 0};
  for (int count = 0; count < 4000; count++) append(&prompt, "once upon a time ", 17);
  OK(moe_session_prompt(session, prompt.bytes, NULL, &message));
  REFUSED(MOE_ERROR_CONTEXT, "ctx-size", moe_session_next(session, &piece, &message));
  CHECK(moe_session_next(session, &piece, NULL) == MOE_END && piece == NULL);
  free(prompt.bytes);
}

/* The session goes on without its engine's handle. */
static void order_of_freeing(const char *model) {
  moe_engine *engine = load(model, NULL);
  moe_session *session = begin_session(engine);
  moe_session *other = NULL;
  char *json = NULL;
  moe_engine_free(engine);
  moe_engine_free(engine);
  REFUSED(MOE_ERROR_ARGUMENT, "freed already", moe_engine_plan(engine, &json, &message));
  REFUSED(MOE_ERROR_ARGUMENT, "freed already",
          moe_session_create(engine, &other, &message));
  OK(moe_session_prompt(session, "Once", NULL, &message));
  char *all = rest(session);
  CHECK(strlen(all) > 0);
  free(all);
  /* And is freed within its own text. */
  OK(moe_session_prompt(session, "Once", NULL, &message));
  moe_session_free(session);
  REFUSED(MOE_ERROR_ARGUMENT, "freed already",
          moe_session_statistics(session, &json, &message));
}

int main(int argc, char **argv) {
  CHECK(argc == 3);
  handles();
  options();
  loading(argv[1], argv[2]);
  moe_options *loading = moe_options_for_loading();
  set(loading, "threads", "2");
  moe_engine *engine = load(argv[1], loading);
  moe_session *session = begin_session(engine);
  prompts(session);
  long_prompt(session);
  moe_session_free(session);
  moe_engine_free(engine);
  order_of_freeing(argv[1]);
  moe_options_free(loading);
  puts("no crash, no hang, a sentence for each");
  return 0;
}
