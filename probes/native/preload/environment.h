/* The program's own environment, as its C library keeps it, whichever that is.
 *
 * glibc and musl both keep it in `__environ`. A reference to it that may stay unbound (weak) is right wherever the
 * program put its copy, and null where there is no C library: then nothing is ever found, and nothing is written.
 */
#ifndef MEMWARDEN_PRELOAD_ENVIRONMENT_H
#define MEMWARDEN_PRELOAD_ENVIRONMENT_H

const char *environment_value(const char *name); /* of the first entry, as getenv; NULL where there is none */

/* Puts the word in front of a variable's list. No change where it is in it, or where there is no memory. */
void environment_join(const char *name, char separator, const char *word);

#endif
