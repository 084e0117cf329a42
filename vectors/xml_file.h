/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * xml_file.h - XML in the making, by libxml2's writer, which escapes all that needs it. Names from strangers
 * may hold anything: what XML cannot hold, control characters and bytes that are not UTF-8, becomes \xNN.
 *
 * An element that is closed has an end tag even if it is empty, but for those that HTML calls void: so the
 * text is XML and HTML at once.
 */
#ifndef CASTLE_XML_FILE_H
#define CASTLE_XML_FILE_H

#include "failure.h"

typedef struct Xml Xml;

Xml *xml_begin(void);
void xml_declare(Xml *); /* <?xml ...?> */
void xml_raw(Xml *, const char *text);
void xml_open(Xml *, const char *element);
void xml_attribute(Xml *, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void xml_text(Xml *, const char *format, ...) __attribute__((format(printf, 2, 3)));
void xml_close(Xml *);      /* the element that was opened last */
void xml_close_void(Xml *); /* one without content: <br/> */
void xml_element(Xml *, const char *element, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the file (whole_file.h) and ends it. path NULL: it is dropped. */
bool xml_end(Xml *, const char *path, Failure *);

#endif
