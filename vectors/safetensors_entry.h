/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One tensor's entry in the header of a safetensors file; a part of the reader. */
#ifndef VECTORS_SAFETENSORS_ENTRY_H
#define VECTORS_SAFETENSORS_ENTRY_H

#include <jansson.h>

#include "safetensors.h"

/*
 * Checks the entry and fills *t from it, t->name with name and t->bytes with the tensor's place in
 * the data_size bytes at data.  Neither name nor data are copied.  On failure returns false, with
 * a sentence in *failure that names the tensor but not the file, and *t is not to be used.
 * Whether the tensors together cover the data is not checked here.
 */
bool safetensors_read_entry(Tensor *t, const char *name, const json_t *entry,
                            const unsigned char *data, size_t data_size, Failure *failure);

#endif
