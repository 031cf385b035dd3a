/* Which program this process is: by the name of its file, symbolic links and `#!` resolved by the kernel. */
#ifndef MEMWARDEN_PRELOAD_PROGRAM_H
#define MEMWARDEN_PRELOAD_PROGRAM_H

enum { PROGRAM_NAME_BYTES = 128 };

/* Writes the name without its folder; 0 where it can't be known: no /proc, or one longer than any that we look for. */
int program_name(char name[PROGRAM_NAME_BYTES]);
int program_is_dynamic_linker(const char *name); /* `ld.so PROGRAM`: the kernel knows the linker alone */

#endif
