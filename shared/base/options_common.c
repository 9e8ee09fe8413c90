/* What every program can be told, whatever it does. */
#include "shared/base/options_inner.h"

struct options_common_given options_common_given;

const struct option options_common[] = {
    {.name = "log-level",
     .kind = OPTION_TEXT,
     .target = &options_common_given.log_level,
     .fallback = "info",
     .value_name = "LEVEL",
     .help = "the least that is logged: debug, info, warning or error"},
    {.name = "config",
     .kind = OPTION_TEXT,
     .target = &options_common_given.config,
     .value_name = "FILE",
     .help = "settings, NAME = value a line, for what neither a flag nor\nthe environment sets; "
             "else the file of HIGHWATER_CONFIG",
     .flag_only = true},
    {.name = "generate",
     .kind = OPTION_TEXT,
     .target = &options_common_given.generate,
     .value_name = "WHAT",
     .help = "print config (a file with every setting), man (this\nprogram's manual) or "
             "bash-completion, and exit",
     .flag_only = true},
    {0},
};
