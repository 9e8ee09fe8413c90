#include "httpapi/openapi.h"

#include "httpapi/reply.h"
#include "httpapi/routes.h"
#include "shared/base/invisible.h"
#include "shared/base/json_write.h"
#include "shared/model/topic.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* ---- schemas -------------------------------------------------------------------------------- */

#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define OBJECT(required, properties)                                                               \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required                  \
    "],\"properties\":{" properties "}}"
#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"
#define OR_NULL(schema) "{\"oneOf\":[" schema ",{\"type\":\"null\"}]}"
#define MOMENT                                                                                     \
    "{\"type\":\"string\",\"format\":\"date-time\",\"pattern\":"                                   \
    "\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{6}Z$\"}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define NUMBER "{\"type\":\"number\"}"
#define TEXT "{\"type\":\"string\"}"
#define FLAG "{\"type\":\"boolean\"}"

/* Those that do not depend on the settings. */
static const struct {
    const char *name;
    const char *schema;
} fixed_schemas[] = {
    {"Problem",
     "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\"],\"properties\":{"
     "\"type\":{\"type\":\"string\"},\"title\":{\"type\":\"string\"},"
     "\"status\":{\"type\":\"integer\"},\"detail\":{\"type\":\"string\"},"
     "\"parameter\":{\"type\":\"string\"},\"value\":{\"type\":\"string\"},"
     "\"legal\":{\"type\":\"string\"}}}"},
    {"Health", "{\"type\":\"object\",\"required\":[\"status\"],\"properties\":{"
               "\"status\":{\"enum\":[\"ok\",\"ready\"]},\"version\":{\"type\":\"string\"}}}"},
    {"Statuses", OBJECT("\"ON\",\"OFF\",\"ACTIVE\",\"INACTIVE\"",
                        "\"ON\":" COUNT ",\"OFF\":" COUNT ",\"ACTIVE\":" COUNT
                        ",\"INACTIVE\":" COUNT ",\"none\":" COUNT)},
    {"Histogram", "{\"oneOf\":[" REF("Statuses") "," REF("ValueHistogram") "]}"},
    {"DeviceHistogram", "{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":1,"
                        "\"additionalProperties\":" REF("Histogram") "}"},
    {"Devices", OBJECT("\"devices\",\"next\"",
                       "\"devices\":" ARRAY(REF("DeviceEntry")) ",\"next\":{\"type\":[\"string\","
                                                                "\"null\"]}")},
    {"DeviceEntry",
     OBJECT("\"deviceId\",\"firstSeenAt\",\"firstReadingAt\",\"lastReadingAt\","
            "\"readingsPastHour\",\"sequence\"",
            "\"deviceId\":" REF(
                "DeviceId") ",\"firstSeenAt\":" MOMENT
                            ",\"firstReadingAt\":" OR_NULL(MOMENT) ",\"lastReadingAt\":" OR_NULL(
                                MOMENT) ",\"readingsPastHour\":" COUNT
                                        ",\"sequence\":" OR_NULL(REF("Sequence")))},
    {"Sequence", OBJECT("\"highest\",\"missing\",\"repeats\",\"restarts\"",
                        "\"highest\":" COUNT ",\"missing\":" COUNT ",\"repeats\":" COUNT
                        ",\"restarts\":" COUNT)},
    {"DeviceId", "{\"type\":\"string\",\"minLength\":1,\"maxLength\":64,"
                 "\"pattern\":\"^[^/+#\\\\u0000-\\\\u001f\\\\u007f]+$\"}"},
    {"Readings", "{\"oneOf\":[" REF("ReadingPage") "," REF("ReadingPoints") "]}"},
    {"ReadingPage", OBJECT("\"deviceId\",\"readings\",\"next\"",
                           "\"deviceId\":" REF("DeviceId") ",\"readings\":" ARRAY(
                               REF("Reading")) ",\"next\":{\"type\":[\"string\",\"null\"]}")},
    {"ReadingPoints",
     OBJECT("\"deviceId\",\"from\",\"to\",\"stepMs\",\"points\"",
            "\"deviceId\":" REF("DeviceId") ",\"from\":" OR_NULL(MOMENT) ",\"to\":" OR_NULL(
                MOMENT) ",\"stepMs\":{\"type\":[\"number\",\"null\"]},"
                        "\"points\":" ARRAY(REF("Point")))},
    {"Span", OBJECT("\"min\",\"max\",\"mean\"", "\"min\":{\"type\":\"number\"},"
                                                "\"max\":{\"type\":\"number\"},"
                                                "\"mean\":{\"type\":\"number\"}")},
    {"Collectors", OBJECT("\"collectors\"", "\"collectors\":" ARRAY(REF("Collector")))},
    /* as collector_status.c reads it: all that is not hidden there, in the order of its table */
    {"Collector",
     OBJECT("\"collectorId\",\"isLive\",\"state\"",
            "\"collectorId\":" TEXT ",\"isLive\":" FLAG ",\"state\":{\"enum\":[\"unknown\","
            "\"warming\",\"live\",\"degraded\",\"stopped\",\"lost\"]},\"asOf\":" MOMENT
            ",\"turn\":" COUNT ",\"installation\":" TEXT ",\"startedAt\":" MOMENT
            ",\"version\":" TEXT ",\"features\":" ARRAY(TEXT) ",\"intervals\":" ARRAY(OBJECT(
                "\"name\",\"lengthMs\"",
                "\"name\":" TEXT
                ",\"lengthMs\":{\"type\":[\"number\",\"null\"]}")) ",\"limit\":" COUNT
                                                                   ",\"lowest\":" FLAG
                                                                   ",\"subscribe\":" TEXT
                                                                   ",\"devices\":" COUNT
                                                                   ",\"messages\":" COUNT
                                                                   ",\"received\":" COUNT
                                                                   ",\"stored\":" COUNT
                                                                   ",\"duplicates\":" COUNT
                                                                   ",\"rejected\":" COUNT
                                                                   ",\"inFlight\":" COUNT
                                                                   ",\"ratePerSecond\":" COUNT
                                                                   ",\"lagMs\":" NUMBER
                                                                   ",\"rejectedByReason\":"
                                                                   "{\"type\":\"object\","
                                                                   "\"additionalProperties\":" COUNT
                                                                   "},\"brokerDropped\":" COUNT)},
    {"BoardEvent",
     OBJECT(
         "\"feature\",\"interval\",\"order\",\"asOf\",\"source\",\"readings\"",
         "\"feature\":" TEXT ",\"interval\":" TEXT ",\"order\":{\"enum\":[\"desc\",\"asc\"]},"
         "\"asOf\":" MOMENT
         ",\"source\":{\"enum\":[\"boards\",\"database\"]},\"readings\":" ARRAY(REF("Reading")))},
    {"StatusEvent",
     OBJECT("\"source\",\"asOf\",\"reason\",\"collectors\"",
            "\"source\":{\"enum\":[\"boards\",\"database\",\"none\"]},\"asOf\":" MOMENT
            ",\"reason\":" TEXT ",\"collectors\":" ARRAY(REF("Collector")))},
};

static void put_names(struct buffer *out, const struct features *features, const char *extra)
{
    buffer_put_text(out, extra);
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 || *extra ? "," : "", features->names[i]);
}

