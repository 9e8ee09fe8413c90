/* What is legal, in the words of the answer that refuses something else. */
#include "httpapi/moment.h"
#include "httpapi/params.h"

#include <stdio.h>
#include <string.h>

static void append(char *out, size_t out_bytes, const char *text)
{
    size_t used = strlen(out);

    snprintf(out + used, out_bytes - used, "%s", text);
}

static void append_features(char *out, size_t out_bytes, const struct features *features)
{
    for (size_t i = 0; i < features->count; i++) {
        append(out, out_bytes, i > 0 ? ", " : "");
        append(out, out_bytes, features->names[i]);
    }
}

static void append_intervals(char *out, size_t out_bytes, const struct intervals *intervals)
{
    for (size_t i = 0; i < intervals->count; i++) {
        append(out, out_bytes, i > 0 ? ", " : "");
        append(out, out_bytes, intervals->items[i].name);
    }
}

int param_most_characters(const struct param *param)
{
    return param->most > 0 ? (int)param->most : DEVICE_ID_MAX_CHARACTERS;
}

void param_legal(char *out, size_t out_bytes, const struct param *param,
                 const struct params_rules *rules)
{
    out[0] = '\0';
    switch (param->kind) {
    case PARAM_FEATURES:
        append(out, out_bytes, "a list, with commas, each once, of ");
        append_features(out, out_bytes, rules->features);
        break;
    case PARAM_FEATURE:
        append(out, out_bytes, "one of ");
        append_features(out, out_bytes, rules->features);
        break;
    case PARAM_INTERVAL:
        append(out, out_bytes, "one of ");
        append_intervals(out, out_bytes, rules->intervals);
        append(out, out_bytes, ", or a duration such as 90s, 15m or 6h");
        break;
    case PARAM_INTERVALS:
        append(out, out_bytes, "a list, with commas, each once, of ");
        append_intervals(out, out_bytes, rules->intervals);
        break;
    case PARAM_ORDER:
        append(out, out_bytes, "desc or asc");
        break;
    case PARAM_COUNT:
    case PARAM_TOP:
        snprintf(out, out_bytes, "a whole number from %llu to %llu",
                 (unsigned long long)param->least, (unsigned long long)param->most);
        break;
    case PARAM_TIMESTAMP:
        append(out, out_bytes, MOMENT_LEGAL);
        break;
    case PARAM_DURATION:
        append(out, out_bytes, "a duration such as 90s, 15m or 6h");
        break;
    case PARAM_NUMBER:
        append(out, out_bytes, "a number such as 25, -0.5 or 1e6");
        break;
    case PARAM_CHOICE:
    case PARAM_FORMAT:
        append(out, out_bytes, "one of ");
        for (size_t i = 0; param->choices[i]; i++) {
            append(out, out_bytes, i > 0 ? ", " : "");
            append(out, out_bytes, param->choices[i]);
        }
        break;
    case PARAM_TEXT:
        snprintf(out, out_bytes, "at most %d characters of UTF-8, none of them NUL",
                 param_most_characters(param));
        break;
    case PARAM_DEVICE:
        append(out, out_bytes, DEVICE_ID_LEGAL);
        break;
    case PARAM_DEVICES:
        snprintf(out, out_bytes, "up to %d devices, each once: %s", PARAM_DEVICES_MAX,
                 DEVICE_ID_LEGAL);
        break;
    case PARAM_QUANTILES:
        append(out, out_bytes, QUANTILES_LEGAL);
        break;
    case PARAM_CURSOR:
        append(out, out_bytes, "what an earlier answer gave as \"next\"");
        break;
    }
}

void params_legal_names(char *out, size_t out_bytes, const struct param *params)
{
    snprintf(out, out_bytes, "%s",
             params->name ? "a parameter of this route: " : "no parameter at all on this route");
    for (const struct param *param = params; param->name; param++) {
        append(out, out_bytes, param > params ? ", " : "");
        append(out, out_bytes, param->name);
    }
}
