/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "check_page_map.h"

#include "bug.h"
#include "heat_map.h"
#include "json_values.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* Lightness falls from class to class, so the scale is read without telling hues apart. A class begins at a
 * part of the threshold that makes a tensor suspect, at that which makes it wrong, or at a z. */
typedef enum Unit { OF_SUSPECT, OF_WRONG, Z } Unit;
static const struct {
    const char *colour;
    Unit unit;
    double begin;
} classes[] = {
    {"#f4f5f7", Z, 0},        {"#ccd3dd", OF_SUSPECT, 0.5}, {"#fdc57e", OF_SUSPECT, 1},
    {"#f08a46", OF_WRONG, 1}, {"#d1522c", Z, 100},          {"#962218", Z, 1000},
    {"#560c12", Z, 1e5},      {"#000000", Z, INFINITY},
};
enum { CLASSES = sizeof classes / sizeof *classes, NOT_JUDGED = CLASSES };

/* Sizes in CSS pixels. */
enum {
    LEFT = 34,
    TOP = 6,
    WIDEST = 284,
    HIGHEST = 384,
    LARGEST_CELL = 14,
    GAP = 4,
    STRIP = 12,
    TICKS = 16,
    KEY_BOX = 38,
    KEY = 52
};

typedef struct Map {
    size_t rows, cols, tensor_rows, tensor_cols;
    double suspect, wrong; /* thresholds */
    double *cell;
    double width, height; /* of the cells */
    size_t block;         /* 0: none is named */
} Map;

static double class_begins(const Map *m, size_t class)
{
    Unit unit = classes[class].unit;
    return classes[class].begin * (unit == OF_SUSPECT ? m->suspect
                                   : unit == OF_WRONG ? m->wrong
                                                      : 1);
}

static size_t class_of(const Map *m, double z)
{
    if (isnan(z))
        return NOT_JUDGED;
    size_t class = CLASSES - 1;
    while (class > 0 && !(z >= class_begins(m, class)))
        class --;
    return class;
}

static double clamped(double x, double most) { return x < most ? x : most; }

static Map map_of(const json_t *tensor)
{
    const json_t *map = json_object_get(tensor, "map"), *cells = json_object_get(map, "cells");
    const json_t *pattern = json_object_get(tensor, "pattern");
    Map m = {.rows = (size_t)integer_at(map, "rows"),
             .cols = (size_t)integer_at(map, "columns"),
             .tensor_rows = (size_t)integer_at(map, "tensor_rows"),
             .tensor_cols = (size_t)integer_at(map, "tensor_columns"),
             .suspect = number_in(json_object_get(tensor, "suspect_above")),
             .wrong = number_in(json_object_get(tensor, "wrong_above")),
             .block = (size_t)integer_at(json_object_get(pattern, "block"), "size")};
    m.cell = room_for(__func__, m.rows * m.cols, sizeof *m.cell);
    for (size_t k = 0; k < m.rows * m.cols; k++)
        m.cell[k] = number_in(json_array_get(cells, k));
    m.width = (double)m.cols * clamped(WIDEST / (double)m.cols, LARGEST_CELL);
    m.height = (double)m.rows * clamped(HIGHEST / (double)m.rows, LARGEST_CELL);
    return m;
}

/* ---- cells ------------------------------------------------------------------------------------ */

/* A grid of z as one path for each class: runs of equal cells are strokes one unit wide. */
static size_t draw_cells(Xml *x, const Map *m, const double *z, size_t rows, size_t cols)
{
    size_t bytes = 0;
    for (size_t class = 0; class < CLASSES; class ++) {
        char *path = NULL;
        size_t size = 0;
        FILE *out = open_memstream(&path, &size);
        if (!out)
            stop_on_bug(__func__, "out of memory");
        for (size_t i = 0; i < rows; i++)
            for (size_t j = 0, n; j < cols; j += n) {
                n = 1;
                if (class_of(m, z[i * cols + j]) != class)
                    continue;
                while (j + n < cols && class_of(m, z[i * cols + j + n]) == class)
                    n++;
                fprintf(out, "M%zu %zu.5h%zu", j, i, n);
            }
        if (fclose(out) != 0)
            stop_on_bug(__func__, "out of memory");
        if (size) {
            xml_open(x, "path");
            xml_attribute(x, "stroke", "%s", classes[class].colour);
            xml_attribute(x, "d", "%s", path);
            xml_close(x);
        }
        bytes += size;
        free(path);
    }
    return bytes;
}