/* {"temperature":<schema>,...}, behind what is there already. */
static void put_properties(struct buffer *out, const struct features *features, bool is_first,
                           const char *schema)
{
    for (size_t i = 0; i < features->count; i++)
        buffer_printf(out, "%s\"%s\":%s", is_first && i == 0 ? "" : ",", features->names[i],
                      schema);
}

static void put_setting_schemas(struct buffer *out, const struct features *features)
{
    buffer_put_text(out, ",\"Reading\":{\"type\":\"object\",\"additionalProperties\":false,"
                         "\"required\":[");
    put_names(out, features, "\"deviceId\",\"timestamp\",\"status\"");
    buffer_put_text(
        out,
        "],\"properties\":{\"deviceId\":" REF(
            "DeviceId") ",\"timestamp\":" MOMENT
                        ",\"status\":{\"enum\":[\"ON\",\"OFF\",\"ACTIVE\",\"INACTIVE\",null]}");
    put_properties(out, features, false, "{\"type\":[\"number\",\"null\"]}");
    buffer_put_text(out, "}},\"Dashboard\":{\"type\":\"object\",\"additionalProperties\":false,"
                         "\"minProperties\":1,\"properties\":{");
    put_properties(out, features, true, ARRAY(REF("Reading")));
    buffer_put_text(out, "}},\"Point\":{\"type\":\"object\",\"additionalProperties\":false,"
                         "\"required\":[");
    put_names(out, features, "\"timestamp\",\"count\"");
    buffer_put_text(out, "],\"properties\":{\"timestamp\":" MOMENT ",\"count\":" COUNT);
    put_properties(out, features, false, OR_NULL(REF("Span")));
    buffer_put_text(out, "}},\"ValueHistogram\":{\"type\":\"object\","
                         "\"additionalProperties\":false,"
                         "\"required\":[\"feature\",\"count\",\"edges\",\"counts\"],"
                         "\"properties\":{\"feature\":{\"enum\":[");
    put_names(out, features, "");
    buffer_put_text(out, "]},\"count\":" COUNT ",\"edges\":" ARRAY(
                             "{\"type\":\"number\"}") ",\"counts\":" ARRAY(COUNT) "}}");
    buffer_put_text(
        out,
        ",\"Device\":{\"type\":\"object\",\"additionalProperties\":false,"
        "\"required\":[\"deviceId\",\"firstSeenAt\",\"latest\",\"peaks\","
        "\"statuses\",\"sequence\"],\"properties\":{\"deviceId\":" REF(
            "DeviceId") ",\"firstSeenAt\":" MOMENT
                        ",\"latest\":" OR_NULL(REF("Reading")) ",\"sequence\":" OR_NULL(
                            REF("Sequence")) ",\"statuses\":" REF("Statuses") ",\"peaks\":{"
                                                                              "\"type\":\"object\","
                                                                              "\"properties\":{");
    put_properties(
        out, features, true,
        OBJECT("\"highest\",\"lowest\"",
               "\"highest\":" OR_NULL(REF("Reading")) ",\"lowest\":" OR_NULL(REF("Reading"))));
    buffer_put_text(out, "}}}}");
}

