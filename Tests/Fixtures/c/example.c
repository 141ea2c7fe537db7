/* Continues a text: example MODEL TEXT. As the guide "Use it from C" has it. */
#include <moerun.h>
#include <stdio.h>

static int failed(char *message) {
  fprintf(stderr, "example: %s\n", message);
  moe_string_free(message);
  return 1;
}

int main(int argc, char **argv) {
  char *message = NULL;
  moe_engine *engine = NULL;
  moe_session *session = NULL;
  const moe_piece *piece = NULL;
  if (argc != 3) {
    fprintf(stderr, "usage: example MODEL TEXT\n");
    return 64;
  }

  moe_options *loading = moe_options_for_loading();
  moe_options *text = moe_options_for_text();
  if (moe_options_set(loading, "memory", "1G", &message) != MOE_OK) return failed(message);
  if (moe_options_set(text, "predict", "40", &message) != MOE_OK) return failed(message);
  if (moe_options_set(text, "temp", "0", &message) != MOE_OK) return failed(message);

  if (moe_engine_load(argv[1], loading, NULL, NULL, &engine, &message) != MOE_OK)
    return failed(message);
  if (moe_session_create(engine, &session, &message) != MOE_OK) return failed(message);
  if (moe_session_prompt(session, argv[2], text, &message) != MOE_OK) return failed(message);

  printf("%s", argv[2]);
  moe_status status;
  while ((status = moe_session_next(session, &piece, &message)) == MOE_OK)
    fwrite(piece->text, 1, piece->length, stdout);
  printf("\n");
  if (status != MOE_END) return failed(message);

  moe_session_free(session);
  moe_engine_free(engine);
  moe_options_free(text);
  moe_options_free(loading);
  return 0;
}