static size_t draw_grid(Xml *x, const Map *m, size_t number, const double *z, size_t rows,
                        size_t cols, const double box[4])
{
    xml_open(x, "rect"); /* what is not judged shows through */
    xml_attribute(x, "x", "%.4g", box[0]);
    xml_attribute(x, "y", "%.4g", box[1]);
    xml_attribute(x, "width", "%.4g", box[2]);
    xml_attribute(x, "height", "%.4g", box[3]);
    xml_attribute(x, "fill", "url(#h%zu)", number);
    xml_close(x);
    xml_open(x, "g");
    xml_attribute(x, "transform", "translate(%.4g %.4g) scale(%.6g %.6g)", box[0], box[1],
                  box[2] / (double)cols, box[3] / (double)rows);
    xml_attribute(x, "shape-rendering", "crispEdges");
    size_t bytes = draw_cells(x, m, z, rows, cols);
    xml_close(x);
    return bytes;
}

/* The largest of each row, or of each column. */
static double *margin(const Map *m, bool of_rows)
{
    double *most = room_for(__func__, of_rows ? m->rows : m->cols, sizeof *most);
    for (size_t k = 0; k < (of_rows ? m->rows : m->cols); k++)
        most[k] = NAN;
    for (size_t i = 0; i < m->rows; i++)
        for (size_t j = 0; j < m->cols; j++) {
            double *cell = &most[of_rows ? i : j];
            *cell = fmax(*cell, m->cell[i * m->cols + j]);
        }
    return most;
}

/* ---- ticks and legend ------------------------------------------------------------------------- */

static void text_at(Xml *x, double left, double top, const char *anchor, const char *text)
{
    xml_open(x, "text");
    xml_attribute(x, "x", "%.4g", left);
    xml_attribute(x, "y", "%.4g", top);
    xml_attribute(x, "text-anchor", "%s", anchor);
    xml_text(x, "%s", text);
    xml_close(x);
}

static void line(Xml *x, double x1, double y1, double x2, double y2)
{
    xml_open(x, "path");
    xml_attribute(x, "d", "M%.4g %.4gL%.4g %.4g", x1, y1, x2, y2);
    xml_attribute(x, "stroke", "#1a1a1a");
    xml_close(x);
}

/* Ticks stand at multiples of the block that is named, else of a power of two; a label for each `every`. */
static size_t tick_step(const Map *m, size_t n, double length, double least)
{
    size_t step = m->block ? m->block : 1;
    while (length * (double)step / (double)n < least)
        step *= 2;
    return step;
}

static void ticks(Xml *x, const Map *m, double bottom)
{
    char text[24];
    size_t step = tick_step(m, m->tensor_rows, m->height, 14);
    for (size_t k = 0; k < m->tensor_rows; k += step) {
        double top = TOP + m->height * (double)k / (double)m->tensor_rows;
        snprintf(text, sizeof text, "%zu", k);
        line(x, LEFT - 4, top, LEFT, top);
        text_at(x, LEFT - 6, top + 9, "end", text);
    }
    step = tick_step(m, m->tensor_cols, m->width, 30);
    for (size_t k = 0; k < m->tensor_cols; k += step) {
        double left = LEFT + m->width * (double)k / (double)m->tensor_cols;
        snprintf(text, sizeof text, "%zu", k);
        line(x, left, bottom, left, bottom + 4);
        text_at(x, left + 1, bottom + 14, "start", text);
    }
}

