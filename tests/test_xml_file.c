/* SPDX-License-Identifier: GPL-3.0-or-later */
/* XML files: whatever a name holds, a parser reads it back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vectors_support.h"
#include "xml_file.h"

#include <libxml/parser.h>

/* What a parser finds as text and as attribute, which must be the same. */
static void assert_survives(const char *text, const char *expected)
{
    Failure f;
    const char *path = scratch_path("file.xml");
    Xml *x = xml_begin();
    xml_declare(x);
    xml_open(x, "root");
    xml_attribute(x, "a", "%s", text);
    xml_text(x, "%s", text);
    xml_close(x);
    assert_true(xml_end(x, path, &f));
    xmlDocPtr doc = xmlReadFile(path, NULL, XML_PARSE_NONET);
    assert_non_null(doc);
    xmlNodePtr root = xmlDocGetRootElement(doc);
    xmlChar *content = xmlNodeGetContent(root), *value = xmlGetProp(root, BAD_CAST "a");
    assert_string_equal((const char *)content, expected);
    assert_string_equal((const char *)value, expected);
    xmlFree(content);
    xmlFree(value);
    xmlFreeDoc(doc);
}

static void what_xml_cannot_hold_is_escaped(void **state)
{
    (void)state;
    assert_survives("", "");
    assert_survives("plain", "plain");
    assert_survives("<a b=\"c\">&amp;'</a>", "<a b=\"c\">&amp;'</a>");
    assert_survives("]]>", "]]>");
    assert_survives("\x1b[31m", "\\x1b[31m");
    assert_survives("a\x01\x02z", "a\\x01\\x02z");
    assert_survives("caf\xc3\xa9 \xe2\x88\x9e \xf0\x9f\x98\x80",
                    "caf\xc3\xa9 \xe2\x88\x9e \xf0\x9f\x98\x80");
    assert_survives("\xff\xfe", "\\xff\\xfe");
    assert_survives("\xc3", "\\xc3");
    assert_survives("\xef\xbf\xbf", "\\xef\\xbf\\xbf"); /* U+FFFF is no character */
    assert_survives("\r", "\\x0d");
    assert_survives("a\tb\nc", "a\tb\nc");
}

static void every_byte_survives_in_some_form(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        char text[4] = {'a', (char)byte, 'b', '\0'}, expected[16];
        bool kept = byte == '\t' || byte == '\n' || (byte >= ' ' && byte < 128);
        (void)snprintf(expected, sizeof expected, kept ? "a%cb" : "a\\x%02xb", byte);
        assert_survives(text, expected);
    }
}

static void elements_are_closed_as_html_wants_it(void **state)
{
    Failure f;
    size_t bytes;
    (void)state;
    Xml *x = xml_begin();
    xml_open(x, "td");
    xml_close(x);
    xml_open(x, "br");
    xml_close_void(x);
    xml_element(x, "p", "%d", 3);
    assert_true(xml_end(x, scratch_path("file.xml"), &f));
    char *text = (char *)read_whole_file(scratch_path("file.xml"), &bytes);
    assert_string_equal(text, "<td></td><br/><p>3</p>");
    free(text);
}

static void close_without_open(void) { xml_close(xml_begin()); }

static void elements_must_match(void **state)
{
    (void)state;
    assert_stops(close_without_open, "the XML writer refuses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(what_xml_cannot_hold_is_escaped, scratch_clear),
        cmocka_unit_test_teardown(every_byte_survives_in_some_form, scratch_clear),
        cmocka_unit_test_teardown(elements_are_closed_as_html_wants_it, scratch_clear),
        cmocka_unit_test(elements_must_match),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
