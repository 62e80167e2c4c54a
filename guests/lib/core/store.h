/* store.h - a minimal xenstore client (xen/include/public/io/xs_wire.h): one request at a time, by polling. */
#ifndef GUEST_STORE_H
#define GUEST_STORE_H
#include <stdbool.h>
#include <stdint.h>

enum { STORE_MAX = 1024 };

/* Use the ring that start_info names. False: the domain has none. */
bool store_init(void);
/* One request. `parts` is a list of `n` texts, each sent with its terminating 0. Returns the answer's length, or -1
 * with the error's name (such as "ENOENT") in `answer`. */
int store_request(uint32_t type, uint32_t tx, const char *const *parts, unsigned n, char answer[STORE_MAX]);
int store_read(uint32_t tx, const char *path, char answer[STORE_MAX]);
bool store_write(uint32_t tx, const char *path, const char *value);
bool store_remove(uint32_t tx, const char *path);
bool store_mkdir(uint32_t tx, const char *path);
/* Names below `path`, each ended by 0; returns the length of all, -1: error. */
int store_directory(uint32_t tx, const char *path, char answer[STORE_MAX]);
bool store_watch(const char *path, const char *token);
bool store_unwatch(const char *path, const char *token);
/* The next watch event as path, 0, token, 0. Waits for about `turns` polls. */
bool store_event(char event[STORE_MAX], unsigned turns);
/* 0: refused */
uint32_t store_transaction(void);
/* False: conflict or error (`answer` has its name). */
bool store_commit(uint32_t tx, bool commit, char answer[STORE_MAX]);

#endif
