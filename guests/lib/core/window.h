/* window.h - a page-aligned page of the image, in which frames of other domains are shown. */
#ifndef GUEST_WINDOW_H
#define GUEST_WINDOW_H
#include <stdint.h>

/* Nothing is behind the page any more: another frame can be mapped there. */
void window_open(void *page);
/* It is ordinary memory again. What was mapped there has been unmapped. */
void window_close(void *page);
/* Try to have there, for reading, a frame of another domain that granted nothing. 0: it is there; an errno: refused. */
long window_steal(void *page, domid_t owner, uint64_t frame);

#endif
