/* moerun.h: Mixture-of-Experts language models within the memory that you give them.
 *
 *   moe_engine *engine = NULL;
 *   moe_session *session = NULL;
 *   const moe_piece *piece = NULL;
 *   char *message = NULL;
 *   moe_options *options = moe_options_for_loading();
 *   moe_options_set(options, "memory", "4G", &message);
 *   if (moe_engine_load("model.gguf", options, NULL, NULL, &engine, &message) == MOE_OK &&
 *       moe_session_create(engine, &session, &message) == MOE_OK &&
 *       moe_session_prompt(session, "Once upon a time", NULL, &message) == MOE_OK)
 *     while (moe_session_next(session, &piece, &message) == MOE_OK)
 *       fwrite(piece->text, 1, piece->length, stdout);
 *
 * Errors. A function that can fail returns a moe_status, and takes `char **message` last. Where it
 * fails, *message becomes one sentence that says what is wrong, where, and what to do; else NULL.
 * The caller frees it with moe_string_free. `message` itself may be NULL. Other results are set
 * only by success, and NULL otherwise. No argument makes a function crash that is NULL, no UTF-8,
 * out of range, or a handle that was freed already or is of another kind.
 *
 * Ownership. moe_options, moe_engine and moe_session are handles: each is freed by its own
 * function, in any order; NULL and what is freed already are passed over. A session keeps its
 * engine's model in memory after the engine's handle is freed. Texts that go in are copied. Texts
 * that come out as `char **` are the caller's and freed with moe_string_free; a moe_piece is the
 * session's.
 *
 * Threads. Every function may be called from any thread, and several engines may live in one
 * process. Sessions of an engine run at the same time from several threads where it was loaded
 * with the option "parallel"; else they wait for each other. One session belongs to one thread at
 * a time: a call while another is in it returns MOE_ERROR_BUSY, but for moe_session_cancel and
 * moe_session_free. Functions called back are called on the thread that made the call, before it
 * returns, and may themselves call any function here, within these rules.
 *
 * The library has threads of its own, which take no signals. It can't be unloaded (dlclose keeps
 * it), and a process that has loaded an engine must not go on in a child of fork.
 */
#ifndef MOERUN_H
#define MOERUN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How a call ended. */
typedef enum moe_status {
  MOE_OK = 0,
  /* The text has ended: no error, and no piece. */
  MOE_END = 1,
  /* An argument, an option or its value, a template, a grammar: mend the call. */
  MOE_ERROR_ARGUMENT = 2,
  /* The model's files are missing, damaged, or of a kind that is not run. */
  MOE_ERROR_MODEL = 3,
  /* The memory budget or the machine has too little. */
  MOE_ERROR_MEMORY = 4,
  /* The disk, or a file while it was read. */
  MOE_ERROR_READ = 5,
  /* The prompt is longer than the context. */
  MOE_ERROR_CONTEXT = 6,
  /* Not now: the session is in use, or as many prompts wait as may (option "queue"). */
  MOE_ERROR_BUSY = 7
} moe_status;

typedef struct moe_options moe_options;
typedef struct moe_engine moe_engine;
typedef struct moe_session moe_session;

/* The library's version, such as "0.1.0". Never freed. */
const char *moe_version(void);

/* Frees a text that a function gave. */
void moe_string_free(char *text);

/* ---- Options ---- */

/* Options of moe_engine_load and moe_plan, and those of a prompt. All have defaults. Never NULL. */
moe_options *moe_options_for_loading(void);
moe_options *moe_options_for_text(void);

/* Sets an option, named as moe-run names its flags: "memory" to "4G", "temp" to "0.7". An option
 * that may be given several times, such as "stop", gets one more value. What was set stays when
 * this fails.
 */
moe_status moe_options_set(
  moe_options *options, const char *name, const char *value, char **message);

/* *json: a list of all options of this kind, {"name", "summary", "example", "repeatable"}. */
moe_status moe_options_describe(const moe_options *options, char **json, char **message);

void moe_options_free(moe_options *options);

/* ---- Models ---- */

/* What loading would do with a model, from its header alone and without reading weights. `options`
 * may be NULL. *json is one object with the keys of `moe-run plan --json`; a budget that is too
 * small is no error here, but "fits" is false.
 */
