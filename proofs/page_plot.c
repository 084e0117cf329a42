/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "page_write.h"

#include "bug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* COMMAND 'TEXT', as gnuplot quotes it: a quote inside stands twice. */
static void quoted(FILE *out, const char *command, const char *text)
{
    (void)fprintf(out, "%s '", command);
    for (; *text; text++)
        (void)fprintf(out, *text == '\'' ? "''" : "%c", *text);
    (void)fputc('\'', out);
}

static const char *string_in(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static void write_script(FILE *out, const json_t *plot, const char *name)
{
    static const char *const labels[][2] = {
        {"\nset title", "plot"}, {"\nset xlabel", "x"}, {"\nset ylabel", "y"}};
    const json_t *series = json_object_get(plot, "series");
    size_t k, i;
    json_t *one, *point;
    (void)fprintf(out,
                  "set terminal svg noenhanced size 720,400 background 'white'\n"
                  "set output '%s.svg'\nset grid\nset key outside below",
                  name);
    for (k = 0; k < sizeof labels / sizeof *labels; k++)
        quoted(out, labels[k][0], string_in(plot, labels[k][1]));
    (void)fputc('\n', out);
    json_array_foreach(series, k, one)
    {
        (void)fprintf(out, "$series%zu << END\n", k);
        json_array_foreach(json_object_get(one, "points"), i, point)(void)
            fprintf(out, "%.9g %.9g\n", json_real_value(json_array_get(point, 0)),
                    json_real_value(json_array_get(point, 1)));
        (void)fprintf(out, "END\n");
    }
    json_array_foreach(series, k, one)
    {
        bool line = json_is_true(json_object_get(one, "line"));
        (void)fprintf(out, "%s$series%zu using 1:2 with %s", k ? ", \\\n  " : "plot ", k,
                      line ? "lines" : "points pointtype 7 pointsize 0.5");
        quoted(out, " title", string_in(one, "name"));
    }
    (void)fputc('\n', out);
}

/* From its <svg on: an XML declaration has no place inside a page. */
static json_t *picture(const char *path)
{
    FILE *in = fopen(path, "rb");
    char *text = NULL;
    size_t size = 0;
    if (!in)
        return NULL;
    if (getdelim(&text, &size, '\0', in) < 0) {
        free(text);
        text = NULL;
    }
    (void)fclose(in);
    const char *begin = text ? strstr(text, "<svg") : NULL;
    json_t *result = begin ? json_string(begin) : NULL;
    free(text);
    return result;
}

static bool draw(json_t *plot, const char *folder, const char *name, Failure *f)
{
    char script[4200], svg[4200], command[4400];
    snprintf(script, sizeof script, "%s/%s.gp", folder, name);
    snprintf(svg, sizeof svg, "%s/%s.svg", folder, name);
    snprintf(command, sizeof command, "cd '%s' && gnuplot '%s.gp'", folder, name);
    FILE *out = fopen(script, "w");
    if (!out)
        return fail(f, "%s: cannot be written: %s", script, strerror(errno));
    write_script(out, plot, name);
    if (fclose(out) != 0)
        return fail(f, "%s: cannot be written: %s", script, strerror(errno));
    // NOLINTNEXTLINE(bugprone-command-processor): the folder is the maker's own
    if (system(command) != 0)
        return fail(f, "%s: gnuplot does not take it", script);
    json_t *text = picture(svg);
    if (!text)
        return fail(f, "%s: is not the picture that gnuplot should have drawn", svg);
    json_object_set_new(plot, "svg", text);
    return true;
}

bool write_plots(json_t *root, const char *folder, Failure *f)
{
    size_t s, k;
    json_t *section, *item;
    if (strlen(folder) > 4000 || strchr(folder, '\''))
        return fail(f, "the folder's name is too long or holds a quote; expected another");
    // NOLINTNEXTLINE(bugprone-command-processor)
    if (system("command -v gnuplot >/dev/null") != 0)
        return true;
    json_array_foreach(json_object_get(root, "sections"), s, section)
    {
        int number = 0;
        char name[80];
        json_array_foreach(json_object_get(section, "items"), k, item)
        {
            if (!json_object_get(item, "plot"))
                continue;
            snprintf(name, sizeof name, "%s-%d", json_string_value(json_object_get(section, "key")),
                     ++number);
            if (!draw(item, folder, name, f))
                return false;
        }
    }
    return true;
}