/* A box for each class, at its left end the z with which it begins; the thresholds are marked above. */
static void legend(Xml *x, const Map *m, double top)
{
    for (size_t class = 0; class < CLASSES; class ++) {
        double left = 8 + KEY_BOX * (double)class, from = class_begins(m, class);
        char text[24];
        xml_open(x, "rect");
        xml_attribute(x, "x", "%.4g", left);
        xml_attribute(x, "y", "%.4g", top + 18);
        xml_attribute(x, "width", "%d", KEY_BOX);
        xml_attribute(x, "height", "14");
        xml_attribute(x, "fill", "%s", classes[class].colour);
        xml_attribute(x, "stroke", "#767676");
        xml_close(x);
        if (isinf(from))
            snprintf(text, sizeof text, "\xe2\x88\x9e");
        else
            snprintf(text, sizeof text,
                     from < 20    ? "%.2g"
                     : from < 1e4 ? "%g"
                                  : "1e%.0f",
                     from < 1e4 ? from : log10(from));
        text_at(x, left, top + 46, class ? "middle" : "start", text);
        bool suspect = classes[class].unit == OF_SUSPECT && classes[class].begin == 1;
        if (suspect || classes[class].unit == OF_WRONG) {
            line(x, left, top + 4, left, top + 36);
            text_at(x, left + (suspect ? -3 : 3), top + 13, suspect ? "end" : "start",
                    suspect ? "suspect from" : "wrong above");
        }
    }
}

static void hatch(Xml *x, size_t number)
{
    xml_open(x, "pattern");
    xml_attribute(x, "id", "h%zu", number);
    xml_attribute(x, "width", "6");
    xml_attribute(x, "height", "6");
    xml_attribute(x, "patternUnits", "userSpaceOnUse");
    xml_open(x, "path");
    xml_attribute(x, "d", "M0 6L6 0");
    xml_attribute(x, "stroke", "#b5b5b5");
    xml_close(x);
    xml_close(x);
}

size_t map_draw(Xml *x, size_t number, const char *name, const json_t *tensor)
{
    Map m = map_of(tensor);
    const json_t *map = json_object_get(tensor, "map");
    double *rows = margin(&m, true), *cols = margin(&m, false);
    double bottom = TOP + m.height + GAP + STRIP, right = LEFT + m.width + GAP + STRIP;
    double width = fmax(right + 2, 8 + KEY_BOX * CLASSES + 18);
    xml_open(x, "svg");
    xml_attribute(x, "xmlns", "http://www.w3.org/2000/svg");
    xml_attribute(x, "role", "img");
    xml_attribute(x, "aria-labelledby", "t%zu", number);
    xml_attribute(x, "width", "%.4g", width);
    xml_attribute(x, "height", "%.4g", bottom + TICKS + KEY);
    xml_attribute(x, "viewBox", "0 0 %.4g %.4g", width, bottom + TICKS + KEY);
    xml_open(x, "title");
    xml_attribute(x, "id", "t%zu", number);
    xml_text(x, "Errors of %s, batch %lld, head %lld: largest z of %zu by %zu cells", name,
             integer_at(map, "batch"), integer_at(map, "head"), m.rows, m.cols);
    xml_close(x);
    hatch(x, number);
    size_t bytes = draw_grid(x, &m, number, m.cell, m.rows, m.cols,
                             (double[]){LEFT, TOP, m.width, m.height});
    bytes += draw_grid(x, &m, number, rows, m.rows, 1,
                       (double[]){LEFT + m.width + GAP, TOP, STRIP, m.height});
    bytes += draw_grid(x, &m, number, cols, 1, m.cols,
                       (double[]){LEFT, TOP + m.height + GAP, m.width, STRIP});
    ticks(x, &m, bottom);
    legend(x, &m, bottom + TICKS + 2);
    xml_close(x);
    free(rows);
    free(cols);
    free(m.cell);
    return bytes;
}
