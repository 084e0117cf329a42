/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "docs_support.h"
#include "vectors_support.h"

#include <ctype.h>
#include <glob.h>
#include <string.h>

char *text_of(const char *path)
{
    size_t size;
    char *text = (char *)read_whole_file(path, &size);
    assert_int_equal(strlen(text), size);
    return text;
}

char *texts_of(const char *pattern)
{
    glob_t found;
    char *all = NULL;
    size_t size;
    if (glob(pattern, GLOB_BRACE, NULL, &found) != 0)
        fail_msg("no file is named %s", pattern);
    FILE *out = open_memstream(&all, &size);
    assert_non_null(out);
    for (size_t k = 0; k < found.gl_pathc; k++) {
        char *text = text_of(found.gl_pathv[k]);
        (void)fputs(text, out);
        free(text);
    }
    assert_int_equal(fclose(out), 0);
    globfree(&found);
    return all;
}

static bool of_a_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at++)
        if ((at == text || !of_a_word(at[-1])) && !of_a_word(at[n]))
            return true;
    return false;
}

size_t each_match(const char *text, const char *expression,
                  void (*use)(void *context, Part part[MOST_PARTS]), void *context)
{
    regex_t compiled;
    regmatch_t at[MOST_PARTS];
    size_t count = 0;
    assert_int_equal(regcomp(&compiled, expression, REG_EXTENDED | REG_NEWLINE), 0);
    for (; regexec(&compiled, text, MOST_PARTS, at, 0) == 0; text += at[0].rm_eo, count++) {
        Part part[MOST_PARTS];
        for (size_t k = 0; k < MOST_PARTS; k++)
            (void)snprintf(part[k], sizeof part[k], "%.*s", (int)(at[k].rm_eo - at[k].rm_so),
                           text + (at[k].rm_so < 0 ? 0 : at[k].rm_so));
        use(context, part);
    }
    regfree(&compiled);
    return count;
}

char *half_of(const char *text, bool boxes)
{
    char *half = strdup(text);
    assert_non_null(half);
    bool inside = false;
    for (char *line = half; *line;) {
        size_t n = strcspn(line, "\n");
        bool fence = strncmp(line, "```", 3) == 0;
        inside = inside != fence;
        if (fence || inside != boxes)
            memset(line, ' ', n);
        line += n + (line[n] == '\n');
    }
    return half;
}