/* One more range of the characters that an id must not have. Beyond the first plane there is no
 * escape that all kinds of regular expressions have, so those stand for themselves. */
static void put_range(struct buffer *out, uint32_t first, uint32_t last)
{
    const uint32_t ends[] = {first, last};

    for (size_t i = 0; i < 2; i++) {
        uint32_t c = ends[i];
        const unsigned char text[] = {
            (unsigned char)(0xf0 | c >> 18), (unsigned char)(0x80 | (c >> 12 & 0x3f)),
            (unsigned char)(0x80 | (c >> 6 & 0x3f)), (unsigned char)(0x80 | (c & 0x3f))};

        buffer_put_text(out, i > 0 ? "-" : "");
        if (c < 0x10000)
            buffer_printf(out, "\\\\u%04x", (unsigned)c);
        else
            buffer_put(out, text, sizeof(text));
    }
}

/* The ids that may be asked about, which are legal now; what is in the tables may be older. */
static void put_id_schema(struct buffer *out)
{
    uint32_t first = 0;
    bool was_invisible = false;

    buffer_printf(out,
                  "\"DeviceIdAsked\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":%d,"
                  "\"pattern\":\"^(?![.]{1,2}$)[^/+#\\\\u0000-\\\\u001f\\\\u007f-\\\\u009f",
                  DEVICE_ID_MAX_CHARACTERS);
    for (uint32_t c = 0xa0; c <= 0x110000; c++) {
        bool is_invisible = c <= 0x10ffff && (c < 0xd800 || c > 0xdfff) && invisible_is(c);

        if (is_invisible && !was_invisible)
            first = c;
        else if (!is_invisible && was_invisible)
            put_range(out, first, c - 1);
        was_invisible = is_invisible;
    }
    buffer_put_text(out, "]+$\"}");
}

/* ---- paths ---------------------------------------------------------------------------------- */

static void put_enum(struct buffer *out, const struct params_rules *rules, bool is_of_intervals)
{
    size_t count = is_of_intervals ? rules->intervals->count : rules->features->count;

    for (size_t i = 0; i < count; i++)
        buffer_printf(out, "%s\"%s\"", i > 0 ? "," : "",
                      is_of_intervals ? rules->intervals->items[i].name
                                      : rules->features->names[i]);
}