moe_status moe_plan(
  const char *path, const moe_options *options, char **json, char **message);

/* Bytes read so far, and in all. */
typedef void (*moe_progress)(size_t done, size_t total, void *context);

/* Loads a model: a GGUF file, any shard of one, or the folder of a published model. Blocks until
 * it is ready. `options` and `progress` may be NULL; `context` is handed to `progress`.
 */
moe_status moe_engine_load(
  const char *path, const moe_options *options, moe_progress progress, void *context,
  moe_engine **engine, char **message);

/* *json: what the model is: "model", "name", "architecture", "vocabulary_size", "context_length",
 * "begin_token", "end_tokens", "chat_templates" (their names), and "notes", sentences on what had
 * to be assumed.
 */
moe_status moe_engine_info(const moe_engine *engine, char **json, char **message);

/* *json: what was decided when the model was loaded, as moe_plan has it. */
moe_status moe_engine_plan(const moe_engine *engine, char **json, char **message);

/* Frees the handle, and the model as soon as no session of it is left: then the memory is free
 * when this, or moe_session_free, returns.
 */
void moe_engine_free(moe_engine *engine);

/* ---- Texts ---- */

/* A session: a text that goes on from prompt to prompt. What it has read stays read: as far as a
 * prompt begins like the text before, answer included, nothing is computed again. There
 * is room for that for one session, and for as many more as the options "parallel" and "keep" say.
 */
moe_status moe_session_create(moe_engine *engine, moe_session **session, char **message);

/* Begins to generate from a text, the whole of it each time. `options` may be NULL. Returns at
 * once: what is wrong with a prompt may be told by moe_session_next only. MOE_ERROR_BUSY while the
 * text before has not ended.
 */
moe_status moe_session_prompt(
  moe_session *session, const char *text, const moe_options *options, char **message);

/* The same from a conversation, by the model's chat template (or the option "chat-template"):
 * `messages` is a JSON list of {"role", "content"}, as chat interfaces have them. The answer is
 * not added to it.
 */
moe_status moe_session_chat(
  moe_session *session, const char *messages, const moe_options *options, char **message);

typedef enum moe_piece_kind {
  /* The text, or of a conversation the answer. */
  MOE_PIECE_TEXT = 0,
  /* Of a conversation: what the model says to itself. */
  MOE_PIECE_THINKING = 1,
  /* Of a conversation: a whole call of a tool, {"id", "name", "arguments"}. */
  MOE_PIECE_TOOL_CALL = 2,
  /* The same where the text ended within it: "arguments" is what there is, as a string. */
  MOE_PIECE_UNFINISHED_CALL = 3
} moe_piece_kind;

typedef struct moe_piece {
  moe_piece_kind kind;
  /* UTF-8, never empty, a NUL behind it, whole characters. */
  const char *text;
  /* Bytes of it, without that NUL. */
  size_t length;
} moe_piece;

/* Blocks until there is more of the text. MOE_OK: *piece is the next of it, and stays as it is
 * until the next call with the session, other than moe_session_cancel. MOE_END: there is no more,
 * and calls after that return MOE_END again. An error ends the text, too.
 */
moe_status moe_session_next(moe_session *session, const moe_piece **piece, char **message);

/* Takes a piece; another value than 0 ends the text. The piece is valid until this returns. */
typedef int (*moe_receiver)(const moe_piece *piece, void *context);

/* Hands what is left of the text to `receiver`, and returns when it has ended: MOE_OK. `context`
 * is handed to `receiver`.
 */
moe_status moe_session_run(
  moe_session *session, moe_receiver receiver, void *context, char **message);

/* Ends the text after the layer that is being computed; what was made until then can still be
 * taken, and then comes MOE_END. From any thread, at any time; without a text it does nothing.
 */
void moe_session_cancel(moe_session *session);

/* *json: what the text cost that ended last, one object with keys of `moe-run --stats-json`, and
 * "finish": "end", "stop" (with the text in "stop"), "length" or "cancelled".
 */
moe_status moe_session_statistics(moe_session *session, char **json, char **message);

/* Ends the text, if there is one, and forgets what was read. */
void moe_session_free(moe_session *session);

#ifdef __cplusplus
}
#endif

#endif
