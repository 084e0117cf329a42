/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models.h"

#include <string.h>

size_t castle_parameters(size_t heads, size_t d, size_t dm) { return 7 * heads * d * dm; }

size_t attention_parameters(size_t heads, size_t d, size_t dm) { return 4 * heads * d * dm; }

size_t castle_heads(size_t heads) { return 4 * heads / 7; }

const Model models[MODELS] = {
    {"896/8/64", 896, 8, 64, 2048, 128},
    {"1024/9/64", 1024, 9, 64, 2048, 512},
    {"1536/9/96", 1536, 9, 96, 2048, 512},
    {"2048/9/128", 2048, 9, 128, 2048, 512},
};

const Model *model_named(const char *name)
{
    for (size_t k = 0; k < MODELS; k++)
        if (strcmp(models[k].name, name) == 0)
            return &models[k];
    return NULL;
}
