/* Stacks as a calling-context tree: node → (parent node, frame) → (file, function, line). Only ever grows, so a reader
 * may keep what it has decoded. When an area is full the answer is 0, "unknown", and the overflow is counted.
 *
 * Every function here is called under the probe's lock.
 */
#ifndef MEMWARDEN_STACK_DICTIONARY_H
#define MEMWARDEN_STACK_DICTIONARY_H

#include <stdint.h>

uint32_t dictionary_string(const uint8_t *utf8, uint32_t bytes);
uint32_t dictionary_frame(uint32_t file, uint32_t function, uint32_t line, uint32_t first_line);
uint32_t dictionary_node(uint32_t parent, uint32_t frame);

#endif
