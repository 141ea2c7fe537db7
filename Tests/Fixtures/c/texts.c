/* What a model makes of prompts, for tests that compare it: texts WAY MODEL [ARGUMENTS]. */
#include "check.h"

/* texts pull|push MODEL TEXT SEED COUNT: the continuation, taken piece by piece or handed over. */
static int print(const moe_piece *piece, void *context) {
  CHECK(context == stdout);
  fwrite(piece->text, 1, piece->length, context);
  return 0;
}

static void continue_text(char **argv, int pushes) {
  moe_options *text = moe_options_for_text();
  set(text, "seed", argv[4]);
  set(text, "predict", argv[5]);
  moe_engine *engine = load(argv[2], NULL);
  moe_session *session = begin_session(engine);
  OK(moe_session_prompt(session, argv[3], text, &message));
  if (pushes) {
    OK(moe_session_run(session, print, stdout, &message));
  } else {
    char *all = rest(session);
    fputs(all, stdout);
    free(all);
  }
  moe_options_free(text);
  moe_session_free(session);
  moe_engine_free(engine);
}

/* texts chat MODEL MESSAGES COUNT: the answer to a conversation. */
static void answer(char **argv) {
  moe_options *text = moe_options_for_text();
  set(text, "temp", "0");
  set(text, "predict", argv[4]);
  moe_engine *engine = load(argv[2], NULL);
  moe_session *session = begin_session(engine);
  OK(moe_session_chat(session, argv[3], text, &message));
  char *all = rest(session);
  fputs(all, stdout);
  free(all);
  moe_session_free(session);
  moe_engine_free(engine);
  moe_options_free(text);
}

/* texts json MODEL SCHEMA: a text in that form. */
static void answer_in_form(char **argv) {
  moe_options *loading = moe_options_for_loading();
  moe_options *text = moe_options_for_text();
  set(loading, "grammars", "true");
  set(text, "json-schema", argv[3]);
  set(text, "seed", "1");
  moe_engine *engine = load(argv[2], loading);
  moe_session *session = begin_session(engine);
  OK(moe_session_prompt(session, "A cat as JSON:", text, &message));
  char *all = rest(session);
  fputs(all, stdout);
  free(all);
  moe_session_free(session);
  moe_engine_free(engine);
  moe_options_free(text);
  moe_options_free(loading);
}

/* texts plan|loaded|info MODEL: what the library says of a model, in 1 GiB. */
static void tell(char **argv) {
  moe_options *loading = moe_options_for_loading();
  set(loading, "memory", "1G");
  char *json = NULL;
  if (strcmp(argv[1], "plan") == 0) {
    OK(moe_plan(argv[2], loading, &json, &message));
  } else {
    moe_engine *engine = load(argv[2], loading);
    if (strcmp(argv[1], "loaded") == 0)
      OK(moe_engine_plan(engine, &json, &message));
    else
      OK(moe_engine_info(engine, &json, &message));
    moe_engine_free(engine);
  }
  puts(json);
  moe_string_free(json);
  moe_options_free(loading);
}

/* texts statistics MODEL: what two prompts cost, the second beginning with the first and its
 * answer; one JSON object a line.
 */
static void measure(char **argv) {
  moe_options *text = moe_options_for_text();
  set(text, "temp", "0");
  set(text, "predict", "8");
  moe_engine *engine = load(argv[2], NULL);
  moe_session *session = begin_session(engine);
  buffer prompt = {NULL, 0};
  append(&prompt, "Once upon a time", 16);
  for (int turn = 0; turn < 2; turn++) {
    char *json = NULL;
    OK(moe_session_prompt(session, prompt.bytes, text, &message));
    char *all = rest(session);
    append(&prompt, all, strlen(all));
    append(&prompt, " And then", 9);
    free(all);
    OK(moe_session_statistics(session, &json, &message));
    puts(json);
    moe_string_free(json);
  }
  free(prompt.bytes);
  moe_session_free(session);
  moe_engine_free(engine);
  moe_options_free(text);
}

int main(int argc, char **argv) {
  CHECK(argc >= 3);
  const char *way = argv[1];
  if (strcmp(way, "pull") == 0 && argc == 6) {
    continue_text(argv, 0);
  } else if (strcmp(way, "push") == 0 && argc == 6) {
    continue_text(argv, 1);
  } else if (strcmp(way, "chat") == 0 && argc == 5) {
    answer(argv);
  } else if (strcmp(way, "json") == 0 && argc == 4) {
    answer_in_form(argv);
  } else if (strcmp(way, "statistics") == 0) {
    measure(argv);
  } else {
    tell(argv);
  }
  return 0;
}