static void put_param_schema(struct buffer *out, const struct param *param,
                             const struct params_rules *rules)
{
    switch (param->kind) {
    case PARAM_FEATURES:
    case PARAM_INTERVALS:
        buffer_put_text(
            out, "{\"type\":\"array\",\"minItems\":1,\"uniqueItems\":true,\"items\":{\"enum\":[");
        put_enum(out, rules, param->kind == PARAM_INTERVALS);
        buffer_put_text(out, "]}}");
        break;
    case PARAM_FEATURE:
        buffer_put_text(out, "{\"enum\":[");
        put_enum(out, rules, false);
        buffer_put_text(out, "]}");
        break;
    case PARAM_INTERVAL:
        buffer_put_text(out, "{\"anyOf\":[{\"enum\":[");
        put_enum(out, rules, true);
        buffer_put_text(out, "]},{\"type\":\"string\",\"pattern\":"
                             "\"^[1-9][0-9]{0,4}(us|ms|s|m|h|d)$\"}]}");
        break;
    case PARAM_ORDER:
        buffer_put_text(out, "{\"enum\":[\"desc\",\"asc\"],\"default\":\"desc\"}");
        break;
    case PARAM_COUNT:
    case PARAM_TOP:
        buffer_printf(out, "{\"type\":\"integer\",\"minimum\":%" PRIu64 ",\"maximum\":%" PRIu64,
                      param->least, param->most);
        if (param->kind == PARAM_TOP)
            buffer_printf(out, ",\"default\":%" PRIu64, rules->top_devices);
        else if (param->fallback)
            buffer_printf(out, ",\"default\":%s", param->fallback);
        buffer_put_text(out, "}");
        break;
    case PARAM_MOMENT:
        buffer_put_text(out, "{\"type\":\"string\",\"format\":\"date-time\"}");
        break;
    case PARAM_FORMAT:
        buffer_put_text(out, "{\"enum\":[\"json\",\"csv\"]}");
        break;
    case PARAM_TEXT:
        buffer_printf(out, "{\"type\":\"string\",\"maxLength\":%d,\"pattern\":\"^[^\\\\u0000]*$\"}",
                      DEVICE_ID_MAX_CHARACTERS);
        break;
    case PARAM_DEVICE:
        buffer_put_text(out, REF("DeviceIdAsked"));
        break;
    case PARAM_CURSOR:
        buffer_put_text(out, "{\"type\":\"string\",\"pattern\":"
                             "\"^(-?[0-9]{1,18}_-?[0-9]{1,19})?$\"}");
        break;
    }
}

static void put_params(struct buffer *out, const struct route *route,
                       const struct params_rules *rules)
{
    bool is_first = true;

    buffer_put_text(out, ",\"parameters\":[");
    if (strchr(route->path, '{')) {
        buffer_put_text(out, "{\"name\":\"deviceId\",\"in\":\"path\",\"required\":true,"
                             "\"description\":\"the device, percent-encoded\",\"schema\":" REF(
                                 "DeviceIdAsked") "}");
        is_first = false;
    }
    for (const struct param *param = route->params; param->name; param++) {
        buffer_printf(out,
                      "%s{\"name\":\"%s\",\"in\":\"query\",\"description\":", is_first ? "" : ",",
                      param->name);
        json_write_string(out, param->help);
        if (param->kind == PARAM_FEATURES || param->kind == PARAM_INTERVALS)
            buffer_put_text(out, ",\"style\":\"form\",\"explode\":false");
        buffer_put_text(out, ",\"schema\":");
        put_param_schema(out, param, rules);
        buffer_put_text(out, "}");
        is_first = false;
    }
    buffer_put_text(out, "]");
}

static void put_content(struct buffer *out, const struct route *route)
{
    for (size_t i = 0; route->types[i]; i++) {
        bool has_schema = i == 0 && route->schema;

        buffer_printf(out, "%s\"%.*s\":{\"schema\":", i > 0 ? "," : "",
                      (int)strcspn(route->types[i], ";"), route->types[i]);
        if (has_schema)
            buffer_printf(out, "{\"$ref\":\"#/components/schemas/%s\"}", route->schema);
        else
            buffer_put_text(out, strcmp(route->types[i], REPLY_JSON) == 0
                                     ? "{\"type\":\"object\"}"
                                     : "{\"type\":\"string\"}");
        if (strcmp(route->types[i], REPLY_EVENTS) == 0)
            buffer_put_text(out, ",\"x-events\":{\"board\":" REF("BoardEvent") ",\"status\":" REF(
                                     "StatusEvent") "}");
        buffer_put_text(out, "}");
    }
}

