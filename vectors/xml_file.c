/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "xml_file.h"

#include "bug.h"
#include "whole_file.h"

#include <libxml/chvalid.h>
#include <libxml/xmlwriter.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Xml {
    xmlBufferPtr text;
    xmlTextWriterPtr writer;
};

/* The writer fails only without memory, or where elements do not match. */
static void must(int result, const char *function)
{
    if (result < 0)
        stop_on_bug(function, "the XML writer refuses");
}

Xml *xml_begin(void)
{
    Xml *x = room_for(__func__, 1, sizeof *x);
    x->text = xmlBufferCreate();
    x->writer = x->text ? xmlNewTextWriterMemory(x->text, 0) : NULL;
    if (!x->writer)
        stop_on_bug(__func__, "out of memory");
    must(xmlTextWriterSetIndent(x->writer, 0), __func__);
    return x;
}

void xml_declare(Xml *x)
{
    must(xmlTextWriterStartDocument(x->writer, "1.0", "UTF-8", NULL), __func__);
}

void xml_raw(Xml *x, const char *text)
{
    must(xmlTextWriterWriteRaw(x->writer, BAD_CAST text), __func__);
}

void xml_open(Xml *x, const char *element)
{
    must(xmlTextWriterStartElement(x->writer, BAD_CAST element), __func__);
}

/* What XML can hold, and \xNN for the rest; to be freed. */
static xmlChar *cleaned(const char *text)
{
    size_t left = strlen(text);
    char *clean = room_for(__func__, 4 * left + 1, 1), *to = clean;
    while (left) {
        int length = (int)left;
        int c = xmlGetUTF8Char((const unsigned char *)text, &length);
        bool held = c > 0 && xmlIsCharQ(c) && c != '\r';
        size_t n = c > 0 ? (size_t)length : 1;
        for (size_t k = 0; k < n; k++)
            to += held ? (*to = text[k], 1) : sprintf(to, "\\x%02x", (unsigned char)text[k]);
        text += n;
        left -= n;
    }
    *to = '\0';
    return BAD_CAST clean;
}

static xmlChar *formatted(const char *format, va_list arguments)
{
    char *text;
    if (vasprintf(&text, format, arguments) < 0)
        stop_on_bug(__func__, "out of memory");
    xmlChar *clean = cleaned(text);
    free(text);
    return clean;
}

void xml_attribute(Xml *x, const char *name, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    xmlChar *text = formatted(format, arguments);
    va_end(arguments);
    must(xmlTextWriterWriteAttribute(x->writer, BAD_CAST name, text), __func__);
    free(text);
}

void xml_text(Xml *x, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    xmlChar *text = formatted(format, arguments);
    va_end(arguments);
    must(xmlTextWriterWriteString(x->writer, text), __func__);
    free(text);
}

void xml_close(Xml *x) { must(xmlTextWriterFullEndElement(x->writer), __func__); }
void xml_close_void(Xml *x) { must(xmlTextWriterEndElement(x->writer), __func__); }

void xml_element(Xml *x, const char *element, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    xmlChar *text = formatted(format, arguments);
    va_end(arguments);
    xml_open(x, element);
    must(xmlTextWriterWriteString(x->writer, text), __func__);
    xml_close(x);
    free(text);
}

bool xml_end(Xml *x, const char *path, Failure *f)
{
    xmlFreeTextWriter(x->writer); /* which flushes */
    Bytes bytes = {xmlBufferContent(x->text), (size_t)xmlBufferLength(x->text)};
    bool written = !path || whole_file_write(path, &bytes, 1, f);
    xmlBufferFree(x->text);
    free(x);
    return written;
}
