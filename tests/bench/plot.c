/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bench.h"
#include "growth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void points(FILE *f, size_t number, const Curve *c)
{
    (void)fprintf(f, "$curve%zu << END\n", number);
    for (size_t k = 0; k < c->points; k++)
        (void)fprintf(f, "%.0f %.9g\n", c->length[k], c->measured[k]);
    (void)fprintf(f, "END\n");
}

/* One panel: the curves that are measured in this unit, points and fitted line. */
static void panel(FILE *f, const Curve *curves, size_t count, const char *unit, const char *title)
{
    (void)fprintf(f, "set title '%s'\nset ylabel '%s'\n", title, unit);
    const char *separator = "plot ";
    for (size_t k = 0; k < count; k++) {
        const Curve *c = &curves[k];
        if (strcmp(c->unit, unit) != 0)
            continue;
        Fit line = fit(c, c->measured);
        (void)fprintf(f,
                      "%s$curve%zu using 1:2 with points pointtype 7 pointsize 0.5 linecolor %zu "
                      "notitle, \\\n"
                      "  [%.0f:%.0f] %.9g * x**%.6f with lines linecolor %zu "
                      "title '%s, %s: L^{%.2f}'",
                      separator, k, k + 1, c->length[0], c->length[c->points - 1], line.constant,
                      line.exponent, k + 1, c->name, c->system, line.exponent);
        separator = ", \\\n  ";
    }
    (void)fprintf(f, "\n");
}

void plot(const char *folder, const Curve *curves, size_t count)
{
    char *path = path_in(folder, "growth.gp"), *svg = path_in(folder, "growth.svg");
    errno = 0;
    FILE *f = fopen(path, "w");
    if (!f)
        give_up("cannot write", path);
    (void)fprintf(
        f, "# gnuplot growth.gp draws growth.svg, as `make bench` does\n"
           "set terminal svg size 1100,560 background 'white'\n"
           "set output 'growth.svg'\n"
           "set logscale xy\nset grid\nset key left top\nset xtics rotate by -45\nset xlabel 'L'\n"
           "set multiplot layout 1,2\n");
    for (size_t k = 0; k < count; k++)
        points(f, k, &curves[k]);
    panel(f, curves, count, "ms", "time, one thread");
    panel(f, curves, count, "MB", "peak memory");
    (void)fprintf(f, "unset multiplot\n");
    if (fclose(f) != 0)
        give_up("cannot write", path);

    char *command = NULL;
    if (asprintf(&command, "cd '%s' && gnuplot growth.gp", folder) < 0)
        give_up("out of memory for", path);
    // NOLINTNEXTLINE(bugprone-command-processor): the folder is the maker's own
    if (system("command -v gnuplot >/dev/null") != 0)
        say("\nNo plot: gnuplot is not installed (make deps-bench installs it).\n");
    else if (system(command) != 0) // NOLINT(bugprone-command-processor)
        give_up("gnuplot does not take", path);
    else
        say("\nPlot: %s\n", svg);
    free(command);
    free(path);
    free(svg);
}
