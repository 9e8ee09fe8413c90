/* A search in a table of ranges: ids are judged when they are new, and hardly any has a character
 * that is not ASCII. Rejected: a library for it (ICU is 30 MB), and iswprint(), which depends on
 * the locale. */
#include "shared/base/invisible.h"

#include <stddef.h>

/* Ascending. The last two of each plane, which are noncharacters, are not among them. */
static const struct range {
    uint32_t first;
    uint32_t last;
} ranges[] = {
    {0x00ad, 0x00ad},   /* soft hyphen */
    {0x034f, 0x034f},   /* combining grapheme joiner */
    {0x0600, 0x0605},   /* Arabic number signs */
    {0x061c, 0x061c},   /* Arabic letter mark */
    {0x06dd, 0x06dd},   /* Arabic end of ayah */
    {0x070f, 0x070f},   /* Syriac abbreviation mark */
    {0x0890, 0x0891},   /* Arabic currency signs above */
    {0x08e2, 0x08e2},   /* Arabic disputed end of ayah */
    {0x115f, 0x1160},   /* Hangul fillers */
    {0x17b4, 0x17b5},   /* Khmer inherent vowels */
    {0x180b, 0x180f},   /* Mongolian selectors and vowel separator */
    {0x200b, 0x200f},   /* zero width space, joiners, direction marks */
    {0x2028, 0x202e},   /* separators of lines and paragraphs, directions */
    {0x2060, 0x206f},   /* word joiner, invisible operators, isolates, and a reserved one */
    {0x3164, 0x3164},   /* Hangul filler */
    {0xfdd0, 0xfdef},   /* noncharacters */
    {0xfe00, 0xfe0f},   /* variation selectors */
    {0xfeff, 0xfeff},   /* zero width no-break space, the byte order mark */
    {0xffa0, 0xffa0},   /* halfwidth Hangul filler */
    {0xfff0, 0xfffb},   /* reserved, and interlinear annotation */
    {0x110bd, 0x110bd}, /* Kaithi number signs */
    {0x110cd, 0x110cd}, {0x13430, 0x1343f}, /* Egyptian hieroglyph format controls */
    {0x1bca0, 0x1bca3},                     /* shorthand format controls */
    {0x1d173, 0x1d17a},                     /* musical format controls */
    {0xe0000, 0xe0fff}, /* tags, variation selectors, and what is reserved for more of them */
};

bool invisible_is(uint32_t code_point)
{
    size_t from = 0;
    size_t to = sizeof(ranges) / sizeof(ranges[0]);

    if ((code_point & 0xfffe) == 0xfffe)
        return true;
    while (from < to) {
        size_t middle = (from + to) / 2;

        if (code_point < ranges[middle].first)
            to = middle;
        else if (code_point > ranges[middle].last)
            from = middle + 1;
        else
            return true;
    }
    return false;
}