/* What may come beside 200. */
static const struct {
    int status;
    const char *when;
    const char *header; /* that is always with it, NULL = none */
} refusals[] = {
    {400, "a parameter, the target or the head of the request is not legal", NULL},
    {404, "there is no such device", NULL},
    {405, "it is only read, with GET or HEAD", "Allow"},
    {406, "Accept wants nothing that there is", NULL},
    {414, "the target is too long", NULL},
    {421, "the host in Host is none that this server answers to", NULL},
    {431, "the head of the request is too large", NULL},
    {500, "the database refused a question", NULL},
    {503, "the database cannot answer now, or too many ask", "Retry-After"},
    {505, "it is neither HTTP/1.1 nor HTTP/1.0", NULL},
};

static bool may_refuse(const struct route *route, int status)
{
    switch (status) {
    case 404:
        return strchr(route->path, '{') != NULL;
    case 500:
        return route->query != NULL;
    case 503:
        return route->query || strcmp(route->name, "events") == 0 ||
               strcmp(route->name, "readyz") == 0;
    default:
        return true;
    }
}

static void put_refusals(struct buffer *out, const struct route *route)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        if (may_refuse(route, refusals[i].status))
            buffer_printf(out, ",\"%d\":{\"$ref\":\"#/components/responses/Problem%d\"}",
                          refusals[i].status, refusals[i].status);
    }
}

static void put_responses(struct buffer *out)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        buffer_printf(out, "%s\"Problem%d\":{\"description\":\"%s: %s (RFC 9457)\"",
                      i > 0 ? "," : "", refusals[i].status, http_phrase(refusals[i].status),
                      refusals[i].when);
        if (refusals[i].header)
            buffer_printf(out, ",\"headers\":{\"%s\":{\"schema\":{\"type\":\"string\"}}}",
                          refusals[i].header);
        buffer_put_text(
            out, ",\"content\":{\"application/problem+json\":{\"schema\":" REF("Problem") "}}}");
    }
}

static bool has_etag(const struct route *route)
{
    return route->query || strcmp(route->name, "page") == 0 || strcmp(route->name, "openapi") == 0;
}

static void put_route(struct buffer *out, const struct route *route,
                      const struct params_rules *rules)
{
    buffer_printf(out, "\"%s\":{\"get\":{\"operationId\":\"%s\",\"summary\":", route->path,
                  route->name);
    json_write_string(out, route->summary);
    buffer_put_text(out, ",\"description\":");
    json_write_string(out, route->help);
    put_params(out, route, rules);
    buffer_put_text(out, ",\"responses\":{\"200\":{\"description\":\"the answer\"");
    if (route->query)
        buffer_put_text(out, ",\"headers\":{"
                             "\"X-Data-As-Of\":{\"schema\":" MOMENT
                             ",\"description\":\"the moment that the answer is about\"},"
                             "\"X-Data-Source\":{\"schema\":{\"enum\":[\"boards\",\"database\"]}},"
                             "\"ETag\":{\"schema\":{\"type\":\"string\"}}}");
    buffer_put_text(out, ",\"content\":{");
    put_content(out, route);
    buffer_put_text(out, "}}");
    if (has_etag(route))
        buffer_put_text(out, ",\"304\":{\"description\":\"If-None-Match names what there is\"}");
    put_refusals(out, route);
    buffer_put_text(out, "}}}");
}

void openapi_write(struct buffer *out, const struct params_rules *rules)
{
    buffer_put_text(out,
                    "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Highwater\","
                    "\"version\":\"" HIGHWATER_VERSION "\",\"description\":"
                    "\"Which devices have the highest values, live and exact; their histograms and "
                    "their history. Everything is read-only, and gzip for who takes it.\"},"
                    "\"servers\":[{\"url\":\"/\"}],\"security\":[],\"paths\":{");
    for (size_t i = 0; i < routes_count; i++) {
        if (i > 0)
            buffer_put_text(out, ",");
        put_route(out, &routes[i], rules);
    }
    buffer_put_text(out, "},\"components\":{\"responses\":{");
    put_responses(out);
    buffer_put_text(out, "},\"schemas\":{");
    put_id_schema(out);
    for (size_t i = 0; i < sizeof(fixed_schemas) / sizeof(fixed_schemas[0]); i++)
        buffer_printf(out, ",\"%s\":%s", fixed_schemas[i].name, fixed_schemas[i].schema);
    put_setting_schemas(out, rules->features);
    buffer_put_text(out, "}}}");
}
